"""Plays that bring a project to any stage by the real commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from domain.messages import COMMANDS
from domain.template import Policy
from tests.spec import LIFECYCLE, MEMBER, PMO, PRODUCT, SPONSOR, Play, agreement, charter, plain, plan


def kept(builder: Callable[..., Play]) -> Callable[..., Play]:
    """Plays the standard case once and hands out copies of it."""
    standard: list[Play] = []

    @wraps(builder)
    def played(*args: Any, **kwargs: Any) -> Play:
        if args or kwargs:
            return builder(*args, **kwargs)
        if not standard:
            standard.append(builder())
        return standard[0].copy()

    return played


@kept
def started(under: Policy | None = None, **changes: Any) -> Play:
    """In KICKOFF, its people invited."""
    play = Play(under or plain())
    return play.do("StartProject", PMO, **(COMMANDS["StartProject"].example | changes)).begin()


@kept
def chartering(under: Policy | None = None, **changes: Any) -> Play:
    """The charter is drafted by the product manager and open for signature as D-1."""
    play = started(under).do("DraftCharter", PRODUCT, content=charter(**changes))
    return play.do("ProposeCharter", PRODUCT, revision=1)


@kept
def agreeing(under: Policy | None = None, **changes: Any) -> Play:
    """In KPI_AGREEMENT."""
    return chartering(under, **changes).sign(PMO, PRODUCT, SPONSOR).begin()


@kept
def proposed(under: Policy | None = None, content: Mapping[str, Any] | None = None) -> Play:
    """The KPI agreement is open for signature as D-2, proposed by the product manager."""
    return agreeing(under).do("ProposeAgreement", PRODUCT, content=content or agreement())


@kept
def executing(under: Policy | None = None) -> Play:
    """In EXECUTION: check-ins scheduled, KPIs watched, no plan yet."""
    return proposed(under).sign(PMO, PRODUCT).begin()


@kept
def planned(under: Policy | None = None) -> Play:
    """In EXECUTION with plan version 1 as the baseline."""
    return executing(under).do("ProposePlan", PMO, content=plan()).sign(PMO, PRODUCT)


def change_data(change: str = "C-1", base: int = 1, **impact: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What both sides say about a change: (product, plan)."""
    product = {"scope": "One more payment method", "user_impact": "Fewer calls", "kpis": impact.pop("kpis", [])}
    cost = {"amount": impact.pop("cost", "4000"), "currency": "CNY"}
    plan_side = {"milestones": impact.pop("milestones", []), "cost": cost, "note": "Two more weeks"}
    assert not impact
    named = {"change": change, "base_plan_version": base}
    return {**named, "impact": product}, {**named, "impact": plan_side}


def submit(play: Play, by: str = MEMBER, title: str = "Add card payment", **changes: Any) -> Play:
    """One more change, triaged as normal."""
    play.do("SubmitChange", by, **(COMMANDS["SubmitChange"].example | {"title": title} | changes))
    return play.do("TriageChange", PMO, change=f"C-{len(play.project.changes)}", change_class="NORMAL")


def assess(play: Play, change: str = "C-1", **impact: Any) -> Play:
    """Both sides assess the change on the present plan."""
    product, plan_side = change_data(change, play.project.plan.baseline_version, **impact)
    return play.do("AssessProductImpact", PRODUCT, **product).do("AssessPlanImpact", PMO, **plan_side)


@kept
def changing(under: Policy | None = None, author: str = MEMBER, **impact: Any) -> Play:
    """A change C-1 by a member, assessed and open for decision as D-4."""
    return assess(submit(planned(under), author), **impact).do("OpenChangeDecision", PMO, change="C-1")


@kept
def reviewing(under: Policy | None = None) -> Play:
    """In CHANGE_REVIEW with nothing open."""
    play = planned(under).do("ProposeCompletion", PMO, **COMMANDS["ProposeCompletion"].example)
    return play.sign(PMO, PRODUCT).begin()


@kept
def looking_back(under: Policy | None = None) -> Play:
    """In RETROSPECTIVE, nothing said yet."""
    play = reviewing(under).do("ProposeAcceptance", PMO, **COMMANDS["ProposeAcceptance"].example)
    return play.sign(PMO, PRODUCT, SPONSOR).begin()


def evaluate(play: Play) -> Play:
    """Both sides evaluate, and the member's lesson is confirmed."""
    data = COMMANDS["SubmitEvaluation"].example
    play.do("SubmitEvaluation", PMO, **data).do("SubmitEvaluation", PRODUCT, **data)
    return play.do("CaptureLesson", MEMBER, **COMMANDS["CaptureLesson"].example).do("ValidateLesson", PMO, lesson="L-1")


@kept
def closing(under: Policy | None = None) -> Play:
    """The closing is open for signature."""
    return evaluate(looking_back(under)).do("ProposeClosing", PMO, **COMMANDS["ProposeClosing"].example)


def finish(play: Play) -> Play:
    """Everybody signs the closing that is open, and the lifecycle closes the project."""
    return play.sign(PMO, PRODUCT, SPONSOR).do("CloseProject", LIFECYCLE)


@kept
def closed(under: Policy | None = None) -> Play:
    return finish(closing(under))
