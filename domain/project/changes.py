"""Change requests: submitted, triaged, assessed by both sides on one plan version, decided, applied exactly.

    SUBMITTED → ASSESSING → READY → DECIDING → APPLIED
        ↘ DUPLICATE · WITHDRAWN · DEFERRED · REJECTED      READY/ASSESSING/DECIDING → STALE → ASSESSING

Source: docs/governance.md, X1 to X3, X5, X7, X9, X10.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from domain.canonical import fingerprint
from domain.messages import Command, Event, Happened, to_data
from domain.notice import Notice
from domain.project.agreement import AgreementAmended
from domain.project.decision import Decision, Subject
from domain.project.impacts import PlanImpact, ProductImpact, authority_row
from domain.project.plan import PlanBaselined, shifted
from domain.project.resolution import open_about, open_decision, supersede, when_approved, when_ended
from domain.refusals import broken, not_allowed, not_found, stale, wrong_state
from domain.template import Kind
from domain.values import BUSINESS_ROLES, Line, Revision, Role, Slug, Stage, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CHANGING = frozenset({Stage.EXECUTION, Stage.CHANGE_REVIEW})


class ChangeState(StrEnum):
    """Where a change request is."""

    SUBMITTED = "SUBMITTED"
    ASSESSING = "ASSESSING"
    READY = "READY"
    DECIDING = "DECIDING"
    STALE = "STALE"
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"
    DEFERRED = "DEFERRED"
    WITHDRAWN = "WITHDRAWN"
    DUPLICATE = "DUPLICATE"


UNDECIDED = frozenset(
    {ChangeState.SUBMITTED, ChangeState.ASSESSING, ChangeState.READY, ChangeState.DECIDING, ChangeState.STALE}
)


@dataclass(frozen=True, slots=True)
class Assessed:
    """An impact with its day and hand."""

    impact: ProductImpact | PlanImpact
    base_plan_version: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """One change request and its whole course (X10: whatever becomes of it, it stays in the log)."""

    id: str
    title: str
    reason: str
    description: str
    options: tuple[str, ...]
    author: str
    content_hash: str
    submitted_at: datetime
    state: ChangeState = ChangeState.SUBMITTED
    product: Assessed | None = None
    plan: Assessed | None = None
    decision: str | None = None
    authority_row: str | None = None
    outcome: str | None = None
    closed_at: datetime | None = None

    @property
    def undecided(self) -> bool:
        return self.state in UNDECIDED

    def ended(self, state: ChangeState, outcome: str, at: datetime) -> ChangeRequest:
        return replace(self, state=state, outcome=outcome, closed_at=at)


class ChangeSubmitted(Event):
    """Somebody asks for something other than what was agreed or planned."""

    en = "{actor} submitted {change}: {title}"
    zh = "{actor} 提交变更 {change}:{title}"
    change: str
    title: str
    reason: str
    description: str
    options: tuple[str, ...]
    content_hash: str
    new_evidence: str | None = None

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_change(
            ChangeRequest(
                self.change,
                self.title,
                self.reason,
                self.description,
                self.options,
                happened.by,
                self.content_hash,
                happened.at,
            )
        )

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.holders(Role.PMO):
            yield Notice(
                person,
                f"{project.code}: triage {self.change}: {self.title}",
                f"{project.code}:请分类变更 {self.change}:{self.title}",
                self.change,
            )


class ChangeTriaged(Event):
    """The PMO has said what class of change it is."""

    en = "{actor} triaged {change} as {change_class}"
    zh = "{actor} 将 {change} 归类为 {change_class}"
    change: str
    change_class: Literal["NORMAL", "DUPLICATE"]
    duplicate_of: str | None = None

    def apply(self, project: Project, happened: Happened) -> Project:
        change = project.changes[self.change]
        if self.change_class == "DUPLICATE":
            outcome = f"duplicate of {self.duplicate_of}"
            return project.with_change(change.ended(ChangeState.DUPLICATE, outcome, happened.at))
        return project.with_change(replace(change, state=ChangeState.ASSESSING))

    def tells(self, project: Project) -> Iterable[Notice]:
        if self.change_class == "NORMAL":
            for role in (Role.PRODUCT_MANAGER, Role.PMO):
                for person in project.team.holders(role):
                    yield Notice(
                        person,
                        f"{project.code}: assess the impact of {self.change}.",
                        f"{project.code}:请评估 {self.change} 的影响。",
                        self.change,
                    )


class ProductImpactAssessed(Event):
    """The product side says what the change does to scope and KPIs."""

    en = "{actor} assessed what {change} does to the product"
    zh = "{actor} 评估了 {change} 对产品的影响"
    change: str
    base_plan_version: int
    impact: ProductImpact

    def apply(self, project: Project, happened: Happened) -> Project:
        assessed = Assessed(self.impact, self.base_plan_version, happened.by, happened.at)
        return project.with_change(replace(project.changes[self.change], product=assessed))


class PlanImpactAssessed(Event):
    """The PMO says what the change does to dates and budget."""

    en = "{actor} assessed what {change} does to the plan"
    zh = "{actor} 评估了 {change} 对计划的影响"
    change: str
    base_plan_version: int
    impact: PlanImpact

    def apply(self, project: Project, happened: Happened) -> Project:
        assessed = Assessed(self.impact, self.base_plan_version, happened.by, happened.at)
        return project.with_change(replace(project.changes[self.change], plan=assessed))


class ChangeReady(Event):
    """Both impacts are assessed on the same plan version (X1)."""

    en = "{change} is ready to be decided"
    zh = "{change} 可以表决"
    change: str
    base_plan_version: int

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_change(replace(project.changes[self.change], state=ChangeState.READY))

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.holders(Role.PMO):
            yield Notice(
                person,
                f"{project.code}: {self.change} is ready, open its decision.",
                f"{project.code}:{self.change} 已就绪,请发起表决。",
                self.change,
            )


class ChangeDecisionOpened(Event):
    """The change is put to its decision, by the authority row that its impact asks for (X3)."""

    en = "{change} is decided by {decision}, authority row {row}"
    zh = "{change} 由 {decision} 表决,授权级别 {row}"
    change: str
    decision: str
    row: str

    def apply(self, project: Project, happened: Happened) -> Project:
        deciding = replace(
            project.changes[self.change],
            state=ChangeState.DECIDING,
            decision=self.decision,
            authority_row=self.row,
        )
        return project.with_change(deciding)


class ChangeBecameStale(Event):
    """The plan it was assessed on has moved: it has to be assessed anew (X2)."""

    en = "{change} is stale: the plan moved from version {base_from} to {base_to}"
    zh = "{change} 已过时:计划由第 {base_from} 版变为第 {base_to} 版"
    change: str
    base_from: int
    base_to: int

    def apply(self, project: Project, happened: Happened) -> Project:
        change = replace(project.changes[self.change], state=ChangeState.STALE, product=None, plan=None, decision=None)
        return project.with_change(change)

    def tells(self, project: Project) -> Iterable[Notice]:
        for role in (Role.PRODUCT_MANAGER, Role.PMO):
            for person in project.team.holders(role):
                yield Notice(
                    person,
                    f"{project.code}: assess {self.change} again, the plan has moved.",
                    f"{project.code}:计划已变,请重新评估 {self.change}。",
                    self.change,
                )


class _ChangeEnded(Event):
    """Shared by the events that close a change: the author hears of it (X10)."""

    en = ""
    zh = ""
    change: str
    reason: str

    def tells(self, project: Project) -> Iterable[Notice]:
        change = project.changes[self.change]
        yield Notice(
            change.author,
            f"{project.code}: {change.id} is {change.state}: {change.title}",
            f"{project.code}:{change.id} 结果为 {change.state}:{change.title}",
            change.id,
        )


class ChangeApplied(_ChangeEnded):
    """Approved, and plan and KPIs adjusted by exactly the approved delta."""

    en = "{change} was applied: plan version {plan_version}"
    zh = "{change} 已实施:计划第 {plan_version} 版"
    plan_version: int

    def apply(self, project: Project, happened: Happened) -> Project:
        change = project.changes[self.change]
        return project.with_change(change.ended(ChangeState.APPLIED, self.reason, happened.at))


class ChangeRejected(_ChangeEnded):
    """Decided against; the reasons stay (X9)."""

    en = "{change} was rejected: {reason}"
    zh = "{change} 被否决:{reason}"

    def apply(self, project: Project, happened: Happened) -> Project:
        change = project.changes[self.change]
        return project.with_change(change.ended(ChangeState.REJECTED, self.reason, happened.at))


class ChangeReopened(Event):
    """Its decision ended without a verdict: it can be put to a decision again."""

    en = "{change} can be decided again: {reason}"
    zh = "{change} 可再次表决:{reason}"
    change: str
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        again = replace(project.changes[self.change], state=ChangeState.READY, decision=None)
        return project.with_change(again)


class ChangeDeferred(_ChangeEnded):
    """Carried over beyond this project; the reasons stay (X9)."""

    en = "{actor} deferred {change} until {until}: {reason}"
    zh = "{actor} 将 {change} 推迟至 {until}:{reason}"
    until: date

    def apply(self, project: Project, happened: Happened) -> Project:
        change = project.changes[self.change]
        return project.with_change(change.ended(ChangeState.DEFERRED, self.reason, happened.at))


class ChangeWithdrawn(_ChangeEnded):
    """The author took it back."""

    en = "{actor} withdrew {change}: {reason}"
    zh = "{actor} 撤回变更 {change}:{reason}"

    def apply(self, project: Project, happened: Happened) -> Project:
        change = project.changes[self.change]
        return project.with_change(change.ended(ChangeState.WITHDRAWN, self.reason, happened.at))


def find_change(story: Story, change_id: str) -> ChangeRequest:
    """Raises Refused where there is no such change."""
    change = story.project.changes.get(change_id)
    if change is None:
        raise not_found("Change", change_id)
    return change


def _undecided(story: Story, change_id: str) -> ChangeRequest:
    change = find_change(story, change_id)
    if not change.undecided:
        raise wrong_state("ChangeClosed", f"{change_id} is {change.state}.", rule="X10")
    return change


class SubmitChange(Command):
    """Ask for a change of what was agreed or planned, with at least two options, do nothing among them."""

    roles = BUSINESS_ROLES
    stages = CHANGING
    example = {
        "title": "Add card payment",
        "reason": "update",
        "description": "Members ask for it",
        "options": ["Do nothing", "Add it in August"],
    }
    title: Line
    reason: Literal["corrective", "preventive", "defect", "update"]
    description: Text
    options: Annotated[tuple[Line, ...], Field(min_length=2, max_length=10)]
    new_evidence: Text | None = None

    def decide(self, story: Story) -> None:
        if story.project.plan.baseline is None:
            raise wrong_state(
                "NoBaseline", "There is no plan baseline to change yet.", next_step="Propose the plan first."
            )
        content = {k: v for k, v in to_data(self).items() if k != "new_evidence"}
        signed = fingerprint(content).hex()
        self._check_not_again(story, signed)
        fields = {n: getattr(self, n) for n in type(self).model_fields}
        story.record(ChangeSubmitted(change=f"C-{len(story.project.changes) + 1}", content_hash=signed, **fields))

    def _check_not_again(self, story: Story, signed: str) -> None:
        days = story.project.rules.changes.resubmit_after_days
        for old in story.project.changes.values():
            if old.content_hash != signed:
                continue
            if old.undecided:
                raise wrong_state("AlreadySubmitted", f"{old.id} says exactly this already.", rule="X9")
            again = story.calendar.add_days(old.closed_at or story.at, days)
            if story.at < again and self.new_evidence is None:
                raise broken(
                    "X9",
                    "DecidedBefore",
                    f"{old.id} asked for exactly this and is {old.state}.",
                    next_step=f"Give `new_evidence`, or wait until {again:%Y-%m-%d}.",
                )


class TriageChange(Command):
    """Say what class of change it is: NORMAL goes on to assessment, DUPLICATE ends here."""

    roles = frozenset({Role.PMO})
    stages = CHANGING
    example = {"change": "C-1", "change_class": "NORMAL"}
    change: Slug
    change_class: Literal["NORMAL", "DUPLICATE"]
    duplicate_of: Slug | None = None

    @model_validator(mode="after")
    def _names_the_other(self) -> TriageChange:
        if (self.change_class == "DUPLICATE") != (self.duplicate_of is not None):
            raise ValueError("a DUPLICATE names the other change in duplicate_of, and only it does")
        return self

    def decide(self, story: Story) -> None:
        change = _undecided(story, self.change)
        if change.state is not ChangeState.SUBMITTED:
            raise wrong_state("AlreadyTriaged", f"{change.id} is {change.state}.")
        if self.duplicate_of is not None:
            other = find_change(story, self.duplicate_of)
            if other.id == change.id:
                raise broken("X10", "DuplicateOfItself", "A change is not a duplicate of itself.")
        fields = {n: getattr(self, n) for n in type(self).model_fields}
        story.record(ChangeTriaged(**fields))


class AssessProductImpact(Command):
    """Say, for the product side, what the change does to scope and KPI targets, on this plan version."""

    roles = frozenset({Role.PRODUCT_MANAGER})
    stages = CHANGING
    example = {
        "change": "C-1",
        "base_plan_version": 1,
        "impact": {"scope": "One more payment method", "user_impact": "Fewer calls", "kpis": []},
    }
    change: Slug
    base_plan_version: Revision
    impact: ProductImpact

    def decide(self, story: Story) -> None:
        change = _assessable(story, self.change, self.base_plan_version)
        for shift in self.impact.kpis:
            kpi = story.project.agreement.kpi(shift.kpi)
            if kpi is None:
                raise not_found("Kpi", shift.kpi)
            if kpi.direction in {"up", "down"} and shift.target == kpi.baseline:
                raise broken("GL5", "TargetIsBaseline", f"The target of {kpi.id} would equal its baseline.")
        fields = {n: getattr(self, n) for n in type(self).model_fields}
        story.record(ProductImpactAssessed(**fields))
        _ready(story, change.id)


class AssessPlanImpact(Command):
    """Say, for the PMO, what the change does to milestones and budget, on this plan version."""

    roles = frozenset({Role.PMO})
    stages = CHANGING
    example = {
        "change": "C-1",
        "base_plan_version": 1,
        "impact": {
            "milestones": [{"milestone": "M2", "due": "2026-09-15"}],
            "cost": {"amount": "4000", "currency": "CNY"},
            "note": "Two more weeks",
        },
    }
    change: Slug
    base_plan_version: Revision
    impact: PlanImpact

    def decide(self, story: Story) -> None:
        change = _assessable(story, self.change, self.base_plan_version)
        baseline = story.project.plan.baseline
        assert baseline is not None
        known = {m.id for m in baseline.milestones}
        if unknown := {s.milestone for s in self.impact.milestones} - known:
            raise not_found("Milestone", ", ".join(sorted(unknown)))
        if self.impact.cost.currency != baseline.budget.currency:
            raise broken("X1", "OtherCurrency", f"The plan's budget is in {baseline.budget.currency}.")
        if baseline.budget.amount + self.impact.cost.amount <= 0:
            raise broken("X1", "BudgetGone", "The change would leave no budget.")
        fields = {n: getattr(self, n) for n in type(self).model_fields}
        story.record(PlanImpactAssessed(**fields))
        _ready(story, change.id)


def _assessable(story: Story, change_id: str, base: int) -> ChangeRequest:
    change = _undecided(story, change_id)
    if change.state in {ChangeState.SUBMITTED, ChangeState.DECIDING}:
        raise wrong_state("NotAssessable", f"{change.id} is {change.state}.", rule="X1")
    present = story.project.plan.baseline_version
    if base != present:
        raise stale(
            "StaleBase",
            f"The plan is at version {present}, not {base}.",
            rule="X1",
            next_step="Look at the present plan and assess again.",
        )
    return change


def _ready(story: Story, change_id: str) -> None:
    change = story.project.changes[change_id]
    both = change.product and change.plan
    if both and change.state is not ChangeState.READY:
        story.record(ChangeReady(change=change.id, base_plan_version=story.project.plan.baseline_version))


class OpenChangeDecision(Command):
    """Put a ready change to its decision; the authority row that its impact asks for says who signs."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = CHANGING
    example = {"change": "C-1"}
    change: Slug

    def decide(self, story: Story) -> None:
        change = _undecided(story, self.change)
        if change.state is not ChangeState.READY or not change.product or not change.plan:
            raise wrong_state(
                "NotReady",
                f"{change.id} is {change.state}: both impacts are needed on one plan version.",
                rule="X1",
                next_step="Let both sides assess it.",
            )
        self._check_fresh(story, change.product, change.plan)
        row = authority_row(story.project, change.plan.impact, change.product.impact, story.calendar)
        plan = story.project.plan
        content = {
            "change": change.content_hash,
            "product": to_data(change.product.impact),
            "plan": to_data(change.plan.impact),
            "base": plan.baseline_version,
        }
        number = f"D-{len(story.project.decisions) + 1}"
        story.record(ChangeDecisionOpened(change=change.id, decision=number, row=row.name))
        open_decision(
            story,
            Kind.CHANGE,
            f"{change.id}: {change.title}",
            Subject(
                type="change",
                id=change.id,
                revision=1,
                content_hash=fingerprint(content).hex(),
                base_plan_version=plan.baseline_version,
            ),
            authors=[change.author],
            slots=row.slots,
            authority_row=row.name,
        )

    @staticmethod
    def _check_fresh(story: Story, *assessments: Assessed) -> None:
        days = story.project.rules.changes.assessment_valid_days
        for assessed in assessments:
            if story.calendar.add_days(assessed.at, days) < story.at:
                raise stale(
                    "AssessmentTooOld",
                    f"The assessment by {assessed.by} is older than {days} working days.",
                    rule="X1",
                    next_step="Assess it again.",
                )


@when_approved(Kind.CHANGE)
def apply_change(story: Story, decision: Decision) -> None:
    """Adjust plan and KPIs by exactly the approved delta; what was assessed on the old base is stale."""
    change = story.project.changes[decision.subject.id]
    plan = story.project.plan
    if plan.baseline is None or plan.baseline_version != decision.subject.base_plan_version:
        raise stale("StaleBase", "The plan has moved since the change was assessed.", rule="X2")
    assert change.plan is not None
    assert change.product is not None
    version = _new_baseline(story, change.id, change.plan.impact)
    _new_targets(story, change.id, change.product.impact)
    story.record(ChangeApplied(change=change.id, reason=f"approved by {decision.id}", plan_version=version))
    _others_are_stale(story, change.id, plan.baseline_version, version)


def _new_baseline(story: Story, change_id: str, impact: ProductImpact | PlanImpact) -> int:
    assert isinstance(impact, PlanImpact)
    plan = story.project.plan
    assert plan.baseline is not None
    moves = {s.milestone: s.due for s in impact.milestones}
    content = shifted(plan.baseline, moves, plan.baseline.budget.plus(impact.cost))
    version = plan.version + 1
    story.record(PlanBaselined(version=version, content=content, source=change_id))
    return version


def _new_targets(story: Story, change_id: str, impact: ProductImpact | PlanImpact) -> None:
    assert isinstance(impact, ProductImpact)
    targets = {s.kpi: s.target for s in impact.kpis}
    if targets:
        revision = story.project.agreement.revision + 1
        story.record(AgreementAmended(revision=revision, change=change_id, targets=targets))


def _others_are_stale(story: Story, applied: str, base_from: int, base_to: int) -> None:
    for other in list(story.project.changes.values()):
        if other.id == applied or not other.undecided or not (other.product or other.plan):
            continue
        pending = open_about(story.project, Kind.CHANGE, other.id)
        story.record(ChangeBecameStale(change=other.id, base_from=base_from, base_to=base_to))
        if pending:
            supersede(story, pending, f"{applied} moved the plan to version {base_to}")


@when_ended(Kind.CHANGE)
def end_change(story: Story, decision: Decision) -> None:
    """A rejection ends the change; any other end without verdict makes it ready again."""
    change = story.project.changes[decision.subject.id]
    if change.decision != decision.id or not change.undecided:
        return
    if decision.state == "REJECTED":
        reasons = [b.reason for b in decision.ballots if b.choice == "REJECT" and b.reason]
        why = "; ".join(reasons) or decision.reason or ""
        story.record(ChangeRejected(change=change.id, reason=why))
    else:
        story.record(ChangeReopened(change=change.id, reason=f"{decision.id} is {decision.state}"))


class DeferChange(Command):
    """Carry a change over beyond this project, with a reason and a day to look at it again."""

    roles = frozenset({Role.PMO})
    stages = CHANGING
    example = {"change": "C-1", "until": "2027-01-15", "reason": "After the launch"}
    change: Slug
    until: date
    reason: Text

    def decide(self, story: Story) -> None:
        change = _undecided(story, self.change)
        if change.state is ChangeState.DECIDING:
            raise wrong_state(
                "BeingDecided", f"{change.id} is being decided.", next_step="Withdraw the decision first."
            )
        if self.until <= story.at.date():
            raise broken("X9", "DayOutOfRange", "The day to look at it again is to come.")
        story.record(ChangeDeferred(change=change.id, until=self.until, reason=self.reason))


class WithdrawChange(Command):
    """Take back a change that you submitted, while it is undecided."""

    roles = BUSINESS_ROLES
    stages = CHANGING
    example = {"change": "C-1", "reason": "Solved otherwise"}
    change: Slug
    reason: Text

    def decide(self, story: Story) -> None:
        change = _undecided(story, self.change)
        if story.person != change.author:
            raise not_allowed(
                f"Only {change.author}, who submitted {change.id}, may withdraw it.",
                code="NotTheAuthor",
                rule="X10",
            )
        pending = open_about(story.project, Kind.CHANGE, change.id)
        story.record(ChangeWithdrawn(change=change.id, reason=self.reason))
        if pending:
            supersede(story, pending, f"{change.id} was withdrawn")


def undecided_changes(project: Project) -> tuple[str, ...]:
    """The changes that still wait for an outcome."""
    return tuple(c.id for c in project.changes.values() if c.undecided)
