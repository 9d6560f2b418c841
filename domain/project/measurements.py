"""KPIs measured, with source and evidence; and time noticing those that nobody measures.

Source: docs/governance.md, GL6, GL7.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from domain.clock import Clock, start_clock
from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.agreement import Measurement
from domain.project.kpi import Kpi
from domain.project.passing import when_due
from domain.refusals import broken, not_allowed, not_found
from domain.values import BUSINESS_ROLES, Day, Line, Number, Role, Slug, Stage, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "kpi"
MEASURING = frozenset({Stage.EXECUTION, Stage.CHANGE_REVIEW, Stage.RETROSPECTIVE})


class KpiMeasured(Event):
    """A KPI has a value, with its source and evidence."""

    allowed_by = "GL6"
    en = "{actor} measured {kpi}: {value} on {effective_on}"
    zh = "{actor} 测得 {kpi}:{value}({effective_on})"
    measurement: str
    kpi: str
    value: Number
    effective_on: date
    source: str
    evidence: str
    corrects: str | None = None
    reason: str | None = None
    clock: Clock | None = None
    """Until when the value is fresh, where the project watches for it."""

    def apply(self, project: Project, happened: Happened) -> Project:
        new = Measurement(self.measurement, self.kpi, self.value, self.effective_on, happened.at, happened.by)
        old = project.agreement.latest.get(self.kpi)
        latest = old if old and old.effective_on > self.effective_on and self.corrects != old.id else new
        agreement = replace(
            project.agreement,
            measured=project.agreement.measured + 1,
            latest={**project.agreement.latest, self.kpi: latest},
            stale=project.agreement.stale - {self.kpi},
        )
        after = project.but(agreement=agreement)
        return after.with_clock(f"kpi/{self.kpi}", self.clock) if self.clock else after

    def effective(self, project: Project, at: datetime) -> datetime:
        return project.since(self.effective_on, at)


class KpiClocksStarted(Event):
    """From now on time notices KPIs that nobody measures."""

    allowed_by = "GL6"
    en = "The KPIs {kpis} are watched for fresh measurements"
    zh = "开始关注 KPI {kpis} 的及时测量"
    kpis: tuple[str, ...]
    clocks: dict[str, Clock]

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.but(clocks={**project.clocks, **self.clocks})


class KpiBecameStale(Event):
    """No measurement came in time."""

    allowed_by = "GL6"
    en = "{kpi} is stale: no measurement came in time"
    zh = "{kpi} 已过时:未按时测量"
    kpi: str
    owner: str

    def apply(self, project: Project, happened: Happened) -> Project:
        agreement = replace(project.agreement, stale=project.agreement.stale | {self.kpi})
        return project.but(agreement=agreement).with_clock(f"kpi/{self.kpi}", None)

    def tells(self, project: Project) -> Iterable[Notice]:
        people = [p for p in [self.owner] if p in project.team.members()]
        for person in dict.fromkeys([*people, *project.team.holders(Role.PMO)]):
            yield Notice(
                person,
                f"{project.code}: measure {self.kpi}, its value is stale.",
                f"{project.code}:请测量 {self.kpi},其数值已过时。",
                self.kpi,
            )


class RecordMeasurement(Command):
    """Record what a KPI measured on a day, with source and evidence (GL6). `corrects` names an earlier one."""

    roles = BUSINESS_ROLES
    stages = MEASURING
    example = {
        "kpi": "online-share",
        "value": "75",
        "effective_on": "2026-04-01",
        "source": "Monthly report",
        "evidence": "Report of March, page 3",
    }
    kpi: Slug
    value: Number
    effective_on: Day
    source: Line
    evidence: Text
    corrects: Slug | None = None
    reason: Text | None = None

    def decide(self, story: Story) -> None:
        kpi = story.project.agreement.kpi(self.kpi)
        if kpi is None:
            raise not_found("Kpi", self.kpi)
        if story.person != kpi.owner and Role.PMO not in story.project.team.roles(story.person):
            raise not_allowed(
                f"{kpi.owner}, who owns {kpi.id}, or the PMO measures it.",
                code="NotTheOwner",
                rule="GL6",
                next_step=f"Send your figure to {kpi.owner}.",
            )
        self._check_day(story)
        watched = story.project.stage is Stage.EXECUTION
        fresh = _watch(story, kpi, self._counts_from(story)) if watched else None
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        number = f"ME-{story.project.agreement.measured + 1}"
        story.record(KpiMeasured(measurement=number, clock=fresh, **fields))

    def _counts_from(self, story: Story) -> datetime:
        """The end of the day it was measured, or of a later one measured before; never later than now."""
        latest = story.project.agreement.latest.get(self.kpi)
        newer = latest and latest.id != self.corrects and latest.effective_on > self.effective_on
        day = latest.effective_on if latest and newer else self.effective_on
        return min(story.at, story.end_of(day))

    def _check_day(self, story: Story) -> None:
        started = story.project.started_at
        assert started is not None
        if not story.day_of(started) <= self.effective_on <= story.today:
            raise broken(
                "GL7",
                "DayOutOfRange",
                f"{self.effective_on} is before the project's start on {story.day_of(started)} or still to come.",
                next_step="Name the day on which it was measured.",
            )
        if self.corrects is None:
            return
        latest = story.project.agreement.latest.get(self.kpi)
        if latest is None or latest.id != self.corrects:
            raise not_found("Measurement", self.corrects)
        if self.reason is None:
            raise broken("GL7", "ReasonMissing", "A correction needs a reason.", next_step="Add `reason`.")


def _watch(story: Story, kpi: Kpi, since: datetime) -> Clock:
    days = kpi.frequency_days + kpi.grace_days
    return start_clock(story.calendar, since, days, {"stale": Fraction(1)})


class WatchKpis(Command):
    """Start to notice KPIs that nobody measures, from the present stage on."""

    roles = frozenset({Role.SYSTEM})
    while_held = True
    stages = frozenset({Stage.EXECUTION})
    example = {}

    def decide(self, story: Story) -> None:
        agreement = story.project.agreement
        fresh = [
            k
            for k, _ in agreement.measured_kpis()
            if f"kpi/{k.id}" not in story.project.clocks and k.id not in agreement.stale
        ]
        if fresh:
            clocks = {f"kpi/{k.id}": _watch(story, k, story.ticking) for k in fresh}
            story.record(KpiClocksStarted(kpis=tuple(k.id for k in fresh), clocks=clocks))


@when_due("kpi")
def kpi_due(story: Story, kpi_id: str, mark: str) -> None:
    """A KPI was not measured in time."""
    kpi = story.project.agreement.kpi(kpi_id)
    story.record(KpiBecameStale(kpi=kpi_id, owner=kpi.owner if kpi else story.project.starter))
