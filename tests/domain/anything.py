"""Commands of every kind, valid or nearly so: names that exist, names that do not, now and then nonsense."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from domain.messages import Command
from domain.project.aggregate import Project
from domain.project.decision import Choice
from domain.project.passing import next_due
from domain.values import Stage
from tests.spec import AUDITOR, LIFECYCLE, MEMBER, PMO, PRODUCT, SPONSOR, Play

PEOPLE = [SPONSOR, PMO, PRODUCT, MEMBER, AUDITOR, "zhao.min", "stranger"]
ACTORS = [*PEOPLE, LIFECYCLE]
NONSENSE: list[Any] = [
    None,
    "",
    " ",
    "x" * 5000,
    -1,
    10**20,
    1.5,
    True,
    [],
    {},
    ["x"],
    {"amount": "NaN"},
    "\u0000",
    "D-99",
]


def one_of(chance: Random, known: Iterable[str], otherwise: str) -> Any:
    """Mostly something that exists."""
    return chance.choice([*list(known)[-6:], otherwise])


def _decision(chance: Random, project: Project) -> Any:
    open_ones = [d.id for d in project.decisions_in_play()]
    return one_of(chance, [*project.decisions, *open_ones * 3], "D-99")


def _slots(project: Project) -> list[str]:
    names = [slot.name for d in project.open_decisions() for slot in d.slots]
    return [*names, *(name for name in names if name.startswith("co-signer"))]


def _questions(project: Project) -> list[str]:
    return [q.id for d in project.open_decisions() for q in d.questions if q.answer is None]


FIELDS: dict[str, Callable[[Random, Play], Any]] = {
    "decision": lambda chance, play: _decision(chance, play.project),
    "value": lambda chance, play: chance.choice([*["APPROVE"] * 4, *[c.value for c in Choice]]),
    "change": lambda chance, play: one_of(chance, play.project.changes, "C-99"),
    "duplicate_of": lambda chance, play: one_of(chance, play.project.changes, "C-99"),
    "grant": lambda chance, play: one_of(chance, [g.id for g in play.project.team.grants], "G-99"),
    "lesson": lambda chance, play: one_of(chance, play.project.retrospective.lessons, "L-99"),
    "check_in": lambda chance, play: one_of(chance, play.project.check_ins.series, "K-99"),
    "question": lambda chance, play: one_of(chance, _questions(play.project), "Q-99"),
    "person": lambda chance, play: chance.choice(PEOPLE),
    "to": lambda chance, play: chance.choice(PEOPLE),
    "attendees": lambda chance, play: chance.choices([PMO, PRODUCT, MEMBER, "guest"], k=3),
    "role": lambda chance, play: chance.choice(["SPONSOR", "PMO", "PRODUCT_MANAGER", "MEMBER", "AUDITOR"]),
    "slot": lambda chance, play: chance.choice(["pmo", "product-manager", "sponsor", "co-signer-1", "co-signer-2"]),
    "place": lambda chance, play: chance.choice(["BEFORE", "PARALLEL", "AFTER"]),
    "side": lambda chance, play: chance.choice(["PMO", "PRODUCT_MANAGER"]),
    "days": lambda chance, play: chance.randint(0, 7),
    "revision": lambda chance, play: max(1, play.project.charter.revision),
    "base_plan_version": lambda chance, play: max(1, play.project.plan.baseline_version),
    "title": lambda chance, play: chance.choice(["Cards", "Vouchers", "Add card payment"]),
    "effective_on": lambda chance, play: str(play.now.date()),
    "until": lambda chance, play: chance.choice(["2026-03-01", "2026-03-20", "2026-05-20", "2027-01-01"]),
    "now": lambda chance, play: (next_due(play.project) or play.now).isoformat(),
}
EDITS: dict[str, dict[str, Any]] = {
    "DraftCharter": {"scope": ["Renewal"]},
    "ProposeAgreement": {"assumptions": ["None"]},
    "ProposePlan": {"budget": {"amount": "70000", "currency": "CNY"}},
}
OPTIONAL = {"slot", "duplicate_of"}


def data_for(chance: Random, kind: type[Command], play: Play) -> dict[str, Any]:
    """A body for the command as somebody might send it in this project."""
    data: dict[str, Any] = {}
    for name in kind.model_fields:
        if name in OPTIONAL and not kind.model_fields[name].is_required() and chance.random() < 0.7:
            continue
        if name in FIELDS:
            data[name] = FIELDS[name](chance, play)
        elif name in kind.example:
            data[name] = kind.example[name]
    if kind.__name__ == "ProposeRecycle":
        data["to"] = chance.choice([s.value for s in Stage])
    if kind.__name__ == "AssessProductImpact" and chance.random() < 0.3:
        data["impact"] = data["impact"] | {"kpis": [{"kpi": "on-time", "target": chance.choice(["80", "95"])}]}
    if kind.__name__ == "TriageChange":
        data["change_class"] = "DUPLICATE" if "duplicate_of" in data else "NORMAL"
    if "content" in data:
        edits: list[dict[str, Any]] = [{}, {"remarks": "Hm"}, {"remarks": "Well"}, EDITS.get(kind.__name__, {})]
        data["content"] = data["content"] | chance.choice(edits)
    if kind.__name__ == "Vote":
        _fill_ballot(data, play)
    if chance.random() < 0.05:
        data[chance.choice([*kind.model_fields, "surprise"])] = chance.choice(NONSENSE)
    return data


def _fill_ballot(data: dict[str, Any], play: Play) -> None:
    decision = play.project.decisions.get(data["decision"])
    data["reason"] = "Because"
    if decision:
        data |= {"revision": decision.subject.revision, "content_hash": decision.subject.content_hash}
