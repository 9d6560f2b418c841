"""A project's page: where it stands, who rides it, what is open, what the reader may do, and what happened last."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from api.commands import routed
from api.projects import cursor_of, cursor_text
from api.waiting import why_not as refused
from domain.decider import hindrance
from domain.messages import Command
from domain.project.aggregate import Project
from domain.values import Role
from projections.project import listed
from web.doing import REFERENCES
from web.forms import Offer
from web.offers import offers_of
from web.page import Page
from web.reading import happened, just_done, project_of
from web.wording import Said, purpose_of, why_not

LATEST = 15
PEOPLE = frozenset({"person", "role", "side", "slot"})
"""References that every project has."""
MOST = 50


async def show(page: Page) -> Response:
    """The project as it is now."""
    project = await project_of(page)
    latest = await happened(page, project, max(0, project.version - LATEST), LATEST)
    return page.show(
        "project.html",
        project=project,
        people={role.value: held for role in Role if (held := project.team.holders(role))},
        decisions=[(one, page.who.principal) for one in project.open_decisions()],
        closed=[one for one in project.decisions.values() if not one.is_open],
        latest=list(reversed(latest)),
        done=await just_done(page, project),
        zone=project.rules.calendar.timezone,
        **_actions(page, project),
    )


def _actions(page: Page, project: Project) -> dict[str, Any]:
    """What the reader may do now, and what not and why. What is about one decision is on that decision's page."""
    offers = offers_of(project, page.language)
    possible, impossible = [], []
    for name, kind in routed().items():
        if "decision" in kind.model_fields:
            continue
        why = _why_not(page, project, kind, offers)
        if why is None:
            possible.append((name, kind.route(), purpose_of(kind, page.language)))
        else:
            impossible.append((name, why))
    return {"possible": possible, "impossible": impossible}


def _why_not(page: Page, project: Project, kind: type[Command], offers: Mapping[str, Offer]) -> Said | None:
    """By role, stage and hold; by what the project has; and by the rules, where nothing more has to be said."""
    refusal = hindrance(kind, project, page.who.principal)
    if refusal is None and not kind.model_fields:
        refusal = refused(project, kind(), page.who.principal, page.behind.now())
    if refusal is not None:
        return why_not(refusal, kind, project, page.language)
    if any(name in REFERENCES - PEOPLE and name not in offers for name in kind.model_json_schema().get("required", ())):
        return Said(page.say("There is nothing in the project that it could be about."), page.language)
    return None


async def listing(page: Page) -> Response:
    """Projects, the latest changed first: the reader's own, or all that the reader may see."""
    everybody = page.request.query_params.get("all") == "yes"
    after = page.request.query_params.get("after", "")
    cursor = cursor_of(after) if len(after) <= 200 and after else None
    person = None if everybody else page.who.principal
    keys = await page.behind.sight.keys(page.who.principal)
    rows, following = await listed(page.behind.store.pool, keys, MOST, cursor, person=person)
    return page.show(
        "projects.html",
        rows=rows,
        everybody=everybody,
        following=None if following is None else cursor_text(following),
    )
