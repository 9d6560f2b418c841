"""What a change does, said by both sides on one plan version.

Source: docs/governance.md, X1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.messages import Command
from domain.project.change_events import ChangeReady, PlanImpactAssessed, ProductImpactAssessed
from domain.project.changes import CHANGING, ChangeRequest, ChangeState, find_undecided
from domain.project.impacts import PlanImpact, ProductImpact
from domain.refusals import broken, not_found, stale, wrong_state
from domain.values import Revision, Role, Slug

if TYPE_CHECKING:
    from domain.story import Story


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
            "milestones": [{"milestone": "M2", "due": "2026-09-11"}],
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
    change = find_undecided(story, change_id)
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
