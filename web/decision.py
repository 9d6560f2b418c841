"""One decision: exactly what is signed, who has signed, and the form to sign with."""

from typing import Any

from starlette.responses import Response

from api.dispatch import Asked
from api.ids import uuid7
from api.past import existing
from api.problems import Problem, refusal_fields, refusal_status
from api.showing import decision_shown
from domain.decider import COMMANDS, hindrance
from domain.messages import to_data
from domain.project.aggregate import Project
from domain.project.decision import Choice, Decision
from domain.refusals import Refused
from domain.values import Value
from web.page import Page

FIELDS = tuple(COMMANDS["Vote"].model_fields)
LONGEST_KEY = 100


async def show(page: Page) -> Response:
    """The decision as it is now."""
    return await _shown(page)


async def vote(page: Page) -> Response:
    """Sign. A refusal is shown in place, with what is being decided now."""
    data: dict[str, Any] = {name: page.field(name) for name in FIELDS if page.field(name)}
    data["decision"] = page.request.path_params["decision"]
    if str(data.get("revision", "")).isascii() and str(data.get("revision", "")).isdigit():
        data["revision"] = int(data["revision"][:9])
    project = await existing(page.behind, page.request.path_params["id"])
    key = page.field("key")[:LONGEST_KEY]
    asked = Asked("Vote", data, key if key.isascii() and key.isprintable() and key else None)
    try:
        await page.behind.door.submit(page.who, project.id, asked)
    except Refused as refusal:
        told = refusal_fields(refusal, page.language)
        return await _shown(page, refusal_status(refusal), told)
    return page.go(f"/projects/{project.id}/decisions/{data['decision']}")


async def _shown(page: Page, status: int = 200, refusal: dict[str, Any] | None = None) -> Response:
    project = await existing(page.behind, page.request.path_params["id"])
    found = project.decisions.get(page.request.path_params["decision"])
    if found is None:
        raise Problem("NoDecision")
    now, who = page.behind.now(), page.who.principal
    return page.show(
        "decision.html",
        status,
        project=project,
        decision=decision_shown(project, found, who, now),
        content=content_of(project, found),
        refusal=refusal,
        may_ask=hindrance(COMMANDS["Vote"], project, who) is None and found.is_open,
        away=[d.delegator for d in project.delegations if d.delegate == who and d.allows(found.kind, now)],
        choices=list(Choice),
        key=str(uuid7()),
        zone=project.rules.calendar.timezone,
    )


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
