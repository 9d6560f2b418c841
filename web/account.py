"""The reader's own: browsers that are signed in, and tokens for scripts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import SecretStr, ValidationError
from starlette.responses import Response

from api.me import NewToken
from api.password import RECENT, NewPassword, changed
from api.problems import Problem, problem_fields
from auth.identity import Scope
from auth.sessions import Sessions
from auth.tokens import Tokens, TooManyTokens
from web.page import Page
from web.signing import forget

DAYS = (7, 30, 90, 365)
PASSWORD_TROUBLES = {
    "PresenceNeeded": "Give your present password, or confirm first that it is you.",
    "WrongPassword": "Your present password is another one.",
    "TooManyAttempts": "Too many attempts. Try again later.",
    "WeakPassword": "",
}
"""What is said of them; of a weak password what is weak about it."""


async def show(page: Page) -> Response:
    """Sessions and tokens, the newest first."""
    return await _shown(page)


async def make_token(page: Page) -> Response:
    """Make a token; its secret is on this one answer and nowhere else."""
    who, tokens = page.who.principal, Tokens(page.behind.store.pool)
    given = {"name": page.field("name"), "scopes": page.fields.get("scopes", []), "days": page.field("days")}
    try:
        wanted = NewToken.model_validate(given, strict=False)
        expires = datetime.now(UTC) + timedelta(days=wanted.days)
        secret, _ = await tokens.make(who, "personal", wanted.name, wanted.scopes, expires, who)
    except ValidationError:
        return await _shown(page, 422, wrong=page.say("A token needs a name of one line and at least one scope."))
    except TooManyTokens:
        raise Problem("TooManyTokens") from None
    return await _shown(page, secret=secret)


async def end_token(page: Page) -> Response:
    """End a token at once."""
    return _ended(page, await Tokens(page.behind.store.pool).end(page.who.principal, _item(page)))


async def end_session(page: Page) -> Response:
    """Sign a browser out."""
    return _ended(page, await Sessions(page.behind.store.pool).end(page.who.principal, _item(page)))


async def change_password(page: Page) -> Response:
    """Set or change the reader's own password; every other browser is signed out."""
    old, new, again = (page.fields.get(name, [""])[0] for name in ("old", "new", "again"))
    if new != again:
        return await _shown(page, 422, wrong=page.say("The two new passwords differ."))
    try:
        wanted = NewPassword.model_validate({"old": SecretStr(old) if old else None, "new": SecretStr(new)})
        await changed(page.request, page.who, wanted)
    except ValidationError:
        return await _shown(page, 422, wrong=page.say("A password has 12 to 200 characters."))
    except Problem as problem:
        if problem.code not in PASSWORD_TROUBLES:
            raise
        told = problem_fields(problem, page.language)
        return await _shown(page, told["status"], wrong=page.say(PASSWORD_TROUBLES[problem.code] or told["detail"]))
    return page.go("/account?done=password")


async def _shown(page: Page, status: int = 200, **given: Any) -> Response:
    database, who = page.behind.store.pool, page.who.principal
    known: dict[str, Any] = {"secret": "", "wrong": "", "days": DAYS, "scopes": list(Scope), "now": page.behind.now()}
    proved = page.who.confirmed_at
    known["fresh"] = proved is not None and page.behind.now() - proved < RECENT
    known["changed"] = page.request.query_params.get("done") == "password"
    sessions, tokens = await Sessions(database).of(who), await Tokens(database).of(who)
    return page.show("account.html", status, sessions=sessions, tokens=tokens, **{**known, **given})


def _item(page: Page) -> UUID:
    try:
        return UUID(page.request.path_params["item"])
    except ValueError:
        raise Problem("NoCredential") from None


def _ended(page: Page, ended: bool) -> Response:
    if not ended:
        raise Problem("NoCredential")
    forget(page)
    return page.go("/account")
