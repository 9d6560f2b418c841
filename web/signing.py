"""Signing in by a link that works once or by password, the first run, and signing out."""

import re
from datetime import datetime
from functools import partial
from typing import Literal

from starlette.responses import Response

from api.dispatch import command_id
from api.parts import surroundings
from api.problems import Problem
from auth.accounts import Accounts
from auth.credentials import COOKIE, Credentials
from auth.links import Link, Links, Purpose
from auth.passwords import Locked, Passwords, Weak
from auth.sessions import LASTING, Sessions
from domain.directory.asking import is_provider
from domain.directory.people import FoundDirectory
from domain.messages import Actor
from domain.refusals import Refused
from web import step_up
from web.page import Page, local

PERSON = re.compile(r"[a-z][a-z0-9._-]{0,63}")
NOBODY = "-"
"""Stands for every name that no person can have: it is tried, and locked, like any other."""


async def sign_in(page: Page) -> Response:
    """The form for name and password."""
    if page.reader is not None:
        return page.go("/")
    return form(page)


async def try_password(page: Page) -> Response:
    """The same answer for a wrong password and for a person who does not exist."""
    person = page.field("person")
    named = person if PERSON.fullmatch(person) else NOBODY
    address = page.request.client.host if page.request.client else ""
    try:
        fits = await Passwords(page.behind.store.pool).matches(named, page.fields.get("password", [""])[0], address)
    except Locked as locked:
        said = page.say("Too many attempts. Try again after {until}.", until=page.when(locked.until))
        return form(page, 429, said)
    if not fits:
        return form(page, 403, page.say("Name and password do not belong together."))
    return await signed_in(page, named, "password", local(page.field("next")))


async def look_at_link(page: Page, purpose: Purpose) -> Response:
    """What the link would do, with a button: looking uses nothing up."""
    link = await Links(page.behind.store.pool).look(_secret(page))
    if not await _works(page, link, purpose):
        return page.show("dead_link.html", 410)
    return page.show(f"{purpose.replace('-', '_')}.html", link=link, wrong="", person="")


async def use_link(page: Page) -> Response:
    """Sign in by the link, which is used up."""
    links = Links(page.behind.store.pool)
    if not await _works(page, await links.look(_secret(page)), "sign-in"):
        return page.show("dead_link.html", 410)
    used = await links.use(_secret(page))
    if used is None or used.person is None:
        return page.show("dead_link.html", 410)
    return await signed_in(page, used.person, "link", await step_up.onwards_of(page, used.person))


async def begin(page: Page) -> Response:
    """The first run: make the first account and sign it in."""
    links, person, password = Links(page.behind.store.pool), page.field("person"), page.fields.get("password", [""])[0]
    link = await links.look(_secret(page))
    if not await _works(page, link, "first-run"):
        return page.show("dead_link.html", 410)
    again = partial(page.show, "first_run.html", 422, link=link, person=person)
    if not PERSON.fullmatch(person) or is_provider(person):
        said = page.say("A name is like li.wei: lower case letters, digits, dots and dashes.")
        return again(wrong=said)
    try:
        if password:
            await Passwords(page.behind.store.pool).check(person, password)
    except Weak as weak:
        return again(wrong=page.say(weak.detail))
    await _found(page, person)
    if await links.use(_secret(page)) is None:
        return page.show("dead_link.html", 410)
    await Accounts(page.behind.store.pool).make(person)
    if password:
        await Passwords(page.behind.store.pool).set(person, password)
    return await signed_in(page, person, "link", "/")


async def sign_out(page: Page) -> Response:
    """End this browser's session."""
    if page.reader is not None and page.reader.session is not None:
        await Sessions(page.behind.store.pool).end(page.reader.principal, page.reader.session)
        forget(page)
    answer = page.go("/sign-in")
    answer.delete_cookie(COOKIE, path="/", secure=page.site.secure, httponly=True, samesite="lax")
    return answer


def forget(page: Page) -> None:
    """Something was ended: ask the database again for everybody."""
    known = surroundings(page.request).authenticator
    if isinstance(known, Credentials):
        known.forget()


async def _found(page: Page, person: str) -> None:
    """The first person founds the directory. First of all: cut short after it, the link still works, and it stays."""
    actor = Actor(person, client="first-run")
    try:
        await page.behind.administration.submit(FoundDirectory(), actor, command_id(f"first-run-{person}"))
    except Refused as refused:
        if refused.code != "AlreadyFounded":
            raise


def form(page: Page, status: int = 200, wrong: str = "", onwards: str = "") -> Response:
    """The page that says which ways there are of signing in."""
    wanted = local(onwards or page.field("next") or page.request.query_params.get("next", "/"))
    return page.show("sign_in_form.html", status, wrong=wrong, wanted=wanted, person=page.field("person"))


def _secret(page: Page) -> str:
    secret = str(page.request.path_params["secret"])
    if len(secret) > 200:
        raise Problem("NotFound")
    return secret


async def _works(page: Page, link: Link | None, purpose: Purpose) -> bool:
    """Whether the link is alive and for this: a first run only before there is anybody."""
    accounts = Accounts(page.behind.store.pool)
    if link is None or link.purpose != purpose:
        return False
    if purpose == "first-run":
        return await accounts.owner() is None
    return link.person is not None and await accounts.living(link.person)


async def signed_in(
    page: Page, person: str, way: str, onwards: str, confirmed_at: datetime | Literal["now"] | None = "now"
) -> Response:
    """Open a session in this browser and go on; `confirmed_at`: when the person proved to be there."""
    device = page.request.headers.get("user-agent", "").encode("ascii", "replace").decode()
    secret, _ = await Sessions(page.behind.store.pool).open(person, way, device, confirmed_at)
    answer = page.go(onwards)
    page.set_cookie(answer, COOKIE, secret, int(LASTING.total_seconds()))
    return answer
