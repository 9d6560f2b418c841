"""A change is decided; what was approved is applied, exactly.

Source: docs/governance.md, X2, X3, X5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.messages import Command, to_data
from domain.project.agreement import AgreementAmended
from domain.project.change_events import (
    ChangeApplied,
    ChangeBecameStale,
    ChangeDecisionOpened,
    ChangeRejected,
    ChangeReopened,
)
from domain.project.changes import CHANGING, Assessed, ChangeState, find_undecided
from domain.project.decision import Decision, Subject
from domain.project.impacts import PlanImpact, ProductImpact, authority_row
from domain.project.plan import PlanBaselined, shifted
from domain.project.resolution import in_play_about, open_decision, supersede, when_approved, when_ended
from domain.refusals import stale, wrong_state
from domain.template import Kind
from domain.values import Role, Slug

if TYPE_CHECKING:
    from domain.story import Story


class OpenChangeDecision(Command):
    """Put a ready change to its decision; the authority row that its impact asks for says who signs."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = CHANGING
    example = {"change": "C-1"}
    change: Slug

    def decide(self, story: Story) -> None:
        change = find_undecided(story, self.change)
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
            Subject.of("change", change.id, content, base=plan.baseline_version),
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
        raise stale(
            "StaleBase",
            f"The plan has moved since {change.id} was assessed.",
            rule="X2",
            next_step="Revoke the decision and assess the change anew.",
        )
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
        pending = in_play_about(story.project, Kind.CHANGE, other.id)
        why = f"{applied} moved the plan from version {base_from} to {base_to}"
        story.record(ChangeBecameStale(change=other.id, base_from=base_from, base_to=base_to, reason=why))
        for waiting in pending:
            supersede(story, waiting, why)


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
