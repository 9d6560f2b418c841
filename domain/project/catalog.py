"""Every concept of the project in one list, so that importing this module fills the registries; and upcasters."""

from collections.abc import Callable, Mapping
from typing import Any

from domain.project import (
    aggregate,
    agreement,
    ballots,
    changes,
    charter,
    checkins,
    deadlines,
    evaluation,
    lifecycle,
    passing,
    plan,
    procedure,
    resolution,
    team,
)

CONCEPTS = (
    lifecycle,
    team,
    charter,
    agreement,
    plan,
    checkins,
    changes,
    evaluation,
    resolution,
    ballots,
    procedure,
    deadlines,
    passing,
    aggregate,
)

Upcaster = Callable[[Mapping[str, Any]], Mapping[str, Any]]
UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""(stored name, schema version) → how data of that version reads in the next one."""
