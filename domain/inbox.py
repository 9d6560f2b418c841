"""What waits for people, derived from the state alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from domain.notice import Duty
from domain.project.aggregate import Project
from domain.project.changes import ChangeState
from domain.project.decision_events import represented_by, voters_awaited
from domain.project.evaluation import SIDES
from domain.project.leaving import caretakers
from domain.project.questions import asked
from domain.values import DECIDING_ROLES, Role, Stage


def duties(project: Project) -> tuple[Duty, ...]:
    """Every duty, one per person and thing; none while the project is held or over."""
    if project.held or project.ended or not project.exists:
        return ()
    members = set(project.team.members())
    found = {(d.person, d.kind, d.ref): d for source in SOURCES for d in source(project) if d.person in members}
    return tuple(found.values())


def _signatures(project: Project) -> Iterator[Duty]:
    for decision in project.open_decisions():
        for person in voters_awaited(project, decision):
            yield Duty(person, "sign", decision.id, decision.title, decision.opened_at, decision.due_at)
            for hand in represented_by(project, decision, person):
                ref, since = f"{decision.id}/{person}", decision.opened_at
                yield Duty(hand, "sign-for", ref, f"{person}: {decision.title}"[:200], since, decision.due_at)


def _answers(project: Project) -> Iterator[Duty]:
    for decision in project.open_decisions():
        for q in decision.questions:
            if q.answer is None:
                for person in [q.to] if q.to else asked(project, decision):
                    yield Duty(person, "answer", f"{decision.id}/{q.id}", q.text[:200], q.at, decision.due_at)


def _confirmations(project: Project) -> Iterator[Duty]:
    for grant in project.team.grants:
        if not grant.confirmed and grant.ended_at is None:
            people = {p for role in DECIDING_ROLES for p in project.team.holders(role)}
            for person in sorted(people - {grant.by, grant.person}):
                title = f"Confirm {grant.person} as {grant.role}"
                yield Duty(person, "confirm-role", grant.id, title, grant.since)


def _check_ins(project: Project) -> Iterator[Duty]:
    current = project.check_ins.current
    if current:
        for role in project.rules.check_ins.required:
            for person in project.team.holders(role):
                title = f"Check-in {current.id}"
                yield Duty(person, "check-in", current.id, title, current.due_at, current.due_at)


def _changes(project: Project) -> Iterator[Duty]:
    for change in project.changes.values():
        if change.state is ChangeState.SUBMITTED:
            for person in project.team.holders(Role.PMO):
                yield Duty(person, "triage", change.id, change.title, change.submitted_at)
        elif change.state is ChangeState.READY:
            for person in project.team.holders(Role.PMO):
                yield Duty(person, "open-decision", change.id, change.title, change.submitted_at)
        elif change.state in {ChangeState.ASSESSING, ChangeState.STALE}:
            missing = {Role.PRODUCT_MANAGER: change.product, Role.PMO: change.plan}
            for role, done in missing.items():
                for person in project.team.holders(role) if done is None else ():
                    yield Duty(person, "assess", change.id, change.title, change.submitted_at)


def _evaluations(project: Project) -> Iterator[Duty]:
    since = project.lifecycle.entered_at
    if project.stage is Stage.RETROSPECTIVE and since:
        for side in SIDES:
            if side not in project.retrospective.evaluations:
                for person in project.team.holders(Role(side)):
                    yield Duty(person, "evaluate", side, f"Evaluate {project.code}", since)


def _measurements(project: Project) -> Iterator[Duty]:
    for kpi_id in sorted(project.agreement.stale):
        kpi = project.agreement.kpi(kpi_id)
        latest = project.agreement.latest.get(kpi_id)
        since = latest.recorded_at if latest else project.started_at
        if kpi and since:
            owner = (kpi.owner,) if kpi.owner in project.team.members() else project.team.holders(Role.PMO)
            for person in owner:
                yield Duty(person, "measure", kpi.id, kpi.name, since)


def _vacancies(project: Project) -> Iterator[Duty]:
    """What somebody who has left holds here is for the PMO to hand on (D7)."""
    for absence in project.team.absences:
        if roles := project.team.granted(absence.person):
            title = f"{absence.person} has left: hand on {', '.join(sorted(roles))}"[:200]
            for person in caretakers(project):
                yield Duty(person, "hand-on", absence.person, title, absence.since)


SOURCES: tuple[Callable[[Project], Iterator[Duty]], ...] = (
    _signatures,
    _answers,
    _confirmations,
    _check_ins,
    _changes,
    _evaluations,
    _measurements,
    _vacancies,
)
