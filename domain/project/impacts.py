"""What a change does: to the product, to the plan; and whose authority that asks for.

Source: docs/governance.md, X1, X3.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from domain.calendar import Calendar
from domain.project.plan import PlanContent
from domain.template import AuthorityRow
from domain.values import Day, Money, Number, Slug, Text, Value

if TYPE_CHECKING:
    from domain.project.aggregate import Project


class KpiShift(Value):
    """A KPI with its new target."""

    kpi: Slug
    target: Number


class ProductImpact(Value):
    """What the change does to scope, users and KPI targets."""

    scope: Text
    user_impact: Text
    kpis: Annotated[tuple[KpiShift, ...], Field(max_length=50)] = ()


class MilestoneShift(Value):
    """A milestone with its new day."""

    milestone: Slug
    due: Day


class PlanImpact(Value):
    """What the change does to milestones and budget (cost may be below zero)."""

    milestones: Annotated[tuple[MilestoneShift, ...], Field(max_length=200)] = ()
    cost: Money
    note: Text


def authority_row(
    project: Project,
    plan: ProductImpact | PlanImpact,
    product: ProductImpact | PlanImpact,
    calendar: Calendar,
) -> AuthorityRow:
    """The first row of the table that this impact, by magnitude, fits in; the last one takes all."""
    assert isinstance(plan, PlanImpact)
    assert isinstance(product, ProductImpact)
    baseline = project.plan.baseline
    assert baseline is not None
    cost = abs(Fraction(plan.cost.amount)) / Fraction(baseline.budget.amount) * 10_000
    delay = delay_days(baseline, plan, calendar, project.rules.calendar.timezone)
    rows = project.rules.changes.rows
    fitting = (row for row in rows if fits(row, cost, delay, touches_kpi=bool(product.kpis)))
    return next(fitting, rows[-1])


def fits(row: AuthorityRow, cost_bp: Fraction, delay: Fraction, *, touches_kpi: bool) -> bool:
    """Whether the impact is within the row's limits."""
    if row.max_cost_bp is not None and cost_bp > row.max_cost_bp:
        return False
    if row.max_delay_days is not None and delay > row.max_delay_days:
        return False
    return row.kpi_targets or not touches_kpi


def delay_days(before: PlanContent, impact: PlanImpact, calendar: Calendar, timezone: str) -> Fraction:
    """The largest move of a milestone, in working days, by magnitude."""
    old = {m.id: m.due for m in before.milestones}

    def noon(day: date) -> datetime:
        return datetime.combine(day, time(12), ZoneInfo(timezone)).astimezone(UTC)

    def moved(shift: MilestoneShift) -> Fraction:
        first, last = sorted([old[shift.milestone], shift.due])
        return Fraction(calendar.between(noon(first), noon(last)), calendar.minutes_per_day)

    return max((moved(s) for s in impact.milestones), default=Fraction(0))
