"""What waits for a person, with the working time that is left; and what the person waits for, and on whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.parts import Parts
from api.then import Wanted, listed_then
from domain.calendar import calendar
from domain.decider import decide
from domain.messages import Actor, Command, Envelope
from domain.project.aggregate import Project
from domain.project.consulting import NudgeApprovers
from domain.project.decision import Decision
from domain.project.decision_events import voters_awaited
from domain.refusals import Refused
from projections.duties import Waiting
from projections.project import ProjectRow, listed

MOST_PROJECTS = 200
"""Of so many projects, the latest changed ones, it is looked at what the person waits for there."""
CLOCKED = {"sign": "decision", "sign-for": "decision", "answer": "decision", "check-in": "check-in"}
"""Kinds of duties whose time is measured by a clock of the project, and how its name begins."""
Projects = Mapping[str, Project]


@dataclass(frozen=True, slots=True)
class Awaited:
    """A decision that the person asked for and that is open."""

    project: Project
    decision: Decision
    people: tuple[str, ...]
    """Whose vote it waits for."""
    refusal: Refused | None
    """Why the person may not nudge them now."""


async def projects_of(behind: Parts, person: str, at: datetime | None) -> dict[str, Project]:
    """The person's projects by id, now or as they were at an instant."""
    keys = await behind.sight.keys(person)
    if at is None:
        rows, _ = await listed(behind.store.pool, keys, MOST_PROJECTS, person=person)
    else:
        wanted = Wanted(limit=MOST_PROJECTS, after=None, stage=None, person=person, keys=keys)
        rows, _ = await listed_then(behind, at, wanted)
    return {row.id: await _state(behind, row, at) for row in rows if not row.ended}


async def _state(behind: Parts, row: ProjectRow, at: datetime | None) -> Project:
    if at is not None:
        return (await behind.past.as_of(row.id, row.version)).project
    known = behind.step.states.remembered(row.id)
    return known.project if known and known.version == row.version else await _current(behind, row.id)


async def _current(behind: Parts, project_id: str) -> Project:
    return (await behind.step.states.current(project_id)).project


async def with_projects_of(behind: Parts, duties: Sequence[Waiting], known: Projects) -> Projects:
    """The known projects and those of the duties, as they are now."""
    missing = {duty.project_id for duty in duties} - set(known)
    return {**known, **{project_id: await _current(behind, project_id) for project_id in sorted(missing)}}


def working_time_left(project: Project | None, duty: Waiting, now: datetime) -> int | None:
    """Seconds of working time until a duty falls due by its project's calendar; None where it has no due time.

    Stands still where the clock does, and is 0 once it is overdue.
    """
    if duty.due_at is None or project is None:
        return None
    return _left(project, f"{CLOCKED.get(duty.kind, '')}/{duty.ref.partition('/')[0]}", duty.due_at, now)


def decision_time_left(project: Project, decision: Decision, now: datetime) -> int:
    """The same for a decision."""
    return _left(project, decision.ref, decision.due_at, now)


def _left(project: Project, ref: str, due_at: datetime, now: datetime) -> int:
    clock = project.clocks.get(ref)
    at = (clock.paused_at if clock else None) or project.lifecycle.held_at or now
    return 0 if due_at <= at else 60 * calendar(project.rules.calendar).between(at, due_at)


def awaited_by(person: str, projects: Projects, now: datetime) -> list[Awaited]:
    """The open decisions that the person asked for, the earliest due first."""
    found = [
        Awaited(project, decision, voters_awaited(project, decision), why_not_nudge(project, decision, person, now))
        for project in projects.values()
        for decision in project.open_decisions()
        if decision.requester == person
    ]
    return sorted(found, key=lambda one: (one.decision.due_at, one.project.id, one.decision.id))


def why_not_nudge(project: Project, decision: Decision, person: str, now: datetime) -> Refused | None:
    """Why the person may not nudge those it waits for."""
    return why_not(project, NudgeApprovers(decision=decision.id), person, now)


def why_not(project: Project, asked: Command, person: str, now: datetime) -> Refused | None:
    """Why exactly this command would be refused: the rules are asked, and nothing is done."""
    envelope = Envelope("probe", project.id, type(asked).__name__, Actor(person), now, asked.model_dump(mode="json"))
    try:
        decide(envelope, asked, project, {})
    except Refused as refusal:
        return refusal
    return None
