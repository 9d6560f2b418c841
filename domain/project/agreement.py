"""The KPI agreement: goals and KPIs proposed, countered, signed by both sides on one hash; then measured.

Source: docs/governance.md, GL1 to GL6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from domain.clock import Clock, start_clock
from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.charter import differing, revise, signed_hash
from domain.project.decision import Decision, Subject
from domain.project.kpi import Goal, Kpi
from domain.project.passing import when_due
from domain.project.resolution import open_about, open_decision, when_approved
from domain.refusals import broken, not_allowed, not_found, wrong_state
from domain.template import AgreementPolicy, Kind
from domain.values import BUSINESS_ROLES, Line, Number, Role, Slug, Stage, Text, Value

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

MEASURING = frozenset({Stage.EXECUTION, Stage.CHANGE_REVIEW, Stage.RETROSPECTIVE})


class AgreementContent(Value):
    """What both sides agree on; all of it but `remarks` is signed."""

    goals: Annotated[tuple[Goal, ...], Field(min_length=1, max_length=50)]
    kpis: Annotated[tuple[Kpi, ...], Field(min_length=1, max_length=50)]
    assumptions: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    remarks: Text | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """The measurement that counts for a KPI: the latest effective day, the later recorded of two."""

    id: str
    kpi: str
    value: Decimal
    effective_on: date
    recorded_at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """The proposal on the table and the agreement in force."""

    revision: int = 0
    proposal: AgreementContent | None = None
    content_hash: str | None = None
    author: str | None = None
    active_revision: int = 0
    active: AgreementContent | None = None
    measured: int = 0
    """How many measurements were ever recorded."""
    latest: Mapping[str, Measurement] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()

    def kpi(self, kpi_id: str) -> Kpi | None:
        kpis = self.active.kpis if self.active else ()
        return next((k for k in kpis if k.id == kpi_id), None)

    def measured_kpis(self) -> Iterable[tuple[Kpi, Decimal | None]]:
        """Every KPI in force with its latest value."""
        for kpi in self.active.kpis if self.active else ():
            latest = self.latest.get(kpi.id)
            yield kpi, latest.value if latest else None


class AgreementProposed(Event):
    """Goals and KPIs are on the table."""

    en = "{actor} proposed revision {revision} of the KPI agreement"
    zh = "{actor} 提出 KPI 协议第 {revision} 版"
    revision: int
    content: AgreementContent
    content_hash: str

    def apply(self, project: Project, happened: Happened) -> Project:
        agreement = replace(
            project.agreement,
            revision=self.revision,
            proposal=self.content,
            content_hash=self.content_hash,
            author=happened.by,
        )
        return project.but(agreement=agreement)


class AgreementCountered(AgreementProposed):
    """The proposal was changed; signatures given so far are void (GL4)."""

    en = "{actor} countered with revision {revision} of the KPI agreement, changing {changed}"
    zh = "{actor} 反提 KPI 协议第 {revision} 版,修改了 {changed}"
    changed: tuple[str, ...] = ()


class AgreementActivated(Event):
    """Both sides have signed the same content: it is in force."""

    en = "The KPI agreement is in force (revision {revision})"
    zh = "KPI 协议生效(第 {revision} 版)"
    revision: int

    def apply(self, project: Project, happened: Happened) -> Project:
        agreement = replace(project.agreement, active=project.agreement.proposal, active_revision=self.revision)
        return project.but(agreement=agreement)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.members():
            yield Notice(
                person,
                f"{project.code}: the KPI agreement is in force.",
                f"{project.code}:KPI 协议已生效。",
                "agreement",
            )


class AgreementAmended(Event):
    """An approved change altered targets: the agreement has a new revision in force (GL5)."""

    en = "The KPI agreement was amended by {change} (revision {revision})"
    zh = "KPI 协议因 {change} 修订(第 {revision} 版)"
    revision: int
    change: str
    targets: dict[str, Number]

    def apply(self, project: Project, happened: Happened) -> Project:
        active = project.agreement.active
        assert active is not None
        kpis = tuple(
            k.model_copy(update={"target": self.targets[k.id]}) if k.id in self.targets else k for k in active.kpis
        )
        amended = active.model_copy(update={"kpis": kpis})
        agreement = replace(project.agreement, active=amended, active_revision=self.revision, revision=self.revision)
        return project.but(agreement=agreement)


class KpiMeasured(Event):
    """A KPI has a value, with its source and evidence."""

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


class KpiClocksStarted(Event):
    """From now on time notices KPIs that nobody measures."""

    en = "The KPIs {kpis} are watched for fresh measurements"
    zh = "开始关注 KPI {kpis} 的及时测量"
    kpis: tuple[str, ...]
    clocks: dict[str, Clock]

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.but(clocks={**project.clocks, **self.clocks})


class KpiBecameStale(Event):
    """No measurement came in time."""

    en = "{kpi} is stale: no measurement came in time"
    zh = "{kpi} 已过时:未按时测量"
    kpi: str
    owner: str

    def apply(self, project: Project, happened: Happened) -> Project:
        agreement = replace(project.agreement, stale=project.agreement.stale | {self.kpi})
        return project.but(agreement=agreement).with_clock(f"kpi/{self.kpi}", None)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in dict.fromkeys([self.owner, *project.team.holders(Role.PMO)]):
            yield Notice(
                person,
                f"{project.code}: measure {self.kpi}, its value is stale.",
                f"{project.code}:请测量 {self.kpi},其数值已过时。",
                self.kpi,
            )


def check_agreement(content: AgreementContent, policy: AgreementPolicy, people: Iterable[str]) -> None:
    """GL1: weights are 10,000 in sum. GL2: each category that the template demands has a KPI."""
    ids = Counter([*(k.id for k in content.kpis), *(g.id for g in content.goals)])
    if doubled := [name for name, times in ids.items() if times > 1]:
        raise broken("GL1", "NameTwice", f"{', '.join(doubled)} is used more than once.")
    total = sum(k.weight_bp for k in content.kpis)
    if total != 10_000:
        raise broken(
            "GL1",
            "WeightsDoNotSum",
            f"The weights sum to {total} basis points, not to 10000.",
            next_step="Correct the weights.",
        )
    missing = set(policy.categories) - {k.category for k in content.kpis}
    if missing:
        raise broken(
            "GL2",
            "CategoryMissing",
            f"There is no KPI for {', '.join(sorted(missing))}.",
            next_step="Add one.",
        )
    unknown = {name for g in content.goals for name in g.kpis} - {k.id for k in content.kpis}
    if unknown:
        raise not_found("Kpi", ", ".join(sorted(unknown)))
    owners = {k.owner for k in content.kpis} | {g.owner for g in content.goals}
    if strangers := owners - set(people):
        raise not_found("Member", ", ".join(sorted(strangers)))


def _example_kpi(name: str, category: str, **fields: object) -> dict[str, object]:
    return {
        "id": name,
        "name": name.replace("-", " ").capitalize(),
        "category": category,
        "unit": "%",
        "direction": "up",
        "baseline": "60",
        "target": "90",
        "weight_bp": 2500,
        "owner": "pan.mei",
        "source": "Monthly report",
        **fields,
    }


class ProposeAgreement(Command):
    """Put goals and KPIs on the table, and ask both sides for their signature on exactly this content.

    Where a proposal is open already, the new content counters it: signatures given so far are void.
    """

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.KPI_AGREEMENT})
    example = {
        "content": {
            "goals": [
                {
                    "id": "renew-online",
                    "statement": "Nine of ten members renew online",
                    "kind": "functional",
                    "owner": "pan.mei",
                    "kpis": ["online-share"],
                }
            ],
            "kpis": [
                _example_kpi("online-share", "quality"),
                _example_kpi("on-time", "schedule"),
                _example_kpi("budget-kept", "cost"),
                _example_kpi("satisfied", "satisfaction"),
            ],
            "assumptions": ["The payment provider delivers in May"],
        }
    }
    content: AgreementContent

    def decide(self, story: Story) -> None:
        agreement = story.project.agreement
        changed = differing(agreement.proposal, self.content) if agreement.proposal else ()
        pending = open_about(story.project, Kind.AGREEMENT)
        if pending and not changed:
            raise wrong_state("NothingChanged", "The proposal says exactly this already.")
        check_agreement(self.content, story.project.rules.agreement, story.project.team.members())
        self._record(story, changed if pending else None)

    def _record(self, story: Story, countered: tuple[str, ...] | None) -> None:
        agreement = story.project.agreement
        signed = signed_hash(self.content, story.project.rules.decisions[Kind.AGREEMENT].non_material)
        same = countered is not None and signed == agreement.content_hash
        revision = agreement.revision if same else agreement.revision + 1
        if countered is None:
            story.record(AgreementProposed(revision=revision, content=self.content, content_hash=signed))
        else:
            story.record(
                AgreementCountered(revision=revision, content=self.content, content_hash=signed, changed=countered)
            )
            revise(story, Kind.AGREEMENT, "agreement", countered, same=same)
        if not same:
            _ask_for_signatures(story, revision, signed)


def _ask_for_signatures(story: Story, revision: int, content_hash: str) -> None:
    charter = story.project.charter.adopted
    open_decision(
        story,
        Kind.AGREEMENT,
        f"KPI agreement of {story.project.code}, revision {revision}",
        Subject(type="agreement", id="agreement", revision=revision, content_hash=content_hash),
        authors=[story.person],
        last_editor=story.person,
        stake=charter.budget if charter else None,
    )


@when_approved(Kind.AGREEMENT)
def activate_agreement(story: Story, decision: Decision) -> None:
    """The agreement is in force and the second gate is passed."""
    from domain.project.lifecycle import pass_gate

    story.record(AgreementActivated(revision=decision.subject.revision))
    pass_gate(story, decision)


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
    effective_on: date
    source: Line
    evidence: Text
    corrects: Slug | None = None
    reason: Text | None = None

    def decide(self, story: Story) -> None:
        kpi = story.project.agreement.kpi(self.kpi)
        if kpi is None:
            raise not_found("Kpi", self.kpi)
        if story.person != kpi.owner and Role.PMO not in story.project.team.roles(story.person):
            raise not_allowed(f"{kpi.owner}, who owns {kpi.id}, or the PMO measures it.", rule="GL6")
        self._check_day(story)
        fresh = None
        if story.project.stage is Stage.EXECUTION:
            fresh = _watch(story, kpi)
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        number = f"ME-{story.project.agreement.measured + 1}"
        story.record(KpiMeasured(measurement=number, clock=fresh, **fields))

    def _check_day(self, story: Story) -> None:
        started = story.project.started_at
        if self.effective_on > story.at.date() or (started and self.effective_on < started.date()):
            raise broken("GL7", "DayOutOfRange", "The day is before the project's start or still to come.")
        if self.corrects is None:
            return
        latest = story.project.agreement.latest.get(self.kpi)
        if latest is None or latest.id != self.corrects:
            raise not_found("Measurement", self.corrects)
        if self.reason is None:
            raise broken("GL7", "ReasonMissing", "A correction needs a reason.")


def _watch(story: Story, kpi: Kpi) -> Clock:
    days = kpi.frequency_days + kpi.grace_days
    return start_clock(story.calendar, story.at, days, {"stale": Fraction(1)})


class WatchKpis(Command):
    """Start to notice KPIs that nobody measures, from the present stage on."""

    roles = frozenset({Role.SYSTEM})
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
            clocks = {f"kpi/{k.id}": _watch(story, k) for k in fresh}
            story.record(KpiClocksStarted(kpis=tuple(k.id for k in fresh), clocks=clocks))


@when_due("kpi")
def kpi_due(story: Story, kpi_id: str, mark: str) -> None:
    """A KPI was not measured in time."""
    kpi = story.project.agreement.kpi(kpi_id)
    story.record(KpiBecameStale(kpi=kpi_id, owner=kpi.owner if kpi else story.project.starter))
