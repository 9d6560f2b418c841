"""Tokens, sessions, links and passwords, on a real database."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from auth.credentials import COOKIE, Credentials
from auth.development import DevelopmentAuthenticator
from auth.identity import EVERY_SCOPE, Scope, Unauthenticated
from auth.links import Links
from auth.passwords import AT_ONCE, FREE, Locked, Passwords, Weak
from auth.sessions import Sessions
from auth.tokens import MOST, Tokens, TooManyTokens
from store.postgres import PostgresStore
from tests.conftest import Database

SOON = datetime.now(UTC) + timedelta(days=1)
GOOD = "four old words walk"


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def cookie(secret: str) -> dict[str, str]:
    return {"cookie": f"theme=dark; {COOKIE}={secret}"}


@pytest.fixture
def tokens(store: PostgresStore) -> Tokens:
    return Tokens(store.pool)


@pytest.fixture
def sessions(store: PostgresStore) -> Sessions:
    return Sessions(store.pool)


@pytest.fixture
def passwords(store: PostgresStore) -> Passwords:
    return Passwords(store.pool)


@pytest.fixture
def links(store: PostgresStore) -> Links:
    return Links(store.pool)


@pytest.fixture
def credentials(tokens: Tokens, sessions: Sessions) -> Credentials:
    return Credentials(tokens, sessions)


async def test_a_token_tells_who_asks_and_what_for(tokens: Tokens, credentials: Credentials) -> None:
    secret, token = await tokens.make("li.wei", "personal", "my script", [Scope.READ], SOON, "li.wei")
    assert secret.startswith("tdm_pat_")
    assert secret not in repr(token)
    identity = await credentials.authenticate(bearer(secret))
    assert (identity.principal, identity.scopes, identity.ambient) == ("li.wei", {Scope.READ}, False)
    assert (await tokens.of("li.wei"))[0].used_at is not None


async def test_what_is_stored_of_a_token_does_not_open_anything(
    tokens: Tokens, credentials: Credentials, store: PostgresStore
) -> None:
    secret, _ = await tokens.make("bot", "service", "importer", EVERY_SCOPE, SOON, "pei.min")
    stored = await store.pool.fetchval("SELECT to_jsonb(t)::text FROM tandem.token t")
    assert secret not in stored
    with pytest.raises(Unauthenticated):
        await credentials.authenticate(bearer("tdm_svc_" + secret[-10:]))


@pytest.mark.parametrize("ended", ["by its owner", "by time"])
async def test_a_token_that_has_ended_is_worth_nothing(ended: str, tokens: Tokens, credentials: Credentials) -> None:
    expires = SOON if ended == "by its owner" else datetime.now(UTC) - timedelta(seconds=1)
    secret, token = await tokens.make("li.wei", "personal", "old", [Scope.ACT], expires, "li.wei")
    if ended == "by its owner":
        await credentials.authenticate(bearer(secret))
        assert not await tokens.end("somebody.else", token.id)
        assert await tokens.end("li.wei", token.id)
        credentials.forget()
    with pytest.raises(Unauthenticated):
        await credentials.authenticate(bearer(secret))


async def test_tokens_are_bounded_in_number(tokens: Tokens) -> None:
    for number in range(MOST):
        await tokens.make("li.wei", "personal", f"n{number}", [Scope.READ], SOON, "li.wei")
    with pytest.raises(TooManyTokens):
        await tokens.make("li.wei", "personal", "one more", [Scope.READ], SOON, "li.wei")


async def test_a_session_is_found_by_its_cookie_until_it_is_ended(sessions: Sessions, credentials: Credentials) -> None:
    secret, session = await sessions.open("li.wei", "link", "Firefox")
    identity = await credentials.authenticate(cookie(secret))
    assert (identity.principal, identity.session, identity.ambient) == ("li.wei", session.id, True)
    assert [s.id for s in await sessions.of("li.wei")] == [session.id]
    assert await sessions.end("li.wei", session.id)
    credentials.forget()
    with pytest.raises(Unauthenticated):
        await credentials.authenticate(cookie(secret))


async def test_signing_out_everywhere_ends_every_session(sessions: Sessions) -> None:
    for _ in range(3):
        await sessions.open("li.wei", "password")
    await sessions.open("pan.mei", "password")
    await sessions.end_all("li.wei")
    assert (len(await sessions.of("li.wei")), len(await sessions.of("pan.mei"))) == (0, 1)


async def test_development_names_are_asked_only_where_they_are_allowed(tokens: Tokens, sessions: Sessions) -> None:
    trusting = Credentials(tokens, sessions, DevelopmentAuthenticator())
    assert (await trusting.authenticate(bearer("dev:li.wei"))).principal == "li.wei"
    strict = Credentials(tokens, sessions)
    for headers in (bearer("dev:li.wei"), bearer("tdm_pat_x"), cookie("x" * 500), {"cookie": ";;;="}, {}):
        with pytest.raises(Unauthenticated):
            await strict.authenticate(headers)


async def test_a_link_works_once_even_for_two_at_once(store: PostgresStore) -> None:
    links = Links(store.pool)
    secret = await links.make("sign-in", "li.wei", "pei.min")
    assert (await links.look(secret)) == (await links.look(secret))
    used = await asyncio.gather(*(links.use(secret) for _ in range(5)))
    assert sorted(link.person or "" for link in used if link) == ["li.wei"]
    assert await links.look(secret) is None


async def test_a_newer_link_takes_the_place_of_an_older_one_of_the_same_person(links: Links) -> None:
    older, other = [await links.make("sign-in", person, "pei.min") for person in ("li.wei", "pan.mei")]
    newer = await links.make("sign-in", "li.wei", "pei.min")
    assert (await links.look(older), await links.use(older)) == (None, None)
    assert [link.person for secret in (newer, other) if (link := await links.use(secret))] == ["li.wei", "pan.mei"]


async def test_a_password_is_known_again_and_another_is_not(passwords: Passwords) -> None:
    await passwords.set("li.wei", GOOD)
    assert await passwords.matches("li.wei", GOOD, "10.0.0.1")
    assert not await passwords.matches("li.wei", GOOD + "!", "10.0.0.1")
    assert not await passwords.matches("nobody", GOOD, "10.0.0.1")


@pytest.mark.parametrize("weak", ["short", "a" * 40, "li.wei li.wei 1", "tandem tandem 12"])
async def test_what_is_easily_guessed_is_not_taken(weak: str, passwords: Passwords) -> None:
    with pytest.raises(Weak):
        await passwords.set("li.wei", weak)


@pytest.mark.parametrize("person", ["li.wei", "nobody"])
async def test_guessing_is_locked_out_whether_the_person_exists_or_not(person: str, passwords: Passwords) -> None:
    await passwords.set("li.wei", GOOD)
    for _ in range(FREE):
        assert not await passwords.matches(person, "a wrong guess", "10.0.0.1")
    with pytest.raises(Locked):
        await passwords.matches(person, GOOD, "10.0.0.2")


async def test_one_persons_failures_do_not_lock_the_office_out(passwords: Passwords) -> None:
    await passwords.set("pan.mei", GOOD)
    for _ in range(FREE):
        await passwords.matches("li.wei", "a wrong guess", "10.0.0.1")
    assert await passwords.matches("pan.mei", GOOD, "10.0.0.1")


async def test_an_auditor_cannot_read_what_opens_doors(database: Database, store: PostgresStore) -> None:
    connection = await asyncpg.connect(database.auditor)
    for table in ("account", "session", "token", "link", "attempt", "handshake", "subject", "draft"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"SELECT * FROM tandem.{table}")
    await connection.close()


async def test_guessing_many_at_the_same_time_gives_no_more_tries(passwords: Passwords) -> None:
    async def guess(number: int) -> bool:
        try:
            return await passwords.matches("li.wei", f"guess number {number}", f"10.0.0.{number}")
        except Locked:
            return True

    refused = await asyncio.gather(*(guess(number) for number in range(2 * FREE)))
    assert refused.count(False) <= FREE + AT_ONCE - 1


async def test_a_link_is_dead_once_its_person_has_signed_in(links: Links, sessions: Sessions) -> None:
    """Else whoever kept it could act in that person's name later."""
    kept = await links.make("sign-in", "li.wei", "root.admin")
    await sessions.open("li.wei", "provider")
    assert await links.look(kept) is None
    assert await links.use(kept) is None
    assert await links.use(await links.make("sign-in", "li.wei", "root.admin")) is not None
