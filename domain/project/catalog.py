"""Every concept of the project in one list, so that importing this module fills the registries; and upcasters."""

from collections.abc import Callable, Mapping
from typing import Any

from domain.project import (
    aggregate,
    agreement,
    ballots,
    change_assessment,
    change_decision,
    change_events,
    change_requests,
    changes,
    charter,
    checkins,
    consulting,
    deadlines,
    decision_events,
    evaluation,
    gates,
    holding,
    invitations,
    lessons,
    lifecycle,
    measurements,
    passing,
    plan,
    questions,
    resolution,
    returning,
    roles,
    seats,
    starting,
    team,
    turning,
)

CONCEPTS = (
    starting,
    lifecycle,
    invitations,
    holding,
    turning,
    team,
    roles,
    charter,
    agreement,
    measurements,
    plan,
    checkins,
    changes,
    change_events,
    change_requests,
    change_assessment,
    change_decision,
    evaluation,
    lessons,
    gates,
    decision_events,
    resolution,
    ballots,
    questions,
    returning,
    seats,
    consulting,
    deadlines,
    passing,
    aggregate,
)

Upcaster = Callable[[Mapping[str, Any]], Mapping[str, Any]]
UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""(stored name, schema version) → how data of that version reads in the next one."""
