"""One decision: exactly what is signed, who has signed, the form to sign with, and what else may be done with it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from api.commands import routed
from api.ids import uuid7
from api.problems import refusal_fields, refusal_status
from api.showing import decision_shown
from api.waiting import decision_time_left, why_not_nudge
from domain.decider import COMMANDS, hindrance
from domain.messages import to_data
from domain.project.aggregate import Project
from domain.project.counting import eligible
from domain.project.decision import Decision, Effect
from domain.refusals import Refused
from domain.template import Origin
from domain.values import Value
from web import step_up
from web.doing import done, submit
from web.forms import Field, Filling, fields_of, homeless, read
from web.offers import named, represented
from web.page import Page
from web.reading import decision_of, just_done, project_of

BOUND = frozenset({"decision", "revision", "content_hash"})
"""What a vote is bound to: sent with it, never typed."""
AT_ONCE = frozenset({"NudgeApprovers", "RetryEffect"})
"""Nothing more is to be said with these."""
FITTING: dict[str, Callable[[Project, Decision, str], bool]] = {
    "AnswerInfo": lambda p, d, who: any(q.to is None and q.answer is None for q in d.questions),
    "AnswerConsult": lambda p, d, who: any(q.to == who and q.answer is None for q in d.questions),
    "RemoveCoSigner": lambda p, d, who: any(s.origin is Origin.ADHOC for s in d.slots),
    "TransferSlot": lambda p, d, who: any(who in eligible(d, s, p.team) for s in d.slots),
    "RevokeDecision": lambda p, d, who: d.waits_for_effect,
    "RetryEffect": lambda p, d, who: d.waits_for_effect and d.effect is Effect.FAILED,
}
"""Whether there is anything in the decision that a command could be about."""
AFTERWARDS = frozenset({"RevokeDecision", "RetryEffect"})
"""All others are about a decision that is open."""


async def show(page: Page) -> Response:
    """The decision as it is now."""
    project = await project_of(page)
    return await shown(page, project, decision_of(page, project))


async def vote(page: Page) -> Response:
    """Sign. A refusal is shown in place, with what is being decided now."""
    project = await project_of(page)
    data = read(COMMANDS["Vote"], page.fields) | {"decision": page.request.path_params["decision"]}
    return await voted(page, project, data, f"/projects/{project.id}/decisions/{data['decision']}")


async def voted(page: Page, project: Project, data: dict[str, Any], onwards: str, **given: Any) -> Response:
    """Sign what the form was bound to, and go on; or the decision again, with what was refused."""
    try:
        outcome = await submit(page, project.id, "Vote", data)
    except Refused as refusal:
        if refusal.code == step_up.NEEDED:
            return await step_up.ask(page)
        project = await project_of(page, project.id)
        found = project.decisions.get(str(data["decision"]))
        if found is None:
            raise
        return await shown(page, project, found, data, refusal, **given)
    return page.go(onwards + done(outcome))


async def shown(
    page: Page,
    project: Project,
    found: Decision,
    typed: Mapping[str, Any] | None = None,
    refusal: Refused | None = None,
    **given: Any,
) -> Response:
    """The page of a decision, with what was typed before it was refused; `given` goes to the template."""
    now, who = page.behind.now(), page.who.principal
    if typed is None and (kept := await step_up.typed(page)):
        typed = read(COMMANDS["Vote"], kept)
    fields = vote_fields(page, project, found, typed or {}, refusal)
    known = {
        "project": project,
        "decision": decision_shown(project, found, who, now),
        "left": decision_time_left(project, found, now) if found.is_open else None,
        "content": content_of(project, found),
        "refusal": None if refusal is None else refusal_fields(refusal, page.language),
        "errors": [] if refusal is None else homeless(fields, refusal.errors),
        "fields": fields,
        "may_ask": hindrance(COMMANDS["Vote"], project, who) is None and found.is_open,
        "moves": moves(project, found, who, page),
        "at_once": AT_ONCE,
        "done": await just_done(page, project),
        "key": str(uuid7()),
        "zone": project.rules.calendar.timezone,
        "action": f"/projects/{project.id}/decisions/{found.id}",
        "confirming": None,
    }
    return page.show("decision.html", 200 if refusal is None else refusal_status(refusal), **known | given)


def vote_fields(
    page: Page, project: Project, found: Decision, typed: Mapping[str, Any], refusal: Refused | None
) -> tuple[Field, ...]:
    """The form to vote with, bound to what the page shows."""
    away = represented(project, found, page.who.principal, page.behind.now())
    subject = found.subject
    bound = {"decision": found.id, "revision": subject.revision, "content_hash": subject.content_hash}
    filling = Filling(
        {**for_whom(project, found, page.who.principal, away), **typed, **bound},
        errors=() if refusal is None else refusal.errors,
        offers={"on_behalf_of": [(person, named(project, person, page.language)) for person in away]},
        picks=frozenset({"on_behalf_of"}),
        hidden=BOUND,
        left_out=frozenset({"slot"} if away else {"slot", "on_behalf_of"}),
    )
    return fields_of(COMMANDS["Vote"], filling)


def for_whom(project: Project, found: Decision, hand: str, away: Sequence[str]) -> dict[str, Any]:
    """In whose name a form begins: of one who has no seat of their own and signs for one person, in that person's."""
    seated = any(hand in eligible(found, slot, project.team) for slot in found.slots)
    return {} if seated or len(away) != 1 else {"on_behalf_of": away[0]}


def moves(project: Project, found: Decision, who: str, page: Page) -> list[tuple[str, str]]:
    """Commands about this decision that the person may ask for now, each with its route."""
    possible = []
    for name, kind in routed().items():
        if "decision" not in kind.model_fields or name == "Vote" or hindrance(kind, project, who):
            continue
        fits = (found.is_open or name in AFTERWARDS) and (name not in FITTING or FITTING[name](project, found, who))
        if name == "NudgeApprovers":
            fits = why_not_nudge(project, found, who, page.behind.now()) is None
        if fits:
            possible.append((name, kind.route()))
    return possible


def content_of(project: Project, decision: Decision) -> dict[str, Any] | None:
    """What the signature is bound to; None where the project holds it no longer: it was replaced since."""
    subject = decision.subject
    if subject.content is not None:
        return subject.content
    charter, agreement, plan, own = project.charter, project.agreement, project.plan, subject.content_hash
    held: dict[str, list[tuple[str | None, int, Value | None]]] = {
        "charter": [
            (charter.content_hash, charter.revision, charter.draft),
            (own, charter.adopted_revision, charter.adopted),
        ],
        "agreement": [
            (agreement.content_hash, agreement.revision, agreement.proposal),
            (own, agreement.active_revision, agreement.active),
        ],
        "plan": [(plan.content_hash, plan.version, plan.proposal), (own, plan.baseline_version, plan.baseline)],
    }
    for signed, revision, content in held.get(subject.type, []):
        if content is not None and (signed, revision) == (subject.content_hash, subject.revision):
            return to_data(content)
    return None
