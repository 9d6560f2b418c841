"""Check-ins: the two sides meet at a cadence while the project is executed. Due, held, missed.

Source: docs/governance.md, CM1, CM2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from domain.clock import Clock, Mark, start_clock
from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.passing import when_due
from domain.refusals import broken, not_found, wrong_state
from domain.values import Instant, Person, Role, Slug, Stage, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "check-in"


class CheckInState(StrEnum):
    """Where a check-in is."""

    SCHEDULED = "SCHEDULED"
    DUE = "DUE"
    HELD = "HELD"
    HELD_LATE = "HELD_LATE"
    MISSED = "MISSED"
    DROPPED = "DROPPED"


WAITING = frozenset({CheckInState.SCHEDULED, CheckInState.DUE})


@dataclass(frozen=True, slots=True)
class CheckIn:
    """One meeting of the two sides."""

    id: str
    due_at: datetime
    state: CheckInState = CheckInState.SCHEDULED
    attendees: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckIns:
    """The series so far."""

    series: Mapping[str, CheckIn] = field(default_factory=dict)

    @property
    def missed_in_a_row(self) -> int:
        """How many of the latest ones were missed; one held late after all breaks the row."""
        row = takewhile(lambda c: c.state in {*WAITING, CheckInState.MISSED}, reversed(list(self.series.values())))
        return sum(c.state is CheckInState.MISSED for c in row)

    @property
    def current(self) -> CheckIn | None:
        """The one that waits to be held."""
        return next((c for c in self.series.values() if c.state in WAITING), None)

    def with_check_in(self, check_in: CheckIn) -> CheckIns:
        return replace(self, series={**self.series, check_in.id: check_in})

    def suspended(self) -> CheckIns:
        """The series after its stage was left: what waited is dropped."""
        current = self.current
        return self.with_check_in(replace(current, state=CheckInState.DROPPED)) if current else self


class CheckInScheduled(Event):
    """The next check-in has a day."""

    allowed_by = "CM1"
    en = "Check-in {check_in} is due at {due_at}"
    zh = "例会 {check_in} 定于 {due_at}"
    check_in: str
    due_at: Instant
    clock: Clock

    def apply(self, project: Project, happened: Happened) -> Project:
        series = project.check_ins.with_check_in(CheckIn(self.check_in, self.due_at))
        return project.but(check_ins=series).with_clock(f"check-in/{self.check_in}", self.clock)


class CheckInFellDue(Event):
    """It is time to hold the check-in."""

    allowed_by = "CM2"
    en = "Check-in {check_in} is due now"
    zh = "例会 {check_in} 已到期"
    check_in: str

    def apply(self, project: Project, happened: Happened) -> Project:
        due = replace(project.check_ins.series[self.check_in], state=CheckInState.DUE)
        after = project.but(check_ins=project.check_ins.with_check_in(due))
        return after.without_mark(f"check-in/{self.check_in}", "due")

    def tells(self, project: Project) -> Iterable[Notice]:
        for role in project.rules.check_ins.required:
            for person in project.team.holders(role):
                yield Notice(
                    person,
                    f"{project.code}: hold check-in {self.check_in} now.",
                    f"{project.code}:请召开例会 {self.check_in}。",
                    self.check_in,
                )


class CheckInHeld(Event):
    """The two sides have met."""

    allowed_by = "CM1"
    en = "Check-in {check_in} was held by {attendees}"
    zh = "例会 {check_in} 已召开,出席:{attendees}"
    check_in: str
    attendees: tuple[str, ...]
    outcomes: tuple[str, ...]
    late: bool

    def apply(self, project: Project, happened: Happened) -> Project:
        state = CheckInState.HELD_LATE if self.late else CheckInState.HELD
        held = replace(
            project.check_ins.series[self.check_in],
            state=state,
            attendees=self.attendees,
            outcomes=self.outcomes,
        )
        series = project.check_ins.with_check_in(held)
        return project.but(check_ins=series).with_clock(f"check-in/{self.check_in}", None)


class CheckInMissed(Event):
    """Due and grace have passed and the two sides have not met (CM2)."""

    allowed_by = "CM2"
    en = "Check-in {check_in} was missed ({in_a_row} in a row)"
    zh = "例会 {check_in} 未召开(连续 {in_a_row} 次)"
    check_in: str
    in_a_row: int

    def apply(self, project: Project, happened: Happened) -> Project:
        missed = replace(project.check_ins.series[self.check_in], state=CheckInState.MISSED)
        series = project.check_ins.with_check_in(missed)
        return project.but(check_ins=series).with_clock(f"check-in/{self.check_in}", None)

    def tells(self, project: Project) -> Iterable[Notice]:
        policy = project.rules.check_ins
        sponsor = (Role.SPONSOR,) if self.in_a_row >= policy.sponsor_after_missed else ()
        people = [p for r in (*policy.required, *sponsor) for p in project.team.holders(r)]
        for person in dict.fromkeys(people):
            yield Notice(
                person,
                f"{project.code}: check-in {self.check_in} was missed, {self.in_a_row} in a row.",
                f"{project.code}:例会 {self.check_in} 未召开,连续 {self.in_a_row} 次。",
                self.check_in,
            )


def schedule_next(story: Story) -> None:
    """One check-in a cadence after the last one, in the future."""
    policy, series = story.project.rules.check_ins, story.project.check_ins.series
    now = story.ticking
    last = list(series.values())[-1].due_at if series else now
    due = story.calendar.add_days(last, policy.every_days)
    while due <= now:
        due = story.calendar.add_days(due, policy.every_days)
    shares = {"due": Fraction(0), "missed": Fraction(1)}
    ticking = start_clock(story.calendar, due, policy.grace_days, shares)
    ticking = ticking.model_copy(update={"marks": (Mark(name="due", at=due), ticking.marks[-1])})
    story.record(CheckInScheduled(check_in=f"K-{len(series) + 1}", due_at=due, clock=ticking))


class ScheduleCheckIns(Command):
    """Set the cadence of check-ins going, on entering execution."""

    roles = frozenset({Role.SYSTEM})
    while_held = True
    stages = frozenset({Stage.EXECUTION})
    example = {}

    def decide(self, story: Story) -> None:
        if story.project.check_ins.current is None:
            schedule_next(story)


class HoldCheckIn(Command):
    """Record that the two sides have met, who was there and what came of it (CM1)."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.EXECUTION})
    example = {"check_in": "K-1", "attendees": ["pei.min", "pan.mei"], "outcomes": ["On track"]}
    check_in: Slug
    attendees: Annotated[tuple[Person, ...], Field(min_length=1, max_length=100)]
    outcomes: Annotated[tuple[Text, ...], Field(max_length=50)] = ()

    def decide(self, story: Story) -> None:
        check_in = story.project.check_ins.series.get(self.check_in)
        if check_in is None:
            raise not_found("CheckIn", self.check_in)
        if check_in.state not in {*WAITING, CheckInState.MISSED}:
            raise wrong_state(
                "AlreadyHeld",
                f"{check_in.id} is {check_in.state}.",
                rule="CM1",
                next_step="Record the check-in that waits, if you have met again.",
            )
        for role in story.project.rules.check_ins.required:
            if not set(self.attendees) & set(story.project.team.holders(role)):
                raise broken(
                    "CM1",
                    "SideAbsent",
                    f"Nobody of the {role} side attended {check_in.id}.",
                    next_step="Meet with both sides.",
                )
        late = check_in.state is CheckInState.MISSED
        people, outcomes = tuple(dict.fromkeys(self.attendees)), self.outcomes
        story.record(CheckInHeld(check_in=check_in.id, attendees=people, outcomes=outcomes, late=late))
        if not late:
            schedule_next(story)


@when_due("check-in")
def check_in_due(story: Story, check_in: str, mark: str) -> None:
    """It is time for a check-in, or its grace is over."""
    if mark == "due":
        story.record(CheckInFellDue(check_in=check_in))
        return
    in_a_row = story.project.check_ins.missed_in_a_row + 1
    story.record(CheckInMissed(check_in=check_in, in_a_row=in_a_row))
    schedule_next(story)
