"""Where the links of mails lead: one decision, for the person it is bound to. Looking decides nothing."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from auth.confirmation import Confirmation
from domain.decider import COMMANDS
from domain.project.aggregate import Project
from domain.project.decision import Decision
from web.decision import shown, voted
from web.forms import read
from web.language import coded
from web.page import Page
from web.reading import decision_of, project_of


@dataclass(frozen=True)
class Confirming:
    """What the page says about the link."""

    said: tuple[str, ...]
    successor: str = ""
    """Where the same thing is being decided by now."""


async def show(page: Page) -> Response:
    """The decision as the link was bound to it, with the form to vote with where it still is what is decided."""
    return await _about(page, send=False)


async def vote(page: Page) -> Response:
    """Sign exactly what was shown. An expired link, another's or one of an earlier revision signs nothing."""
    return await _about(page, send=True)


async def old(page: Page) -> Response:
    """Links of earlier mails lead to the decision's own page."""
    project = await project_of(page)
    return page.go(_path(project, decision_of(page, project)))


async def _about(page: Page, *, send: bool) -> Response:
    bound = page.site.confirmations.read(page.request.path_params["token"])
    if bound is None:
        return page.show("no_link.html", 404, why=page.say("It was not made here, or a part of it is missing."))
    if bound.person != page.who.principal:
        return page.show("no_link.html", 403, why=page.say("It was made for somebody else: sign in as that person."))
    project = await project_of(page, bound.project)
    found = decision_of(page, project, bound.decision)
    if bound.until <= page.behind.now():
        why = page.say("It has expired. The decision's own page says where it stands.")
        return page.show("no_link.html", 410, why=why, onwards=_path(project, found))
    said = _confirming(page, bound, project, found)
    given: dict[str, Any] = {"action": page.request.url.path, "confirming": said, "moves": []}
    if not send or bound.revision != found.subject.revision:
        return await shown(page, project, found, **given)
    data = read(COMMANDS["Vote"], page.fields) | {"decision": found.id, "revision": bound.revision}
    return await voted(page, project, data, _path(project, found), **given)


def _path(project: Project, found: Decision) -> str:
    return f"/projects/{project.id}/decisions/{found.id}"


def _confirming(page: Page, bound: Confirmation, project: Project, found: Decision) -> Confirming:
    said = page.say("You came by a link of a mail. Nothing has happened yet: you decide below, signed in as yourself.")
    if found.is_open and bound.revision == found.subject.revision:
        return Confirming((said,))
    state = coded(found.state.value, page.language)
    about = {"decision": found.id, "state": state}
    over = page.say("What your mail asked for is no longer being decided: {decision} is {state}.", **about)
    later = [d for d in project.open_decisions() if (d.kind, d.subject.type) == (found.kind, found.subject.type)]
    if not later:
        return Confirming((over,))
    changed = page.say("It was changed: another revision is being decided now.")
    return Confirming((over, changed), _path(project, later[-1]))
