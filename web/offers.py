"""What a project has to offer for a command's fields, and what a form of a command begins with."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from domain.messages import Command, to_data
from domain.project.aggregate import Project
from domain.project.decision import Decision
from domain.titles import title_in
from domain.values import Role, Value
from web.forms import Offer
from web.language import coded

OPEN_ENDED = frozenset({"person", "to", "owner", "assignee"})
"""Fields that take other values, too."""


def offers_of(project: Project, language: str, decision: str = "") -> dict[str, Offer]:
    """Values for fields that name something of the project, by the field's name. `decision` narrows to one."""
    people = [(person, roles_of(project, person, language)) for person in project.team.members()]
    lessons = [one for one in project.retrospective.lessons.values() if one.validated_by is None]
    named = [d for d in project.decisions.values() if d.in_play and decision in {"", d.id}]
    found: dict[str, Iterable[tuple[str, str]]] = {
        "decision": ((d.id, f"{d.id} {title_in(d.title, language)}") for d in named),
        "slot": ((s.name, f"{s.name} ({coded(s.role.value, language)})") for d in named for s in d.slots),
        "question": ((q.id, f"{q.id} {q.text[:80]}") for d in named for q in d.questions if q.answer is None),
        "change": ((c.id, f"{c.id} {c.title}") for c in project.changes.values() if c.undecided),
        "duplicate_of": ((c.id, f"{c.id} {c.title}") for c in project.changes.values()),
        "kpi": ((k.id, k.name) for k, _ in project.agreement.measured_kpis()),
        "milestone": ((m.id, m.name) for m in (project.plan.baseline.milestones if project.plan.baseline else ())),
        "check_in": ((c.id, c.id) for c in project.check_ins.series.values() if c.state.value in {"SCHEDULED", "DUE"}),
        "lesson": ((one.id, f"{one.id} {one.text[:80]}") for one in lessons),
        "grant": (
            (g.id, f"{g.id} {g.person}: {coded(g.role.value, language)}")
            for g in project.team.grants
            if not g.confirmed and g.ended_at is None
        ),
        "delegation": (
            (d.id, f"{d.id} {d.delegator} → {d.delegate}") for d in project.delegations if d.ended_at is None
        ),
        **dict.fromkeys(OPEN_ENDED, people),
    }
    shown = {name: tuple(dict.fromkeys(values)) for name, values in found.items()}
    return {name: values for name, values in shown.items() if values} | _alike(shown)


def _alike(shown: Mapping[str, Offer]) -> dict[str, Offer]:
    return {"to_slot": shown["slot"]} if shown["slot"] else {}


def roles_of(project: Project, person: str, language: str) -> str:
    """The person's roles in words."""
    held = project.team.roles(person)
    return ("、" if language == "zh" else ", ").join(coded(role.value, language) for role in Role if role in held)


def named(project: Project, person: str, language: str) -> str:
    """A person as a choice: the name, and the roles in words where there are any."""
    roles = roles_of(project, person, language)
    return f"{person} ({roles})" if roles else person


def represented(project: Project, decision: Decision, hand: str, now: datetime) -> list[str]:
    """For whom this hand may sign such a decision."""
    return [d.delegator for d in project.delegations if d.delegate == hand and d.allows(decision.kind, now)]


def beginning(command: type[Command], project: Project) -> dict[str, Any]:
    """What a form begins with: what is to be revised, and the revisions that it is about."""
    written = WRITTEN.get(command.__name__)
    held = None if written is None else written(project)
    found: dict[str, Any] = {} if held is None else {"content": to_data(held)}
    if command.__name__ == "ProposeCharter" and project.charter.revision:
        found["revision"] = project.charter.revision
    if "base_plan_version" in command.model_fields and project.plan.baseline_version:
        found["base_plan_version"] = project.plan.baseline_version
    return found


WRITTEN: dict[str, Callable[[Project], Value | None]] = {
    "DraftCharter": lambda project: project.charter.draft or project.charter.adopted,
    "ProposeAgreement": lambda project: project.agreement.proposal or project.agreement.active,
    "ProposePlan": lambda project: project.plan.proposal or project.plan.baseline,
}
"""The newest version of what a command writes anew."""
