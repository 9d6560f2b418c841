"""kill -9 of the worker while events are being delivered: nothing is lost, and a repeat carries the same id."""

import asyncio
from collections import Counter
from uuid import uuid4

import httpx2
import pytest
from standardwebhooks import Webhook

from domain.decider import COMMANDS
from tests.e2e.system import System, running
from tests.receiving import Receiver, Reply, receiving

PMO = "pei.min"
PROJECTS, LESSONS = 4, 15
LESSON = COMMANDS["CaptureLesson"].example


@pytest.mark.slow
async def test_kill_9_of_the_worker_loses_nothing_and_repeats_under_the_same_id() -> None:
    settings = {"TANDEM_WEBHOOK_PRIVATE_ADDRESSES": "true", "TANDEM_WEBHOOK_KEY": "a key of the test's own"}
    async with running(settings) as system, receiving(lambda _: Reply(204, seconds=0.05)) as receiver:
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
