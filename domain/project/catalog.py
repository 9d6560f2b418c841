"""Every concept of the project in one list, so that importing this module fills the registries; and upcasters."""

from collections.abc import Callable, Mapping
from typing import Any

from domain.directory import granting, people, teams
from domain.keeping import archive, person
from domain.messages import EVENTS, Event
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
    delegation,
    evaluation,
    gates,
    holding,
    invitations,
    leaving,
    lessons,
    lifecycle,
    measurements,
    milestones,
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
    visibility,
)

CONCEPTS = (
    starting,
    lifecycle,
    invitations,
    holding,
    turning,
    team,
    roles,
    leaving,
    visibility,
    charter,
    agreement,
    measurements,
    plan,
    milestones,
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
    delegation,
    deadlines,
    passing,
    aggregate,
    person,
    archive,
    people,
    teams,
    granting,
)

_ABOUT: dict[str, str] = {m.__name__: getattr(m, "CONCEPT", m.__name__.rpartition(".")[2]) for m in CONCEPTS}


def concept_of(kind: type[Event]) -> str:
    """What an event is about, such as `decision`: CONCEPT of its module, else the module's name."""
    return _ABOUT.get(kind.__module__, "other")


def concepts() -> dict[str, list[str]]:
    """The types of events by what they are about, each in the order of the registry."""
    by: dict[str, list[str]] = {}
    for name, kind in EVENTS.items():
        by.setdefault(concept_of(kind), []).append(name)
    return by


Upcaster = Callable[[Mapping[str, Any]], Mapping[str, Any]]
UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""(stored name, schema version) → how data of that version reads in the next one."""
