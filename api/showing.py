"""A project's state as the API shows it to one person at one instant."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.chinese import spoken_detail
from api.commands import routed
from api.plain import moment, plain
from domain.calendar import Calendar, calendar
from domain.clock import Clock
from domain.decider import hindrance
from domain.project.aggregate import Project
from domain.project.agreement import Agreement
from domain.project.counting import current_order, eligible, needed, satisfied, votes
from domain.project.decision import Choice, Decision
from domain.project.decision_events import voters_awaited
from domain.project.evaluation import Evaluation
from domain.project.kpi import attainment, score, shown
from domain.project.passing import next_due
from domain.template import Slot
from domain.values import NotApplicable, Role


def state(project: Project, reader: str, now: datetime, *, revealed: bool, language: str = "en") -> dict[str, Any]:
    """Everything about `project` that `reader` may see.

    `revealed`: both evaluations are open by now, even if `project` is an earlier state of it.
    `language`: of the reasons why something may not be done.
    """
    due = next_due(project)
    return {
        "id": project.id,
        "code": project.code,
        "title": project.title,
        "purpose": project.purpose,
        "stage": project.stage.value,
        "version": project.version,
        "held": project.held,
        "ended": project.ended,
        "starter": project.starter,
        "started_at": plain(project.started_at),
        "changed_at": plain(project.changed_at),
        "next_due": None if due is None else moment(due),
        "visibility": project.visibility.value,
        "teams": list(project.teams),
        "policy": {"template": project.rules.template, "version": project.rules.version},
        "lifecycle": plain(project.lifecycle),
        "people": _people(project),
        "grants": plain(project.team.grants),
        "absences": plain(project.team.absences),
        "solo_exception": {"until": plain(project.team.solo_until), "reason": project.team.solo_reason},
        "charter": plain(project.charter),
        "agreement": agreement_shown(project),
        "plan": plain(project.plan),
        "check_ins": check_ins_shown(project),
        "changes": [plain(change) for change in project.changes.values()],
        "decisions": [decision_shown(project, d, reader, now) for d in project.decisions.values()],
        "retrospective": _retrospective(project, reader, revealed=revealed),
        "clocks": {ref: plain(clock) for ref, clock in project.clocks.items()},
        "_actions": actions(project, reader, language),
    }


def actions(project: Project, reader: str, language: str = "en") -> list[dict[str, Any]]:
    """For every command with a route: whether this person may ask for it now, and why not."""
    listed = []
    for name, kind in routed().items():
        shown_action: dict[str, Any] = {
            "command": name,
            "route": kind.route(),
            "href": f"/v1/projects/{project.id}/{kind.route()}",
        }
        refusal = hindrance(kind, project, reader)
        shown_action["allowed"] = refusal is None
        if refusal is not None:
            said = spoken_detail(refusal.detail, language, refusal.code)
            shown_action["why"] = {"code": refusal.code, "rule": refusal.rule, "detail": said}
        listed.append(shown_action)
    return listed


def _people(project: Project) -> dict[str, list[str]]:
    return {role.value: list(project.team.holders(role)) for role in Role if role is not Role.SYSTEM}


def agreement_shown(project: Project) -> dict[str, Any]:
    """The agreement in force, the proposal on the table, and how far the KPIs are attained."""
    agreement = project.agreement
    total, covered = score(agreement.measured_kpis(), project.rules.agreement.cap_bp)
    return {
        "revision": agreement.revision,
        "content_hash": agreement.content_hash,
        "author": agreement.author,
        "proposal": plain(agreement.proposal),
        "active_revision": agreement.active_revision,
        "active": plain(agreement.active),
        "measured": agreement.measured,
        "kpis": _kpis(agreement),
        "score": shown(total),
        "coverage": shown(covered),
    }


def _kpis(agreement: Agreement) -> list[dict[str, Any]]:
    listed = []
    for kpi, value in agreement.measured_kpis():
        rate = NotApplicable(reason="not measured yet") if value is None else attainment(kpi, value)
        listed.append(
            {
                **plain(kpi),
                "latest": plain(agreement.latest.get(kpi.id)),
                "attainment": shown(rate),
                "stale": kpi.id in agreement.stale,
            }
        )
    return listed


def check_ins_shown(project: Project) -> dict[str, Any]:
    """The series of check-ins."""
    current = project.check_ins.current
    return {
        "current": current.id if current else None,
        "missed_in_a_row": project.check_ins.missed_in_a_row,
        "series": [plain(check_in) for check_in in project.check_ins.series.values()],
    }


def decision_shown(project: Project, decision: Decision, reader: str, now: datetime) -> dict[str, Any]:
    """One decision of the project as the reader sees it."""
    team = project.team
    order = current_order(decision, team) if decision.is_open else None
    awaited = voters_awaited(project, decision) if decision.is_open else ()
    return {
        "id": decision.id,
        "kind": decision.kind.value,
        "title": decision.title,
        "state": decision.state.value,
        "open": decision.is_open,
        "subject": plain(decision.subject),
        "requester": decision.requester,
        "authors": list(decision.authors),
        "authority_row": decision.authority_row,
        "opened_at": moment(decision.opened_at),
        "due_at": moment(decision.due_at),
        "remaining": _remaining(project, decision, now),
        "closed_at": plain(decision.closed_at),
        "reason": decision.reason,
        "slots": [_slot(project, decision, slot, order) for slot in decision.slots],
        "ballots": plain(decision.ballots),
        "recused": sorted(decision.recused),
        "questions": plain(decision.questions),
        "awaits": list(awaited),
        "awaits_you": reader in awaited,
        "nudges": decision.nudges,
        "extensions": decision.extensions,
        "effect": decision.effect.value,
        "effect_note": decision.effect_note,
        "no_bulk": decision.policy.no_bulk,
    }


def _slot(project: Project, decision: Decision, slot: Slot, order: int | None) -> dict[str, Any]:
    done = satisfied(decision, slot, project.team)
    return {
        "name": slot.name,
        "role": slot.role.value,
        "order": slot.order,
        "origin": slot.origin.value,
        "veto": slot.veto,
        "needed": needed(decision, slot, project.team),
        "approvals": len(votes(decision, slot, Choice.APPROVE)),
        "satisfied": done,
        "open": slot.order == order and not done,
        "may_sign": list(eligible(decision, slot, project.team)),
    }


def _remaining(project: Project, decision: Decision, now: datetime) -> dict[str, Any] | None:
    """Working time until the limit, which stands still where the clock does; None once it is over."""
    clock = project.clocks.get(decision.ref)
    if clock is None or not decision.is_open:
        return None
    hours = calendar(project.rules.calendar)
    return {"working_minutes": _minutes(hours, clock, project, now), "minutes_per_day": hours.minutes_per_day}


def _minutes(hours: Calendar, clock: Clock, project: Project, now: datetime) -> int:
    at = clock.paused_at or project.lifecycle.held_at or now
    return 0 if clock.due_at <= at else hours.between(at, clock.due_at)


def _retrospective(project: Project, reader: str, *, revealed: bool) -> dict[str, Any]:
    retro = project.retrospective
    opened = retro.revealed or revealed
    evaluations: Mapping[str, Evaluation] = retro.evaluations
    return {
        "revealed": retro.revealed,
        "differing": list(retro.differing),
        "reconciled": retro.reconciled,
        "final": retro.final,
        "evaluations": {
            side: _evaluation(view, opened=opened or view.by == reader) for side, view in evaluations.items()
        },
        "lessons": [plain(lesson) for lesson in retro.lessons.values()],
    }


def _evaluation(view: Evaluation, *, opened: bool) -> dict[str, Any]:
    """Blind (Z1): until both sides are in, an evaluation is its author's alone."""
    if opened or view.scores is None:
        return {**plain(view), "sealed": False}
    return {"side": view.side, "by": view.by, "scores": None, "comment": None, "sealed": True}
