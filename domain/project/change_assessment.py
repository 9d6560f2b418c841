"""What a change does, said by both sides on one plan version.

Source: docs/governance.md, X1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from domain.messages import Command
from domain.project.change_events import ChangeReady, PlanImpactAssessed, ProductImpactAssessed
from domain.project.changes import CHANGING, ChangeRequest, ChangeState, find_undecided
from domain.project.impacts import PlanImpact, ProductImpact
from domain.project.plan import PlanContent
from domain.refusals import broken, not_found, stale, wrong_state
from domain.values import Revision, Role, Slug

if TYPE_CHECKING:
    from domain.story import Story


FARTHEST_MOVE = timedelta(days=3653)
MOST_MONEY = Decimal(10) ** 15


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
        _check_once("KPI", [s.kpi for s in self.impact.kpis])
        for shift in self.impact.kpis:
            kpi = story.project.agreement.kpi(shift.kpi)
            if kpi is None:
                raise not_found("Kpi", shift.kpi)
            if kpi.direction in {"up", "down"} and shift.target == kpi.baseline:
                raise broken(
                    "GL5",
                    "TargetIsBaseline",
                    f"The target of {kpi.id} would equal its baseline.",
                    next_step="Choose another target.",
                )
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
        _check_once("milestone", [s.milestone for s in self.impact.milestones])
        _check_moves(baseline, self.impact)
        _check_cost(baseline, self.impact)
        fields = {n: getattr(self, n) for n in type(self).model_fields}
        story.record(PlanImpactAssessed(**fields))
        _ready(story, change.id)


def _check_once(what: str, names: Iterable[str]) -> None:
    if doubled := sorted(name for name, times in Counter(names).items() if times > 1):
        raise broken(
            "X1", "NameTwice", f"The {what} {', '.join(doubled)} is moved twice.", next_step="Say once where it goes."
        )


def _check_moves(baseline: PlanContent, impact: PlanImpact) -> None:
    old = {m.id: m.due for m in baseline.milestones}
    for shift in impact.milestones:
        if abs(shift.due - old[shift.milestone]) > FARTHEST_MOVE:
            raise broken(
                "X1",
                "DayOutOfRange",
                f"{shift.milestone} would move by more than ten years, from {old[shift.milestone]} to {shift.due}.",
                next_step="Correct the year.",
            )


def _check_cost(baseline: PlanContent, impact: PlanImpact) -> None:
    if impact.cost.currency != baseline.budget.currency:
        raise broken(
            "X1",
            "OtherCurrency",
            f"The plan's budget is in {baseline.budget.currency}, the cost in {impact.cost.currency}.",
            next_step=f"Write the cost in {baseline.budget.currency}.",
        )
    if not 0 < baseline.budget.amount + impact.cost.amount < MOST_MONEY:
        raise broken(
            "X1",
            "BudgetGone",
            f"The budget of {baseline.budget.amount} with {impact.cost.amount} more would leave the possible range.",
            next_step="Correct the cost.",
        )


def _assessable(story: Story, change_id: str, base: int) -> ChangeRequest:
    change = find_undecided(story, change_id)
    if change.state in {ChangeState.SUBMITTED, ChangeState.DECIDING}:
        raise wrong_state(
            "NotAssessable",
            f"{change.id} is {change.state}.",
            rule="X1",
            next_step="Let the PMO triage it first." if change.decision is None else f"Wait for {change.decision}.",
        )
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
