"""KPIs: what is measured, how well it is attained, what it all scores. Pure arithmetic, exact.

Source: docs/governance.md, GL1, GL2 and the formulas of section 2.2. Rates are exact rationals;
they are rounded (half-even, 4 places) only where they are shown. Division by zero is N/A with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field, model_validator

from domain.values import BasisPoints, Days, Line, NotApplicable, Number, Person, Slug, Text, Value

Direction = Literal["up", "down", "band", "maintain"]


class Goal(Value):
    """What the project is to reach, and by which KPIs one sees it."""

    id: Slug
    statement: Text
    kind: Literal["functional", "market", "experience", "other"]
    owner: Person
    kpis: Annotated[tuple[Slug, ...], Field(max_length=50)] = ()


class Kpi(Value):
    """One measured figure with its target and its weight in the whole."""

    id: Slug
    name: Line
    category: Line
    unit: Line
    direction: Direction
    baseline: Number
    target: Number
    band_low: Number | None = None
    band_high: Number | None = None
    tolerance: Number = Decimal(0)
    """For `maintain`: how far from the target is still fine, in units."""
    weight_bp: Annotated[int, Field(ge=0, le=10_000)]
    owner: Person
    source: Line
    frequency_days: Annotated[int, Field(ge=1, le=260)] = 20
    """Working days between two measurements."""
    grace_days: Days = 3

    @model_validator(mode="after")
    def _can_be_computed(self) -> Kpi:
        if self.direction == "band":
            if self.band_low is None or self.band_high is None or self.band_low >= self.band_high:
                raise ValueError("a band needs band_low below band_high")
        elif self.tolerance < 0:
            raise ValueError("a tolerance is not below zero")
        elif self.direction in {"up", "down"} and self.target == self.baseline:
            raise ValueError("target equals baseline: use the direction `maintain`")
        return self


def attainment(kpi: Kpi, actual: Decimal) -> Fraction:
    """0 at the baseline, 1 at the target; may be below 0 and above 1."""
    value = Fraction(actual)
    if kpi.direction == "maintain":
        return Fraction(int(abs(value - Fraction(kpi.target)) <= Fraction(kpi.tolerance)))
    if kpi.direction == "band":
        return _in_band(Fraction(kpi.band_low or 0), Fraction(kpi.band_high or 0), value)
    start, goal = Fraction(kpi.baseline), Fraction(kpi.target)
    return (value - start) / (goal - start)


def _in_band(low: Fraction, high: Fraction, value: Fraction) -> Fraction:
    distance = max(low - value, value - high, Fraction(0))
    return max(Fraction(0), 1 - distance / (high - low))


def score(
    measured: Iterable[tuple[Kpi, Decimal | None]], cap_bp: BasisPoints
) -> tuple[Fraction | NotApplicable, Fraction]:
    """Weighted score over the measured KPIs, and how much of the weight they cover (0 to 1)."""
    cap, total, weight = Fraction(cap_bp, 10_000), Fraction(0), 0
    for kpi, actual in measured:
        if actual is not None:
            total += kpi.weight_bp * min(max(attainment(kpi, actual), Fraction(0)), cap)
            weight += kpi.weight_bp
    if weight == 0:
        return NotApplicable(reason="no KPI is measured yet"), Fraction(0)
    return total / weight, Fraction(weight, 10_000)


def shown(rate: Fraction | NotApplicable) -> str:
    """A rate to 4 places, or `N/A (reason)`."""
    if isinstance(rate, NotApplicable):
        return f"N/A ({rate.reason})"
    ten_thousandths = round(rate * 10_000)  # half to even, exact
    return format(Decimal(ten_thousandths).scaleb(-4), "f")
