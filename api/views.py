"""Parts of a project by themselves, now or as they were: its decisions, its KPIs, its plan."""

from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from activities.folding import event_of, stream_of
from activities.ports import Recorded
from api import looks
from api.operation import Operation
from api.parts import Parts, asker, parts
from api.past import PastParameters, View, view
from api.plain import moment, plain
from api.problems import Problem
from api.projects import PRIVATE
from api.showing import agreement_shown, check_ins_shown, decision_shown
from domain.project.kpi import attainment
from domain.project.kpi import shown as rate
from domain.project.measurements import KpiMeasured


class KpiParameters(PastParameters):
    """Which moment, and how many measurements."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many measurements, the newest first.")] = 50


async def read_decisions(request: Request, id: str, asked: Annotated[PastParameters, Query()]) -> Response:
    """Every decision of the project, the oldest first."""
    reader = asker(request).principal
    seen = await view(parts(request), id, asked, reader)
    found = seen.project.decisions.values()
    return _answer(seen, items=[decision_shown(seen.project, one, reader, seen.now) for one in found])


async def read_decision(
    request: Request, id: str, decision: str, asked: Annotated[PastParameters, Query()]
) -> Response:
    """One decision: what it is about, who signs, who has signed, and what came of it."""
    reader = asker(request).principal
    seen = await view(parts(request), id, asked, reader)
    found = seen.project.decisions.get(decision)
    if found is None:
        raise Problem("NoDecision")
    return _answer(seen, **decision_shown(seen.project, found, reader, seen.now))


async def read_kpis(request: Request, id: str, asked: Annotated[KpiParameters, Query()]) -> Response:
    """Goals and KPIs in force, the proposal on the table, and measurements with what they attain, the newest first."""
    behind = parts(request)
    seen = await view(behind, id, asked, asker(request).principal)
    measured = await _measurements(behind, seen, asked.limit)
    in_force = seen.project.agreement.active
    goals = [] if in_force is None else [plain(goal) for goal in in_force.goals]
    return _answer(seen, **agreement_shown(seen.project), goals=goals, measurements=measured)


async def read_plan(request: Request, id: str, asked: Annotated[PastParameters, Query()]) -> Response:
    """The baseline with what was reached, the plan on the table, the budget and the check-ins."""
    seen = await view(parts(request), id, asked, asker(request).principal)
    plan, baseline = seen.project.plan, seen.project.plan.baseline
    milestones = [] if baseline is None else baseline.milestones
    return _answer(
        seen,
        plan=plain(plan),
        budget=None if baseline is None else plain(baseline.budget),
        milestones=[{**plain(one), "reached_on": plain(plan.reached.get(one.id))} for one in milestones],
        check_ins=check_ins_shown(seen.project),
    )


async def _measurements(behind: Parts, seen: View, limit: int) -> list[dict[str, Any]]:
    stream, known = stream_of(seen.project.id), seen.project.version
    facts = await behind.archive.measured(stream, known, seen.true_at, limit)
    corrections = await behind.archive.corrections(stream, known)
    corrected = {fact.data["corrects"]: fact.data["measurement"] for fact in corrections}
    return [_measurement(seen, fact, corrected) for fact in facts]


def _measurement(seen: View, fact: Recorded, corrected: dict[str, str]) -> dict[str, Any]:
    event = event_of(fact)
    assert isinstance(event, KpiMeasured)
    kpi = seen.project.agreement.kpi(event.kpi)
    return {
        **event.model_dump(mode="json", exclude={"clock", "measurement"}),
        "id": event.measurement,
        "by": fact.metadata["actor"].get("on_behalf_of") or fact.metadata["actor"]["principal"],
        "version": fact.version,
        "recorded_at": moment(fact.recorded_at),
        "effective_at": moment(fact.effective_at),
        "attainment": None if kpi is None else rate(attainment(kpi, event.value)),
        "corrected_by": corrected.get(event.measurement),
    }


def _answer(seen: View, **shown: Any) -> Response:
    """The part, with the version of the project that it is of."""
    whole = {"project": seen.project.id, "version": seen.project.version, **shown}
    return Response(orjson.dumps(whole), headers=PRIVATE, media_type="application/json")


def _read(path: str, name: str, answers: Any, shape: type[BaseModel]) -> Operation:
    return Operation("GET", f"/v1/projects/{{id}}/{path}", name, "projects", answers, shape)


OPERATIONS = (
    _read("decisions", "readDecisions", read_decisions, looks.DecisionList),
    _read("decisions/{decision}", "readDecision", read_decision, looks.OneDecision),
    _read("kpis", "readKpis", read_kpis, looks.KpiState),
    _read("plan", "readPlan", read_plan, looks.PlanState),
)
