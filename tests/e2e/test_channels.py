"""kill -9 of the worker after mail, chat and webhooks were taken: nothing is lost, and a repeat is the same."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx2
import orjson
import pytest
from standardwebhooks import Webhook

from domain.decider import COMMANDS
from projections.deliveries import Deliveries, DeliveryRow
from projections.profiles import CHAT, MAILBOX, Profiles
from tests.e2e.system import System, running
from tests.mailing import Postman, mailing
from tests.receiving import Receiver, Reply, receiving
from tests.vaults import keys_of

pytestmark = pytest.mark.slow
PMO, READER, ADDRESS = "pei.min", "pan.mei", "pan.mei@mail.example"
TOKEN = "abcdefghij0123456789abcdef"
PATIENCE = 60.0
LATE = 8.0
"""So long a receiver takes over a message that it has taken already: time for a kill."""
PROJECTS, LESSONS = 4, 15
LESSON = COMMANDS["CaptureLesson"].example


@dataclass(frozen=True)
class Site:
    """A system, and where it tells people."""

    system: System
    postman: Postman
    chat: Receiver


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    async with mailing() as postman, receiving(lambda _: Reply(200)) as chat:
        settings = {
            "TANDEM_SMTP_URL": postman.url,
            "TANDEM_MAIL_FROM": "tandem@tandem.example",
            "TANDEM_CHAT_PRIVATE_ADDRESSES": "true",
            "TANDEM_WEBHOOK_PRIVATE_ADDRESSES": "true",
            "TANDEM_WEBHOOK_KEY": "a key of the test's own",
        }
        async with running(settings) as system:
            yield Site(system, postman, chat)


async def test_kill_9_after_mail_and_chat_were_taken_and_before_that_was_noted(site: Site) -> None:
    room = site.chat.url.replace("http://", "mmost://").replace("/hook", f"/{TOKEN}")
    await reached(site, READER, MAILBOX, ADDRESS)
    await reached(site, PMO, CHAT, room)
    site.postman.seconds, site.chat.script = LATE, lambda _: Reply(200, seconds=LATE)
    async with asyncio.timeout(PATIENCE), site.system.person(PMO) as pmo:
        await started(pmo)
        (mail,), (said,) = await site.postman.until(1, PATIENCE), await site.chat.until(1, PATIENCE)
        site.system.kill("worker")
        site.postman.seconds, site.chat.script = 0, lambda _: Reply(200)
        await site.system.restart("worker")
        repeated, said_again = (await site.postman.until(2, PATIENCE))[1], (await site.chat.until(2, PATIENCE))[1]
        assert (mail["To"], repeated["Message-ID"]) == (ADDRESS, mail["Message-ID"])
        assert text_of(said_again.body) == text_of(said.body)
        event = UUID(mail["Message-ID"].strip("< ").split(".")[0])
        for person, channel in ((READER, "mail"), (PMO, "chat")):
            row = await delivered(site.system, event, person, channel)
            assert (row.state, row.attempts) == ("delivered", 2)


async def reached(site: Site, person: str, place: str, address: str) -> None:
    """From now on this person is told there, as if the address had been confirmed."""
    store = await site.system.store()
    try:
        assert await Profiles(keys_of(store)).change(person, {place: address})
    finally:
        await store.close()
    async with site.system.person(person) as client:
        answer = await client.patch("/v1/me/preferences", json={"mail" if place == MAILBOX else "chat": True})
        assert answer.status_code == 200, answer.text


def text_of(body: bytes) -> str:
    """What a chat was told, with the reference at its end."""
    text = str(orjson.loads(body)["text"])
    assert "Ref. " in text
    return text


async def delivered(system: System, event: UUID, person: str, channel: str) -> DeliveryRow:
    """What became of a notice, once something has."""
    store = await system.store()
    try:
        while True:
            rows = await Deliveries(store.pool).of_event(event)
            for row in rows:
                if (row.recipient, row.channel, row.state) == (person, channel, "delivered"):
                    return row
            # A delivery has no event to wait for.
            await asyncio.sleep(0.1)
    finally:
        await store.close()


async def test_kill_9_of_the_worker_loses_no_event_and_repeats_under_the_same_id(site: Site) -> None:
    system = site.system
    async with receiving(lambda _: Reply(204, seconds=0.05)) as receiver:
        async with system.person(PMO) as client:
            wanted = {"url": receiver.url, "types": ["LessonCaptured"]}
            webhook = (await client.post("/v1/webhooks", json=wanted)).json()
            projects = [await started(client) for _ in range(PROJECTS)]
            learning = asyncio.create_task(learn(client, projects))
            await receiver.until(10, seconds=60)
            system.kill("worker")
            assert len(receiver.got) < PROJECTS * LESSONS, "it was too quick to be interrupted"
            await system.restart("worker")
            await learning
            await receiver_has(receiver, PROJECTS * LESSONS)
        await everything_came_in_order(system, receiver, projects)
        for got in receiver.got:
            assert Webhook(webhook["secret"]).verify(got.body, dict(got.headers))["id"] == got.id
        await no_secret_is_readable(system, webhook["secret"])


async def started(client: httpx2.AsyncClient) -> str:
    answer = await client.post("/v1/projects", json=COMMANDS["StartProject"].example)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def learn(client: httpx2.AsyncClient, projects: list[str]) -> None:
    for number in range(LESSONS):
        await asyncio.gather(*(learned(client, project, number) for project in projects))


async def learned(client: httpx2.AsyncClient, project: str, number: int) -> None:
    body, key = {**LESSON, "text": f"Lesson {number}"}, {"Idempotency-Key": str(uuid4())}
    path = f"/v1/projects/{project}/capture-lesson"
    answer = await client.post(path, json=body, headers=key)
    assert answer.status_code == 200, answer.text


async def receiver_has(receiver: Receiver, count: int) -> None:
    """Wait until so many different events have come."""
    async with asyncio.timeout(60):
        # They come from other processes, and the receiver's own condition counts repeats.
        while len({got.id for got in receiver.got}) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def everything_came_in_order(system: System, receiver: Receiver, projects: list[str]) -> None:
    store = await system.store()
    try:
        facts = await store.feed(-1, 1000, ["LessonCaptured"])
    finally:
        await store.close()
    times = Counter(got.id for got in receiver.got)
    assert set(times) == {str(fact.event_id) for fact in facts}
    bodies = {(got.id, got.body) for got in receiver.got}
    assert len(bodies) == len(times), "a repeat differs from what was sent first"
    for project in projects:
        first = list(dict.fromkeys(got.id for got in receiver.got if got.event["subject"] == project))
        assert first == [str(fact.event_id) for fact in facts if fact.stream == f"project-{project}"]


async def no_secret_is_readable(system: System, secret: str) -> None:
    """Neither in the database, which has it sealed, nor in any log."""
    store = await system.store()
    try:
        (kept,) = await store.pool.fetch("SELECT w.id, s.kept FROM tandem.webhook w, tandem.webhook_secrets(w.id) s")
    finally:
        await store.close()
    assert secret.encode() not in kept["kept"]
    for name in ("worker", "server", "temporal", "postgres"):
        log = system.home.log(name)
        if log.exists():
            assert secret not in log.read_text(encoding="utf-8", errors="replace")
