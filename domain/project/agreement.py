"""The KPI agreement: goals and KPIs proposed, countered, signed by both sides on one hash.

Source: docs/governance.md, GL1 to GL5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.decision import Decision, Subject
from domain.project.kpi import Goal, Kpi
from domain.project.lifecycle import pass_gate
from domain.project.resolution import check_signed, make_room, open_about, open_decision, when_approved
from domain.project.revising import differing, revise, signed_hash
from domain.refusals import broken, not_found, wrong_state
from domain.template import AgreementPolicy, Kind
from domain.values import Line, Number, Role, Stage, Text, Value

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story


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

    allowed_by = "GL3"
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

    allowed_by = "GL4"
    en = "{actor} countered with revision {revision} of the KPI agreement, changing {changed}"
    zh = "{actor} 反提 KPI 协议第 {revision} 版,修改了 {changed}"
    changed: tuple[str, ...] = ()


class AgreementActivated(Event):
    """Both sides have signed the same content: it is in force. What is measured otherwise now starts anew."""

    allowed_by = "GL3"
    en = "The KPI agreement is in force (revision {revision})"
    zh = "KPI 协议生效(第 {revision} 版)"
    revision: int

    def apply(self, project: Project, happened: Happened) -> Project:
        before, proposal = project.agreement, project.agreement.proposal
        assert proposal is not None
        kept = {k.id for k in proposal.kpis if (old := before.kpi(k.id)) and old.unit == k.unit}
        agreement = replace(
            before,
            active=proposal,
            active_revision=self.revision,
            latest={name: measured for name, measured in before.latest.items() if name in kept},
            stale=before.stale & kept,
        )
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

    allowed_by = "GL5"
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


def check_agreement(content: AgreementContent, policy: AgreementPolicy, people: Iterable[str]) -> None:
    """GL1: weights are 10,000 in sum. GL2: each category that the template demands has a KPI."""
    ids = Counter([*(k.id for k in content.kpis), *(g.id for g in content.goals)])
    if doubled := [name for name, times in ids.items() if times > 1]:
        raise broken("GL1", "NameTwice", f"{', '.join(doubled)} is used more than once.", next_step="Rename it.")
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
            raise wrong_state(
                "NothingChanged",
                f"The proposal says exactly this already: {pending.id}.",
                next_step="Sign it, or change something.",
            )
        make_room(story, Kind.AGREEMENT)
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
    check_signed(decision, story.project.agreement.content_hash)
    story.record(AgreementActivated(revision=decision.subject.revision))
    pass_gate(story, decision)
