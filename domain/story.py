"""One command being decided: what was, what happens now, and what is after each event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from domain.calendar import Calendar, calendar
from domain.messages import Actor, Event, Happened
from domain.refusals import Refused

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.template import Policy


class Story:
    """Collects events; `project` is always the state after the last of them."""

    def __init__(
        self, project: Project, actor: Actor, at: datetime, templates: Mapping[str, Policy], code: str = ""
    ) -> None:
        self.project = project
        self.actor = actor
        self.at = at
        self.templates = templates
        self.code = code
        self.events: list[Event] = []

    @property
    def person(self) -> str:
        return self.actor.person

    @property
    def calendar(self) -> Calendar:
        return calendar(self.project.rules.calendar)

    @property
    def today(self) -> date:
        """The day by the project's own clock on the wall."""
        return self.day_of(self.at)

    def day_of(self, instant: datetime) -> date:
        """The day that the instant falls on where the project is."""
        return instant.astimezone(ZoneInfo(self.project.rules.calendar.timezone)).date()

    def end_of(self, day: date) -> datetime:
        """The instant at which this day ends where the project is."""
        zone = ZoneInfo(self.project.rules.calendar.timezone)
        return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)

    def start_of(self, day: date) -> datetime:
        """The instant at which this day begins where the project is."""
        return datetime.combine(day, time(), ZoneInfo(self.project.rules.calendar.timezone)).astimezone(UTC)

    @property
    def ticking(self) -> datetime:
        """From when a clock that starts now counts: on hold no time passes."""
        return self.project.lifecycle.held_at or self.at

    def record(self, event: Event) -> None:
        """This happens now."""
        self.events.append(event)
        self.project = evolve(self.project, event, Happened(self.at, self.person))

    def attempt(self, step: Callable[[], None]) -> Refused | None:
        """Do `step` whole or not at all; gives the refusal where the rules say no."""
        before = self.project, len(self.events)
        try:
            step()
        except Refused as refusal:
            self.project = before[0]
            del self.events[before[1] :]
            return refusal
        return None


def evolve(project: Project, event: Event, happened: Happened) -> Project:
    """The project after `event`."""
    after = event.apply(project, happened)
    return after.but(version=project.version + 1, changed_at=happened.at)
