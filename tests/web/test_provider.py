"""Signing in on the pages through a real provider's process: who gets in, with which roles, and who does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from api.parts import Parts
from auth.accounts import Accounts
from auth.discovery import Discovery
from auth.entrance import NAME
from auth.oidc import OpenIdProvider
from auth.sessions import Sessions
from domain.directory.granting import GrantOrganisationRole
from domain.directory.people import AddPerson, DeactivatePerson, FoundDirectory
from domain.directory.record import OrganisationRole
from domain.keeping.record import KeepingCommand
from domain.messages import Actor
from tests.auth.providing import Provider, process, provider
from tests.web.conftest import ORIGIN
from tests.web.through import app, come_back, come_in, openid
from tests.web.visiting import Reader, Visitor
from web.language import catalogue
from web.provider import COOKIE, TROUBLES

__all__ = ["app", "openid", "process", "provider"]
ROOT, WEI = "root.admin", "li.wei"


async def keep(behind: Parts, command: KeepingCommand) -> None:
    number = (await behind.administration.record()).version
    await behind.administration.submit(command, Actor(ROOT), f"test-{number}")


@pytest.fixture(autouse=True)
async def directory(behind: Parts) -> None:
    """An organisation of its administrator and Li Wei."""
    await keep(behind, FoundDirectory())
    await keep(behind, AddPerson(person=WEI))


async def roles(behind: Parts, person: str = WEI) -> set[OrganisationRole]:
    return set((await behind.administration.record()).roles(person))


async def refused(answer: httpx2.Response, code: str, visitor: Visitor) -> None:
    """Nobody was signed in, and the page says why in words."""
    status, message = TROUBLES[code]
    assert (answer.status_code, message in answer.text) == (status, True), answer.text
    assert (await visitor.get("/account")).status_code == 303


async def test_the_page_says_which_ways_there_are(visitor: Visitor) -> None:
    page = (await visitor.get("/sign-in?next=/account")).text
    assert "three ways" in page
    assert "tandem sign-in" in page
    assert "/sign-in/provider?next=/account" in Reader(page).links


async def test_whoever_the_directory_knows_gets_in_and_on(visitor: Visitor, provider: Provider, behind: Parts) -> None:
    came = await come_in(visitor, provider, WEI, "/account")
    assert (came.status_code, came.headers["location"]) == (303, "/account")
    assert (await visitor.get("/account")).status_code == 200
    (session,) = await Sessions(behind.store.pool).of(WEI)
    assert session.way == "oidc"


async def test_having_signed_in_there_long_ago_is_no_proof_of_presence(
    visitor: Visitor, provider: Provider, behind: Parts
) -> None:
    for different, known in (({"slept": 3600}, True), ({"claims": {"auth_time": None}}, False)):
        provider.told(**different)
        await come_in(visitor, provider, WEI)
        confirmed_at = (await Sessions(behind.store.pool).of(WEI))[0].confirmed_at
        assert (confirmed_at is not None) == known
        assert confirmed_at is None or datetime.now(UTC) - confirmed_at > timedelta(minutes=59)


async def test_the_way_back_leads_to_no_other_site(visitor: Visitor, provider: Provider) -> None:
    for elsewhere in ("//evil.test", "https://evil.test", "/%5Cevil.test"):
        assert (await come_in(visitor, provider, WEI, elsewhere)).headers["location"] == "/"


async def test_whom_nobody_has_added_stays_outside_unless_a_setting_says_otherwise(
    visitor: Visitor, provider: Provider, behind: Parts, openid: OpenIdProvider
) -> None:
    await refused(await come_in(visitor, provider, "new.comer"), "NotKnownHere", visitor)
    assert not await Accounts(behind.store.pool).living("new.comer")
    openid.terms = replace(openid.terms, join=True)
    assert (await come_in(visitor, provider, "new.comer")).status_code == 303
    assert "new.comer" in (await behind.administration.record()).people


async def test_roles_follow_the_groups_and_others_gifts_stay(
    visitor: Visitor, provider: Provider, behind: Parts
) -> None:
    provider.told(groups=["Tandem-PMO", "tandem-admin"])
    await come_in(visitor, provider, WEI)
    assert await roles(behind) == {OrganisationRole.PMO}
    (grant,) = [g for g in (await behind.administration.record()).grants if g.person == WEI]
    assert (grant.by, grant.confirmed) == (NAME, True)
    provider.told(groups=["tandem-audit"])
    await come_in(visitor, provider, WEI)
    assert await roles(behind) == {OrganisationRole.AUDITOR}
    provider.told()
    await come_in(visitor, provider, WEI)
    assert await roles(behind) == set()
    await keep(behind, GrantOrganisationRole(person=WEI, role=OrganisationRole.ADMINISTRATOR))
    provider.told(groups=["tandem-audit"])
    assert (await come_in(visitor, provider, WEI)).status_code == 303, "a role that D4 forbids keeps nobody out"
    assert await roles(behind) == {OrganisationRole.ADMINISTRATOR}


async def test_whoever_has_left_does_not_get_in(visitor: Visitor, provider: Provider, behind: Parts) -> None:
    await come_in(visitor, provider, WEI)
    visitor.client.cookies.clear()
    await keep(behind, DeactivatePerson(person=WEI, basis="left the organisation"))
    await refused(await come_in(visitor, provider, WEI), "PersonLeft", visitor)


async def test_a_person_is_bound_to_the_subject_that_came_first(visitor: Visitor, provider: Provider) -> None:
    await come_in(visitor, provider, WEI)
    visitor.client.cookies.clear()
    provider.told(claims={"sub": "another"})
    await refused(await come_in(visitor, provider, WEI), "OtherSubject", visitor)
    provider.told(claims={"preferred_username": ROOT})
    assert (await come_in(visitor, provider, WEI)).status_code == 303
    assert f"<summary>{WEI}" in (await visitor.get("/account")).text, "renamed there, the same here"


async def test_what_is_no_name_gets_nobody_in(visitor: Visitor, provider: Provider) -> None:
    for called in ("provider.oidc", "Li Wei", "", None, 7, "x" * 65):
        provider.told(claims={"preferred_username": called})
        await refused(await come_in(visitor, provider, WEI), "NameUnfit", visitor)


async def test_the_way_back_works_once_and_in_one_browser(visitor: Visitor, provider: Provider) -> None:
    back = await come_back(visitor, provider, WEI, "/sign-in/provider")
    async with httpx2.AsyncClient(transport=visitor.client._transport, base_url=ORIGIN) as client:
        other = Visitor(client)
        await refused(await other.get(back), "HandshakeLost", other)
        await other.get("/sign-in/provider")
        await refused(await other.get(back), "HandshakeLost", other)
    kept = visitor.client.cookies.get(COOKIE)
    assert kept
    assert (await visitor.get(back)).status_code == 303
    visitor.client.cookies.clear()
    visitor.client.cookies.set(COOKIE, kept)
    await refused(await visitor.get(back), "HandshakeLost", visitor)


async def test_a_journey_that_took_too_long_is_over(visitor: Visitor, provider: Provider, behind: Parts) -> None:
    back = await come_back(visitor, provider, WEI, "/sign-in/provider")
    await behind.store.pool.execute("DELETE FROM tandem.handshake")
    await refused(await visitor.get(back), "HandshakeLost", visitor)


async def test_a_provider_that_is_away_is_told_in_words(
    visitor: Visitor, provider: Provider, openid: OpenIdProvider
) -> None:
    back = await come_back(visitor, provider, WEI, "/sign-in/provider")
    provider.told(status=502)
    await refused(await visitor.get(back), "ProviderAway", visitor)
    openid._discovery = Discovery("http://127.0.0.1:9", openid.terms.client)
    await refused(await visitor.get("/sign-in/provider"), "ProviderAway", visitor)


async def test_the_cookie_of_a_journey_goes_nowhere_else(visitor: Visitor) -> None:
    cookie = (await visitor.get("/sign-in/provider")).headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=lax", "path=/sign-in/provider", "max-age=600"))


def test_every_trouble_is_told_in_both_languages() -> None:
    for language in ("en", "zh"):
        assert {message for _, message in TROUBLES.values()} <= set(catalogue(language))
