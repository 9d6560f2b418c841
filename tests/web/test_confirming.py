"""Links of mails: for one person, one decision and one revision, for a while; and none of them decides."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr

import server
import worker
from activities.follow import ProjectSteps
from activities.messages import Follow, NoticeMessage
from api.parts import Parts
from auth.confirmation import LASTING
from auth.passwords import Passwords
from config import Settings
from domain.decider import COMMANDS
from notifications.letters import Writer
from notifications.mail import MailServer
from store.postgres import PostgresStore
from tests.api import journey
from tests.api.asking import PMO, PRODUCT, Api
from tests.mailing import Postman, mailing
from tests.web.conftest import CONFIRMATIONS
from tests.web.scanning import Scanner
from tests.web.test_signing import GOOD, link_of
from tests.web.visiting import Form, Reader, Visitor

NOW = datetime.now(UTC)
SENDER = "tandem@tandem.example"
AGREEMENT = COMMANDS["ProposeAgreement"].example


@pytest.fixture
async def project(api: Api) -> str:
    """A KPI agreement, D-2, waits to be signed by the PMO and the product manager."""
    made = await journey.to_kpi_agreement(api)
    await api.do(made, "propose-agreement", AGREEMENT, PRODUCT)
    return made


def link(project: str, person: str = PMO, told: datetime | None = None, revision: int = 1) -> str:
    return f"/confirm/{CONFIRMATIONS.token(project, 'D-2', revision, person, told or NOW)}"


async def signed_in(visitor: Visitor, store: PostgresStore, person: str = PMO) -> Visitor:
    await visitor.post(await link_of(store, person))
    return visitor


def form_of(page: str, path: str) -> Form:
    return next(form for form in Reader(page).forms if form.action == path)


async def ballots(api: Api, project: str, number: int = 1) -> list[tuple[str, str]]:
    return [(b["person"], b["choice"]) for b in (await api.state(project))["decisions"][number]["ballots"]]


async def test_the_link_shows_the_decision_and_its_button_signs_exactly_that(
    visitor: Visitor, api: Api, project: str, store: PostgresStore
) -> None:
    await signed_in(visitor, store)
    page = await visitor.get(link(project))
    assert page.status_code == 200
    assert "Nothing has happened yet" in page.text
    shown = (await api.state(project))["decisions"][1]["subject"]
    form = form_of(page.text, link(project))
    assert (form.fields["/content_hash"], form.fields["/revision"]) == (shown["content_hash"], "1")
    assert await ballots(api, project) == []
    for _ in range(2):
        answer = await visitor.submit(link(project), form, **{"/value": "APPROVE"})
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith(f"/projects/{project}/decisions/D-2")
    assert await ballots(api, project) == [(PMO, "APPROVE")]


async def test_a_stranger_signs_in_first_and_comes_back(
    visitor: Visitor, api: Api, project: str, store: PostgresStore
) -> None:
    await Passwords(store.pool).set(PMO, GOOD)
    asked = await visitor.get(link(project))
    assert asked.status_code == 303
    form = form_of((await visitor.get(asked.headers["location"])).text, "/sign-in")
    signed = await visitor.submit("/sign-in", form, person=PMO, password=GOOD)
    assert signed.headers["location"] == link(project)


async def test_the_link_of_somebody_else_shows_and_signs_nothing(
    visitor: Visitor, api: Api, project: str, store: PostgresStore
) -> None:
    await signed_in(visitor, store, PRODUCT)
    content = (await api.state(project))["decisions"][1]["subject"]["content_hash"]
    for answer in (
        await visitor.get(link(project)),
        await visitor.post(link(project), {"/value": "APPROVE", "/content_hash": content}),
    ):
        assert answer.status_code == 403
        assert "somebody else" in answer.text
        assert content not in answer.text
    assert await ballots(api, project) == []


async def test_a_forged_or_expired_link_is_dead(visitor: Visitor, api: Api, project: str, store: PostgresStore) -> None:
    await signed_in(visitor, store)
    late = link(project, told=datetime.now(UTC) - LASTING - timedelta(seconds=1))
    content = (await api.state(project))["decisions"][1]["subject"]["content_hash"]
    for path, status in ((late, 410), (link(project)[:-2] + "xx", 404), ("/confirm/x", 404)):
        for answer in (
            await visitor.get(path),
            await visitor.post(path, {"/value": "APPROVE", "/content_hash": content}),
        ):
            assert answer.status_code == status, path
    assert await ballots(api, project) == []


async def test_what_was_changed_since_says_so_and_leads_to_what_is_decided_now(
    visitor: Visitor, api: Api, project: str, store: PostgresStore
) -> None:
    await signed_in(visitor, store)
    form = form_of((await visitor.get(link(project))).text, link(project))
    other = {**AGREEMENT, "content": {**AGREEMENT["content"], "assumptions": ["The provider delivers in June"]}}
    await api.do(project, "propose-agreement", {**other}, PRODUCT)
    page = await visitor.get(link(project))
    assert "no longer being decided" in page.text
    assert f"/projects/{project}/decisions/D-3" in Reader(page.text).links
    assert not [form for form in Reader(page.text).forms if form.action == link(project)]
    refused = await visitor.submit(link(project), form, **{"/value": "APPROVE"})
    assert refused.status_code == 409
    assert await ballots(api, project, 1) == await ballots(api, project, 2) == []


async def test_content_of_another_hash_is_not_signed_by_a_link(
    visitor: Visitor, api: Api, project: str, store: PostgresStore
) -> None:
    await signed_in(visitor, store)
    form = form_of((await visitor.get(link(project))).text, link(project))
    stale = await visitor.submit(link(project), form, **{"/value": "APPROVE", "/content_hash": "0" * 64})
    assert stale.status_code == 409
    assert await ballots(api, project) == []


def test_the_server_knows_the_links_that_the_worker_writes() -> None:
    settings = Settings(_env_file=None, vault_key=SecretStr("ab" * 32), public_url="https://tandem.example")
    told = NoticeMessage(
        event_id=str(uuid4()), project_id="p", code="P-1", kind="x", recipient=PMO, en="x", zh="x", ref="D-2"
    )
    asked = told.model_copy(update={"revision": 3, "told_at": NOW})
    found = server.site(settings).confirmations.read(worker.writer(settings).link(asked).rpartition("/")[2])
    assert found
    assert (found.project, found.decision, found.revision, found.person) == ("p", "D-2", 3, PMO)
    for nobodys in (told, asked.model_copy(update={"recipient": "#room"})):
        assert worker.writer(settings).link(nobodys) == "https://tandem.example/projects/p/decisions/D-2"


@pytest.fixture
async def postman() -> AsyncIterator[Postman]:
    async with mailing() as started:
        yield started


async def mailed(behind: Parts, project: str, postman: Postman) -> list[str]:
    """Whatever the project has to tell goes out by mail; the paths of all links that arrive."""
    situation = await ProjectSteps(behind.store, behind.step).follow(Follow(project_id=project, seen=0))
    writer = Writer("http://tandem.test", SENDER, CONFIRMATIONS)
    carrier = MailServer.read(postman.url, SENDER)
    for notice in situation.notices:
        for language in ("en", "zh"):
            await carrier.carry(writer.write(notice, "mail", language, "UTC"), "reader@mail.example")
    bodies = [str(part.get_content()) for mail in postman.mails for part in mail.iter_parts()]
    return sorted({found for body in bodies for found in re.findall(r"http://tandem\.test(/[^\s\"<]*)", body)})


async def test_a_scanner_that_follows_every_link_of_every_mail_and_submits_every_form_decides_nothing(
    visitor: Visitor, api: Api, project: str, behind: Parts, postman: Postman, store: PostgresStore
) -> None:
    links = await mailed(behind, project, postman)
    assert len([path for path in links if path.startswith("/confirm/")]) >= 4
    before = await store.pool.fetchval("SELECT count(*) FROM tandem.event")
    scanner = Scanner(visitor)
    await scanner.scan(*links, "/sign-in", f"/confirm/{project}/D-1", f"/projects/{project}/decisions/D-2")
    assert len(scanner.seen) > 8
    for path in (f"/projects/{project}/decisions/D-2", "/messages/1/read", "/account/tokens", links[-1]):
        assert (await visitor.post(path, {"/value": "APPROVE"})).headers["location"] == "/sign-in"
    assert await store.pool.fetchval("SELECT count(*) FROM tandem.event") == before


async def test_following_links_decides_nothing_for_whoever_is_signed_in_either(
    visitor: Visitor, api: Api, project: str, behind: Parts, postman: Postman, store: PostgresStore
) -> None:
    links = await mailed(behind, project, postman)
    await signed_in(visitor, store)
    before = await store.pool.fetchval("SELECT count(*) FROM tandem.event")
    for path in links:
        for method in ("HEAD", "GET", "OPTIONS"):
            assert (await visitor.client.request(method, path)).status_code < 500
    assert await store.pool.fetchval("SELECT count(*) FROM tandem.event") == before
