"""What the streams `person-…` and `archive-…` have in common: small states, commands that look at one of them.

Their events are in the registry of all events and in the same log; a project's state is never made of them.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from domain.messages import Event, Happened
from domain.values import Value

if TYPE_CHECKING:
    from domain.project.aggregate import Project


@dataclass(frozen=True, slots=True)
class Record:
    """What the events of one such stream amount to."""

    id: str
    version: int = 0
    changed_at: datetime | None = None
    held: str | None = None
    """A legal hold and what for; None where there is none."""

    def but(self, **changes: Any) -> Self:
        """This record with some fields changed."""
        return replace(self, **changes)


class _KeepingEvent(Event):
    """An event beside the projects: it turns a record of its own kind, and no project."""

    def apply(self, project: Project, happened: Happened) -> Project:
        """No project is made of it."""
        return project

    @abstractmethod
    def turn(self, record: Any, happened: Happened) -> Any:
        """The record after this event. Never refuses: what happened, happened."""


KeepingEvent: TypeAlias = _KeepingEvent
"""As others call it; by its own name the registry would take it for something that can happen."""


class KeepingCommand(Value):
    """What somebody wants done to a record."""

    example: ClassVar[dict[str, Any]] = {}

    @abstractmethod
    def decide(self, record: Any, person: str) -> list[Any]:
        """The events that happen now if `person` asks, [] where there is nothing to do; or raises Refused."""


def turned(record: Any, event: KeepingEvent, happened: Happened) -> Any:
    """The record after the event."""
    return event.turn(record, happened).but(version=record.version + 1, changed_at=happened.at)
