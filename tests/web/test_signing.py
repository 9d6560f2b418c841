"""Signing in and out, and what strangers get to."""

import pytest

from activities.keeping import Keeping
from auth.accounts import Accounts
from auth.links import Links
from auth.passwords import FREE, Passwords
from domain.directory.record import OrganisationRole
from store.postgres import PostgresStore
from tests.api.asking import PMO
from tests.web.visiting import Reader, Visitor

GOOD = "four old words walk"


async def link_of(store: PostgresStore, person: str = PMO) -> str:
    await Accounts(store.pool).make(person)
    return f"/sign-in/{await Links(store.pool).make('sign-in', person, 'test')}"


async def test_looking_at_a_link_uses_nothing_up_and_the_button_does(visitor: Visitor, store: PostgresStore) -> None:
    link = await link_of(store)
    for _ in range(3):
        assert (await visitor.get(link)).status_code == 200
    signed = await visitor.post(link)
    assert (signed.status_code, signed.headers["location"]) == (303, "/")
    cookie = signed.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert (await visitor.get("/")).status_code == 200
    visitor.client.cookies.clear()
    assert (await visitor.post(link)).status_code == 410
    assert (await visitor.get("/")).headers["location"] == "/sign-in"


async def test_the_first_run_makes_the_owner_once(visitor: Visitor, store: PostgresStore) -> None:
    one, two = [f"/start/{await Links(store.pool).make('first-run', None, 'test')}" for _ in range(2)]
    for wrong in ({"person": "Li Wei"}, {"person": "provider.x"}, {"person": "li.wei", "password": "short"}):
        assert (await visitor.post(one, wrong)).status_code == 422
    assert (await visitor.post(one, {"person": "li.wei", "password": GOOD})).status_code == 303
    assert "li.wei" in (await visitor.get("/")).text
    assert await Accounts(store.pool).owner() == "li.wei"
    assert (await Keeping(store).record("directory")).holders(OrganisationRole.ADMINISTRATOR) == ("li.wei",)
    assert (await visitor.get(two)).status_code == 410
    assert (await visitor.post(two, {"person": "eve"})).status_code == 410
    assert not await Accounts(store.pool).living("eve")


async def test_whoever_signs_out_is_a_stranger_again(visitor: Visitor, store: PostgresStore) -> None:
    await visitor.post(await link_of(store))
    kept = dict(visitor.client.cookies)
    assert (await visitor.post("/sign-out")).status_code == 303
    visitor.client.cookies.update(kept)
    assert (await visitor.get("/")).status_code == 303


async def test_a_disabled_account_gets_in_by_no_link(visitor: Visitor, store: PostgresStore) -> None:
    link = await link_of(store)
    await store.pool.execute("UPDATE tandem.account SET disabled_at = now()")
    assert (await visitor.get(link)).status_code == 410
    assert (await visitor.post(link)).status_code == 410


async def test_a_password_signs_in_and_leads_where_one_wanted_to_go(visitor: Visitor, store: PostgresStore) -> None:
    await Passwords(store.pool).set(PMO, GOOD)
    asked = await visitor.get("/account")
    assert asked.headers["location"] == "/sign-in?next=%2Faccount"
    page = Reader((await visitor.get(asked.headers["location"])).text)
    form = next(form for form in page.forms if form.action == "/sign-in")
    signed = await visitor.submit("/sign-in", form, person=PMO, password=GOOD)
    assert signed.headers["location"] == "/account"


@pytest.mark.parametrize("elsewhere", ["//evil.test", "https://evil.test", "/\\evil.test", "javascript:1"])
async def test_nobody_is_sent_to_another_site(elsewhere: str, visitor: Visitor, store: PostgresStore) -> None:
    await Passwords(store.pool).set(PMO, GOOD)
    signed = await visitor.post("/sign-in", {"person": PMO, "password": GOOD, "next": elsewhere})
    assert signed.headers["location"] == "/"


async def test_people_who_do_not_exist_get_the_same_answers(visitor: Visitor, store: PostgresStore) -> None:
    await Passwords(store.pool).set(PMO, GOOD)
    told: dict[str, list[tuple[int, str]]] = {}
    for person in (PMO, "no.body"):
        for _ in range(FREE + 1):
            answer = await visitor.post("/sign-in", {"person": person, "password": "wrong guess"})
            told.setdefault(person, []).append((answer.status_code, answer.text.replace(person, "")[:400]))
    assert told[PMO] == told["no.body"]
    assert [status for status, _ in told[PMO]] == [403] * FREE + [429]


async def test_another_sites_page_can_send_nothing(visitor: Visitor, store: PostgresStore) -> None:
    link = await link_of(store)
    origins = ("https://evil.test", "null", "http://[", "")
    foreign: list[dict[str, str]] = [{"sec-fetch-site": "cross-site"}, *({"origin": origin} for origin in origins)]
    for headers in foreign:
        assert (await visitor.post(link, None, **headers)).status_code == 403
    assert (await visitor.post(link, origin="http://tandem.test")).status_code == 303


async def test_every_page_is_protected_by_its_headers(visitor: Visitor) -> None:
    answer = await visitor.get("/sign-in")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "<script" not in answer.text
    assert "style=" not in answer.text


async def test_the_language_is_chosen_and_kept(visitor: Visitor) -> None:
    assert 'lang="zh-CN"' in (await visitor.get("/sign-in", **{"accept-language": "zh"})).text
    assert 'lang="en"' in (await visitor.get("/sign-in?lang=en", **{"accept-language": "zh"})).text
    assert "Password" in (await visitor.get("/sign-in", **{"accept-language": "zh"})).text
