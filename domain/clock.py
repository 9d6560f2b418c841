"""Clocks: instants at which time itself makes something happen, fixed when the clock starts.

Every instant is computed once on the project's business calendar and stored in the event that starts
or resumes the clock; folding never computes with a calendar.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from domain.calendar import Calendar
from domain.values import Instant, Value


class Mark(Value):
    """One instant of a clock, e.g. `remind-50`, `escalate-1`, `expire`."""

    name: str
    at: Instant


class Clock(Value):
    """What is still to come, earliest first; `due_at` is the limit as people see it."""

    due_at: Instant
    marks: tuple[Mark, ...]
    paused_at: Instant | None = None

    def passed(self, name: str) -> "Clock":
        """The clock without the mark `name`."""
        return self.model_copy(update={"marks": tuple(m for m in self.marks if m.name != name)})

    def put_off(self, name: str, until: datetime) -> "Clock":
        """The clock with the mark `name` at `until`; the limit and the other marks stay."""
        marks = [*self.passed(name).marks, Mark(name=name, at=until)]
        return self.model_copy(update={"marks": tuple(sorted(marks, key=lambda m: m.at))})

    def paused(self, at: datetime) -> "Clock":
        """The clock standing still from `at`; a second pause changes nothing."""
        return self if self.paused_at else self.model_copy(update={"paused_at": at})

    def resumed(self, calendar: Calendar, since: datetime, now: datetime) -> "Clock":
        """The clock going on at `now` with the working time that was left at `since`."""

        def moved(instant: datetime) -> datetime:
            return calendar.add(now, calendar.between(since, instant)) if instant > since else instant

        marks = tuple(Mark(name=m.name, at=moved(m.at)) for m in self.marks)
        return Clock(due_at=moved(self.due_at), marks=marks)


def start_clock(calendar: Calendar, now: datetime, days: Fraction | int, shares: Mapping[str, Fraction]) -> Clock:
    """A clock of `days` working days; each share of it (1 = the limit) becomes a mark."""
    marks = [Mark(name=name, at=calendar.add_days(now, days * share)) for name, share in shares.items()]
    return Clock(due_at=calendar.add_days(now, days), marks=tuple(sorted(marks, key=lambda m: m.at)))


def reminders(percents: Iterable[int]) -> dict[str, Fraction]:
    """Shares for reminders, e.g. 50 → `remind-50` at half of the limit."""
    return {f"remind-{p}": Fraction(p, 100) for p in percents}


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """A mark of a running clock: `ref` names the clock, e.g. `decision/D-3`."""

    at: datetime
    ref: str
    mark: str


def dues(clocks: Mapping[str, Clock]) -> Iterator[Due]:
    """Every mark of every running clock, in no particular order."""
    for ref, clock in clocks.items():
        if clock.paused_at is None:
            for mark in clock.marks:
                yield Due(mark.at, ref, mark.name)
