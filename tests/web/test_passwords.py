"""Changing one's own password, on the page and over HTTP."""

from datetime import timedelta
from functools import cache

import pytest
from pwdlib import PasswordHash

from auth.passwords import Passwords
from auth.sessions import Sessions
from store.postgres import PostgresStore
from tests.api.asking import PMO, Api
from tests.web.test_signing import GOOD, link_of
from tests.web.visiting import Visitor

NEW = "seven green hats fly"
BOTH = {"new": NEW, "again": NEW}


@pytest.fixture
async def pmo(visitor: Visitor, store: PostgresStore) -> Visitor:
    """The PMO's browser, with a password."""
    await visitor.post(await link_of(store))
    await with_password(store)
    return visitor


@cache
def hashed() -> str:
    """Made once: it takes its time on purpose."""
    return PasswordHash.recommended().hash(GOOD)


async def with_password(store: PostgresStore) -> None:
    """The PMO has one."""
    await store.pool.execute("UPDATE tandem.account SET password_hash = $1 WHERE person = $2", hashed(), PMO)


async def locked(store: PostgresStore) -> None:
    """Whoever has failed has failed too often."""
    await store.pool.execute("UPDATE tandem.attempt SET locked_until = now() + interval '1 min'")


async def long_ago(store: PostgresStore) -> None:
    """Everybody last proved to be there six minutes ago."""
    await store.pool.execute("UPDATE tandem.session SET confirmed_at = now() - $1::interval", timedelta(minutes=6))


async def fits(store: PostgresStore, password: str) -> bool:
    return await Passwords(store.pool).matches(PMO, password, "elsewhere")


async def test_whoever_has_just_signed_in_needs_no_old_password(pmo: Visitor, store: PostgresStore) -> None:
    assert (await pmo.post("/account/password", BOTH)).headers["location"] == "/account?done=password"
    assert await fits(store, NEW)
    assert "is changed" in (await pmo.get("/account?done=password")).text


async def test_later_the_old_password_is_needed(pmo: Visitor, store: PostgresStore) -> None:
    await long_ago(store)
    assert (await pmo.post("/account/password", BOTH)).status_code == 403
    wrong = await pmo.post("/account/password", BOTH | {"old": "not it at all"})
    assert "another one" in wrong.text
    assert await fits(store, GOOD)
    assert (await pmo.post("/account/password", BOTH | {"old": GOOD})).status_code == 303
    assert await fits(store, NEW)


async def test_guessing_the_old_password_is_locked_out(pmo: Visitor, store: PostgresStore) -> None:
    assert (await pmo.post("/account/password", BOTH | {"old": "a wrong guess"})).status_code == 403
    await locked(store)
    assert (await pmo.post("/account/password", BOTH | {"old": GOOD})).status_code == 429


async def test_every_other_browser_is_signed_out(pmo: Visitor, store: PostgresStore) -> None:
    await Sessions(store.pool).open(PMO, "password", "stolen")
    await pmo.post("/account/password", BOTH)
    assert "stolen" not in [session.device for session in await Sessions(store.pool).of(PMO)]
    assert (await pmo.get("/account")).status_code == 200


WEAK = ("short", "Pei-Min rides 2026", "correct horse battery staple", "1Q2W3E4R5T6Y", "aaaaaaaaaaaaaaa", "x" * 201)


async def test_a_weak_password_is_not_taken_nor_one_typed_differently(pmo: Visitor, store: PostgresStore) -> None:
    for weak in WEAK:
        answer = await pmo.post("/account/password", {"new": weak, "again": weak})
        assert (answer.status_code, weak in answer.text) == (422, False)
    assert (await pmo.post("/account/password", {"new": NEW, "again": GOOD})).status_code == 422
    assert await fits(store, GOOD)


async def test_a_program_in_person_needs_the_old_password_and_a_token_will_not_do(
    api: Api, pmo: Visitor, store: PostgresStore
) -> None:
    bearer = {"Authorization": f"Bearer dev:{PMO}"}

    async def asked(wanted: dict[str, str], headers: dict[str, str]) -> str:
        answer = await api.client.post("/v1/me/password", json=wanted, headers=headers)
        return "" if answer.status_code == 204 else str(answer.json()["code"])

    assert await asked({"new": NEW}, bearer) == "PresenceNeeded"
    assert await asked({"old": "not it at all", "new": NEW}, bearer) == "WrongPassword"
    assert await asked({"old": GOOD, "new": "short"}, bearer) == "Invalid"
    assert await asked({"old": GOOD, "new": f"{PMO} rides"}, bearer) == "WeakPassword"
    scopes = ["read", "act", "administer"]
    made = await api.client.post("/v1/me/tokens", json={"name": "x", "scopes": scopes}, headers=bearer)
    token = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert await asked({"old": GOOD, "new": NEW}, token) == "ScopeMissing"
    assert await asked({"old": GOOD, "new": NEW}, bearer) == ""
    assert await fits(store, NEW)
