"""Proving to be there, where being signed in is not enough: by password, at the provider, or by a fresh link.

What was typed before is kept meanwhile, and shown again. Source: docs/governance.md, A2.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from starlette.responses import Response

from api.password import check_presence, forget
from api.problems import Problem, problem_fields
from auth.drafts import LASTING, Draft, Drafts
from auth.sessions import Sessions
from web.page import Page, local

NEEDED = "StepUpNeeded"
"""The code of the refusal that leads here."""
COOKIE = "tandem_draft"
TROUBLES = {"WrongPassword": "This is not your password.", "TooManyAttempts": "Too many attempts. Try again later."}


async def ask(page: Page) -> Response:
    """Keep what the form said, and let the reader prove to be there."""
    path = page.request.url.path
    answer = page.go(f"/confirm-presence?{urlencode({'next': path})}")
    secret = await Drafts(page.behind.store.pool).keep(Draft(page.who.principal, path, page.fields))
    if secret is not None:
        page.set_cookie(answer, COOKIE, secret, int(LASTING.total_seconds()))
    return answer


async def show(page: Page) -> Response:
    """The ways of proving to be there."""
    return shown(page, local(page.request.query_params.get("next", "/")))


async def confirm(page: Page) -> Response:
    """By password: then on to where the reader was."""
    onwards = local(page.field("next"))
    try:
        await check_presence(page.request, page.who, page.fields.get("password", [""])[0])
    except Problem as problem:
        if problem.code not in TROUBLES:
            raise
        status = problem_fields(problem, page.language)["status"]
        return shown(page, onwards, page.say(TROUBLES[problem.code]), status)
    await confirmed(page)
    return page.go(onwards)


async def confirmed(page: Page) -> None:
    """The reader has proved to be there: this session knows it from now on."""
    assert page.who.session is not None
    await Sessions(page.behind.store.pool).confirm(page.who.session)
    forget(page.request)


def shown(page: Page, onwards: str, wrong: str = "", status: int = 200) -> Response:
    """The page that asks."""
    return page.show("confirm_presence.html", status, onwards=onwards, wrong=wrong)


async def typed(page: Page) -> Mapping[str, Sequence[str]] | None:
    """What the reader had typed on this page before proving to be there: once, then it is forgotten."""
    secret = page.request.cookies.get(COOKIE, "")
    draft = await _draft(page, page.who.principal)
    if draft is None or draft.path != page.request.url.path:
        return None
    await Drafts(page.behind.store.pool).forget(secret)
    return draft.fields


async def onwards_of(page: Page, person: str) -> str:
    """Where somebody wanted to go who comes back by a link; the first page where that is not known."""
    draft = await _draft(page, person)
    return "/" if draft is None else local(draft.path)


async def _draft(page: Page, person: str) -> Draft | None:
    secret = page.request.cookies.get(COOKIE, "")
    draft = await Drafts(page.behind.store.pool).look(secret) if secret else None
    return draft if draft is not None and draft.person == person else None
