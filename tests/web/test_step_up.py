"""Decisions that ask for presence, on the pages: where a vote leads, how one proves to be there, what is kept of it."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from activities.messages import Submission
from api.parts import Parts
from auth.links import Links
from auth.sessions import Sessions
from domain.decider import COMMANDS
from domain.refusals import Refused
from domain.template import Kind
from store.postgres import PostgresStore
from tests.api import journey
from tests.api.asking import PMO, PRODUCT, Api, named, problem
from tests.auth.providing import Provider, process, provider
from tests.envelopes import CHECK, SIGNER
from tests.web.conftest import ORIGIN
from tests.web.test_passwords import locked, with_password
from tests.web.test_signing import GOOD, link_of
from tests.web.through import app, come_back, openid
from tests.web.visiting import Form, Reader, Visitor
from web.provider import TROUBLES
from web.step_up import COOKIE

__all__ = ["app", "openid", "process", "provider"]
REASON = "The budget 预算 is too small"
REJECT = {"/value": "REJECT", "/reason": REASON}


@pytest.fixture
async def path(api: Api, behind: Parts) -> str:
    """The page of a decision that asks for presence in the last ten minutes."""
    policy = behind.step.templates["standard"]
    asking = policy.decisions[Kind.AGREEMENT].model_copy(update={"step_up_minutes": 10})
    decisions = {**policy.decisions, Kind.AGREEMENT: asking}
    behind.step.templates = {"standard": policy.model_copy(update={"decisions": decisions})}
    project = await journey.to_kpi_agreement(api)
    await api.do(project, "propose-agreement", COMMANDS["ProposeAgreement"].example, PRODUCT)
    found = next(d for d in (await api.state(project))["decisions"] if d["open"])
    return f"/projects/{project}/decisions/{found['id']}"


@pytest.fixture
async def pmo(visitor: Visitor, store: PostgresStore) -> Visitor:
    """The PMO's browser, signed in eleven minutes ago."""
    await visitor.post(await link_of(store))
    await with_password(store)
    await eleven_minutes_later(store)
    return visitor


async def eleven_minutes_later(store: PostgresStore) -> None:
    await store.pool.execute("UPDATE tandem.session SET confirmed_at = now() - $1::interval", timedelta(minutes=11))


async def form_of(visitor: Visitor, path: str) -> Form:
    return next(form for form in Reader((await visitor.get(path)).text).forms if form.action == path)


async def sent_too_early(visitor: Visitor, path: str) -> None:
    """A vote that leads to the page that asks for presence."""
    answer = await visitor.submit(path, await form_of(visitor, path), **REJECT)
    assert (answer.status_code, answer.headers["location"]) == (303, asking(path))


def asking(path: str) -> str:
    return f"/confirm-presence?next={path.replace('/', '%2F')}"


async def kept(visitor: Visitor, path: str) -> tuple[str, str]:
    """What the form says by itself."""
    fields = (await form_of(visitor, path)).fields
    return fields.get("/value", ""), fields["/reason"]


async def ballots(api: Api, path: str) -> int:
    project, decision = path.split("/")[2], path.split("/")[4]
    return next(len(d["ballots"]) for d in (await api.state(project))["decisions"] if d["id"] == decision)


async def test_a_password_leads_back_to_what_was_typed(pmo: Visitor, path: str, api: Api) -> None:
    await sent_too_early(pmo, path)
    assert await ballots(api, path) == 0
    page = await pmo.get(asking(path))
    confirm = next(form for form in Reader(page.text).forms if form.action == "/confirm-presence")
    answer = await pmo.submit("/confirm-presence", confirm, password=GOOD)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert await ballots(api, path) == 0, "whoever confirms has not voted yet"
    form = await form_of(pmo, path)
    assert (form.fields["/value"], form.fields["/reason"]) == ("REJECT", REASON)
    assert await kept(pmo, path) == ("", ""), "shown once"
    assert (await pmo.submit(path, form)).headers["location"].startswith(path)
    assert await ballots(api, path) == 1


async def test_the_event_keeps_when_the_voter_was_there(pmo: Visitor, path: str, api: Api) -> None:
    await pmo.post("/confirm-presence", {"next": path, "password": GOOD})
    await pmo.submit(path, await form_of(pmo, path), **REJECT)
    events = (await api.get(f"/v1/projects/{path.split('/')[2]}/events?limit=200")).json()["items"]
    cast = next(event for event in events if event["type"] == "VoteCast" and event["data"]["value"] == "REJECT")
    assert cast["metadata"]["auth"]["confirmed_at"] <= cast["recorded_at"]
    assert "auth" not in events[0]["metadata"], "a name on trust proves nothing"


async def test_a_wrong_password_confirms_nothing_and_too_many_lock(
    pmo: Visitor, path: str, store: PostgresStore
) -> None:
    assert (await pmo.post("/confirm-presence", {"password": "wrong guess"})).status_code == 403
    await locked(store)
    assert (await pmo.post("/confirm-presence", {"password": GOOD})).status_code == 429
    await sent_too_early(pmo, path)


async def test_looking_at_the_page_confirms_nothing(pmo: Visitor, path: str) -> None:
    page = (await pmo.get(asking(path))).text
    assert PMO in page
    await pmo.get(f"/sign-in/provider?anew=yes&next={path}")
    await sent_too_early(pmo, path)
    foreign = await pmo.post("/confirm-presence", {"password": GOOD}, **{"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    await sent_too_early(pmo, path)


async def test_whoever_confirms_is_led_to_no_other_site(pmo: Visitor) -> None:
    for elsewhere in ("//evil.test", "https://evil.test"):
        answer = await pmo.post("/confirm-presence", {"next": elsewhere, "password": GOOD})
        assert answer.headers["location"] == "/"


async def test_a_fresh_link_does_too(pmo: Visitor, path: str, store: PostgresStore, api: Api) -> None:
    await sent_too_early(pmo, path)
    link = f"/sign-in/{await Links(store.pool).make('sign-in', PMO, 'test')}"
    assert (await pmo.post(link)).headers["location"] == path
    form = await form_of(pmo, path)
    assert form.fields["/reason"] == REASON
    await pmo.submit(path, form)
    assert await ballots(api, path) == 1


async def test_what_was_typed_is_for_its_writer_alone(pmo: Visitor, path: str, store: PostgresStore) -> None:
    await sent_too_early(pmo, path)
    rows = await store.pool.fetch("SELECT to_jsonb(d)::text, sealed FROM tandem.draft d")
    assert rows
    assert not any(word in str(rows) for word in ("budget", PMO, "REJECT"))
    secret = pmo.client.cookies[COOKIE]
    async with httpx2.AsyncClient(transport=pmo.client._transport, base_url=ORIGIN) as client:
        other = Visitor(client)
        await other.post(await link_of(store, PRODUCT))
        client.cookies.set(COOKIE, secret)
        assert await kept(other, path) == ("", "")
    assert await kept(pmo, path) == ("REJECT", REASON)


async def ballot_of(visitor: Visitor, path: str) -> dict[str, object]:
    """A vote as a program sends it."""
    fields = (await form_of(visitor, path)).fields
    about = {"decision": fields["/decision"], "content_hash": fields["/content_hash"]}
    return about | {"value": "APPROVE", "revision": int(fields["/revision"])}


async def test_no_token_signs_there_and_nobody_on_trust(pmo: Visitor, path: str, api: Api) -> None:
    await pmo.post("/confirm-presence", {"next": path, "password": GOOD})
    vote, made = await ballot_of(pmo, path), await api.post("/v1/me/tokens", {"name": "x", "scopes": ["read", "act"]})
    for headers in (named(PMO), {"Authorization": f"Bearer {made.json()['secret']}"}):
        answer = await api.client.post(f"/v1/projects/{path.split('/')[2]}/vote", json=vote, headers=headers)
        assert problem(answer, 403, "StepUpNeeded")["rule"] == "A2"


async def test_a_signed_vote_carries_when_its_voter_was_there(pmo: Visitor, path: str, api: Api, behind: Parts) -> None:
    behind.door._signer = SIGNER
    await pmo.post("/confirm-presence", {"next": path, "password": GOOD})
    cookie = {"Cookie": f"tandem_session={pmo.client.cookies['tandem_session']}"}
    project, vote = path.split("/")[2], await ballot_of(pmo, path)
    signed = await api.client.post(f"/v1/projects/{project}/vote?sign=only", json=vote, headers=cookie)
    carried = Submission.model_validate(signed.json()["input"])
    assert carried.confirmed_at is not None
    CHECK.check(project, carried, datetime.now(UTC))
    for forged in (None, carried.confirmed_at + timedelta(minutes=5)):
        with pytest.raises(Refused):
            CHECK.check(project, carried.model_copy(update={"confirmed_at": forged}), datetime.now(UTC))


async def test_signing_in_again_at_the_provider_confirms(pmo: Visitor, path: str, provider: Provider, api: Api) -> None:
    await sent_too_early(pmo, path)
    assert f"/sign-in/provider?anew=yes&next={path}" in Reader((await pmo.get(asking(path))).text).links
    back = await come_back(pmo, provider, PMO, f"/sign-in/provider?anew=yes&next={path}")
    assert (await pmo.get(back)).headers["location"] == path
    await pmo.submit(path, await form_of(pmo, path))
    assert await ballots(api, path) == 1


async def test_a_provider_that_asks_nobody_confirms_nothing(pmo: Visitor, path: str, provider: Provider) -> None:
    for different, person, code in (
        ({"slept": 600}, PMO, "NotAnew"),
        ({"claims": {"auth_time": None}}, PMO, "NotAnew"),
        ({}, PRODUCT, "NotTheSamePerson"),
    ):
        provider.told(**different)
        back = await come_back(pmo, provider, person, f"/sign-in/provider?anew=yes&next={path}")
        answer = await pmo.get(back)
        assert (answer.status_code, TROUBLES[code][1] in answer.text) == (403, True)
        await sent_too_early(pmo, path)


async def test_a_journey_that_another_session_began_confirms_nothing(
    pmo: Visitor, path: str, provider: Provider, store: PostgresStore
) -> None:
    back = await come_back(pmo, provider, PMO, f"/sign-in/provider?anew=yes&next={path}")
    await pmo.post(await link_of(store))
    await eleven_minutes_later(store)
    assert TROUBLES["HandshakeLost"][1] in (await pmo.get(back)).text
    await sent_too_early(pmo, path)
    assert all(one.way == "link" for one in await Sessions(store.pool).of(PMO))
