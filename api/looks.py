"""Shapes of answers about parts of a project and about what changed, for the contract alone."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field

from api.shapes import DecisionState, Shape


class DecisionList(Shape):
    """The decisions of a project as of a version, the oldest first."""

    project: str
    version: int
    items: list[DecisionState]


class OneDecision(DecisionState):
    """A decision as of a version of its project."""

    project: str
    version: int


class KpiLine(Shape):
    """A KPI in force, the measurement that counts, and how far it is attained: 0 at the baseline, 1 at the target."""

    id: str
    name: str
    unit: str
    baseline: str
    target: str
    latest: dict[str, Any] | None
    attainment: str
    stale: bool


class MeasurementLine(Shape):
    """One measurement: the day it is of, and when it was recorded."""

    id: str
    kpi: str
    value: str
    effective_on: date
    source: str
    evidence: str
    by: str
    recorded_at: datetime
    effective_at: datetime
    attainment: Annotated[str | None, Field(description="By the KPI in force; null where it is in force no more.")]
    corrects: str | None
    corrected_by: str | None


class KpiState(Shape):
    """Goals, KPIs and measurements as of a version."""

    project: str
    version: int
    revision: int
    proposal: dict[str, Any] | None
    active_revision: int
    active: dict[str, Any] | None
    goals: list[dict[str, Any]]
    kpis: list[KpiLine]
    score: str
    coverage: str
    measurements: list[MeasurementLine]


class MilestoneLine(Shape):
    """A milestone of the baseline."""

    id: str
    name: str
    due: date
    reached_on: date | None


class PlanState(Shape):
    """The plan as of a version."""

    project: str
    version: int
    plan: dict[str, Any]
    budget: dict[str, str] | None
    milestones: list[MilestoneLine]
    check_ins: dict[str, Any]


class DiffEnd(Shape):
    """A version, and when it was recorded."""

    version: int
    at: datetime


class DiffEvent(Shape):
    """What happened in between, in words."""

    version: int
    type: str
    recorded_at: datetime
    sealed: bool
    en: str
    zh: str


class DiffFigure(Shape):
    """A figure that is another one now; null where there is none."""

    name: str
    before: str | None
    after: str | None
    en: str
    zh: str


class Diff(Shape):
    """What changed between two versions: in words, in figures, and as a JSON Patch (RFC 6902) of the shown states."""

    project: str
    before: DiffEnd
    after: DiffEnd
    events: list[DiffEvent]
    left_out: Annotated[int, Field(description="Events that are not told here; read them from the history.")]
    figures: list[DiffFigure]
    patch: list[dict[str, Any]]
