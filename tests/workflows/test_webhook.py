"""Events on their way to an endpoint: in order per project, tried for days, on a server that skips time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook as Verifier
from temporalio.client import WorkflowExecutionStatus

from activities.herald import Herald, WebhookEngine
from activities.retrying import DELAYS, PATIENCE, SPREAD
from domain.messages import COMMANDS, Actor, Envelope
from store.lockbox import Lockbox
from store.owed import Owed
from store.webhooks import Line, Webhook, Webhooks
from tests.receiving import Receiver, Reply, always, receiving
from tests.workflows.world import PMO, World

OWNER = "ci.robot"
SECRET = "whsec_" + "dGFuZGVtIHRhbmRlbSB0YW5kZW0="
LESSON = COMMANDS["CaptureLesson"].example
EVERY_KEY = f"person/{PMO}"


@dataclass
class Post:
    """A world, and what is kept of its webhooks."""

    world: World

    def __post_init__(self) -> None:
        self.webhooks = Webhooks(self.world.store.pool, Lockbox())
        self.owed = Owed(self.world.store.pool, Lockbox())
        self.engine = WebhookEngine(self.world.client, self.world.queue)

    async def endpoint(self, url: str, types: list[str] | None = None) -> UUID:
        """An endpoint that gets everything from now on."""
        at, head = datetime.now(UTC), await self.world.store.head()
        fresh = Webhook(uuid4(), OWNER, url, "", types, None, True, None, head - 1, at, at, None, None, 0)
        assert await self.webhooks.create(fresh, SECRET, 10)
        return fresh.id

    async def learn(self, project: str, times: int = 1) -> list[str]:
        """So many lessons in the project; their events' ids."""
        outcomes = [await self.world.do(project, PMO, "CaptureLesson", **LESSON) for _ in range(times)]
        facts = await self.world.events(project, "LessonCaptured")
        assert len(outcomes) == times
        return [str(fact.event_id) for fact in facts[-times:]]

    async def project(self) -> str:
        """A project whose lifecycle does not act meanwhile."""
        project_id, world = str(uuid4()), self.world
        at = (await world.environment.get_current_time()).astimezone(UTC)
        start = Envelope(str(uuid4()), project_id, "StartProject", Actor(PMO), at, COMMANDS["StartProject"].example)
        outcome = await world.step.submit(start, code=f"P-{project_id[:8]}")
        await world.engine.wake(project_id, outcome.version)
        await self.world.recorded(project_id, "StageClockStarted")
        await self.world.followed(project_id)
        return project_id

    async def log(self, webhook: UUID, **only: object) -> list[Line]:
        return (await self.webhooks.log(webhook, [EVERY_KEY], 200, **only))[::-1]

    async def kept(self, webhook: UUID) -> Webhook:
        found = await self.webhooks.get(OWNER, webhook)
        assert found is not None
        return found

    async def logged(self, webhook: UUID, count: int) -> list[Line]:
        """The log, once it has so many lines."""

        async def there() -> bool:
            return len(await self.log(webhook)) >= count

        await self.world.until(there)
        return await self.log(webhook)

    async def ended(self, webhook: UUID, result: str) -> None:
        handle = self.world.client.get_workflow_handle(f"webhook-{webhook}")
        assert await handle.result() == result


@pytest.fixture
def post(world: World) -> Post:
    return Post(world)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def test_events_come_in_order_signed_and_once(post: Post, receiver: Receiver) -> None:
    project = await post.project()
    webhook = await post.endpoint(receiver.url)
    ids = await post.learn(project, 5)
    await post.engine.tell(webhook)
    got = await receiver.until(5)
    assert [one.id for one in got] == ids
    for one in got:
        assert Verifier(SECRET).verify(one.body, dict(one.headers))["id"] == one.id
    assert {one.event["type"] for one in got} == {"tandem.project.lesson_captured.v1"}
    assert {one.event["subject"] for one in got} == {project}
    await post.engine.tell(webhook)
    more = await post.learn(project)
    await post.engine.tell(webhook)
    assert [one.id for one in await receiver.until(6)] == ids + more


async def test_it_is_tried_for_days_and_then_disabled(post: Post, receiver: Receiver) -> None:
    receiver.script = always(500)
    project = await post.project()
    webhook = await post.endpoint(receiver.url)
    (event,) = await post.learn(project)
    await post.engine.tell(webhook)
    await post.logged(webhook, 1)
    await post.world.pass_days(5)
    await post.ended(webhook, "disabled")
    lines = await post.log(webhook)
    assert [line.attempt for line in lines] == list(range(1, len(lines) + 1))
    assert {one.id for one in receiver.got} == {event}
    assert [line.state for line in lines] == ["retrying"] * (len(lines) - 1) + ["failed"]
    for before, after in pairwise(lines):
        wait = DELAYS[min(before.attempt, len(DELAYS)) - 1]
        assert before.next_at is not None
        assert wait * (1 - SPREAD) <= before.next_at - before.at <= wait * (1 + SPREAD)
        assert after.at >= before.next_at - timedelta(seconds=1)
    assert lines[-1].at - lines[0].at >= PATIENCE
    kept = await post.webhooks.get(OWNER, webhook)
    assert kept is not None
    assert (kept.enabled, kept.disabled_because, kept.lanes) == (False, "nothing got through for days", 1)


async def test_enabled_again_it_goes_on_where_it_stopped(post: Post, receiver: Receiver) -> None:
    receiver.script = always(410)
    project = await post.project()
    webhook = await post.endpoint(receiver.url)
    ids = await post.learn(project, 3)
    await post.engine.tell(webhook)
    await post.ended(webhook, "disabled")
    assert [line.state for line in await post.log(webhook)] == ["failed"]
    kept = await post.webhooks.get(OWNER, webhook)
    assert kept is not None
    assert kept.disabled_because == "the endpoint answered 410 Gone"
    receiver.script, receiver.got = always(200), []
    await post.webhooks.change(Webhook(**_fields(kept) | {"enabled": True}), afresh=True)
    await post.engine.tell(webhook)
    assert [one.id for one in await receiver.until(3)] == ids


async def test_one_project_that_fails_holds_no_other_up(post: Post, receiver: Receiver) -> None:
    bad, good = await post.project(), await post.project()
    receiver.script = lambda got: Reply(500 if got.event["subject"] == bad else 204)
    webhook = await post.endpoint(receiver.url)
    first = await post.learn(bad, 2)
    others = await post.learn(good, 3)
    await post.engine.tell(webhook)
    await receiver.until(4)
    assert [one.id for one in receiver.got if one.event["subject"] == good] == others
    assert {one.id for one in receiver.got if one.event["subject"] == bad} == {first[0]}
    more, later = await post.learn(bad), await post.learn(good)
    await post.engine.tell(webhook)
    await post.logged(webhook, 5)
    assert [one.id for one in receiver.got if one.event["subject"] == good] == others + later
    receiver.script, receiver.got = always(204), []
    await post.world.pass_days(0.1)
    assert [one.id for one in await receiver.until(3)] == first + more


async def test_429_is_left_alone_as_long_as_it_asks(post: Post, receiver: Receiver) -> None:
    receiver.script = always(429, Retry_After="7200")
    one, other = await post.project(), await post.project()
    webhook = await post.endpoint(receiver.url)
    await post.learn(one)
    await post.engine.tell(webhook)
    (line,) = await post.logged(webhook, 1)
    assert line.next_at is not None
    assert line.next_at - line.at == timedelta(hours=2)
    await post.learn(other)
    await post.engine.tell(webhook)
    await post.world.pass_days(1 / 24)
    assert len(await post.log(webhook)) == 1
    receiver.script = always(204)
    await post.world.pass_days(1.1 / 24)
    lines = await post.logged(webhook, 3)
    assert [line.status for line in lines] == [429, 204, 204]


async def test_what_hangs_or_breaks_off_is_tried_again(post: Post, receiver: Receiver) -> None:
    replies = iter([Reply(None), Reply(302, {"Location": receiver.url}), Reply(200, seconds=0.2)])
    receiver.script = lambda _: next(replies)
    project = await post.project()
    webhook = await post.endpoint(receiver.url)
    (event,) = await post.learn(project)
    await post.engine.tell(webhook)
    await post.logged(webhook, 1)
    await post.world.pass_days(0.05)
    lines = await post.logged(webhook, 3)
    assert [line.status for line in lines] == [None, 302, 200]
    assert [line.problem for line in lines] == ["no answer within 1 seconds", "redirects are not followed", ""]
    assert lines[-1].latency_ms >= 200
    assert [one.id for one in receiver.got] == [event] * 3


async def test_a_test_comes_even_while_it_is_paused_and_is_not_repeated(post: Post, receiver: Receiver) -> None:
    receiver.script = always(503, Retry_After="3600")
    project = await post.project()
    webhook = await post.endpoint(receiver.url)
    await post.learn(project)
    await post.engine.tell(webhook)
    await post.logged(webhook, 1)
    probe = uuid4()
    await post.webhooks.ask_for_test(webhook, probe)
    await post.engine.tell(webhook)
    (line,) = [line for line in await post.logged(webhook, 2) if line.kind == "test"]
    assert (line.state, line.status, line.event_id) == ("failed", 503, probe)
    assert receiver.got[-1].event["type"] == "tandem.webhook.test.v1"


async def test_what_was_delivered_is_sent_again_on_demand(post: Post, receiver: Receiver) -> None:
    project = await post.project()
    webhook = await post.endpoint(receiver.url)
    ids = await post.learn(project, 3)
    await post.engine.tell(webhook)
    await receiver.until(3)
    facts = await post.world.events(project, "LessonCaptured")
    receiver.got = []
    await post.webhooks.ask_again(webhook, facts[:2])
    await post.engine.tell(webhook)
    assert [one.id for one in await receiver.until(2)] == ids[:2]
    assert [line.kind for line in await post.logged(webhook, 5)] == ["event"] * 3 + ["resend"] * 2


async def test_what_the_owner_does_not_see_any_more_is_passed_over(post: Post, receiver: Receiver) -> None:
    """Also what waited to be tried again, and what was asked for again, while the project was open."""
    receiver.script = always(500)
    project, other = await post.project(), await post.project()
    webhook = await post.endpoint(receiver.url, ["LessonCaptured"])
    (waiting,) = await post.learn(project)
    await post.engine.tell(webhook)
    await post.logged(webhook, 1)
    await post.world.do(project, PMO, "ChangeVisibility", visibility="CONFIDENTIAL", reason="A merger")
    await post.learn(project)
    ids = await post.learn(other)
    receiver.script, receiver.got = always(200), []
    await post.webhooks.ask_again(webhook, await post.world.events(project, "LessonCaptured"))
    await post.webhooks.change(replace(await post.kept(webhook), url=receiver.url), afresh=True)
    await post.engine.tell(webhook)
    assert [one.id for one in await receiver.until(1)] == ids
    await post.logged(webhook, 2)
    assert waiting not in {one.id for one in receiver.got}
    keys = ["person/somebody"]
    assert [str(line.event_id) for line in await post.webhooks.log(webhook, keys, 10)] == ids
    assert await post.webhooks.line(webhook, keys, (await post.webhooks.log(webhook, keys, 1))[0].id) is not None


async def test_both_secrets_sign_until_the_old_one_ends(post: Post, receiver: Receiver) -> None:
    project = await post.project()
    webhook = await post.endpoint(receiver.url)
    await post.webhooks.rotate(webhook, fresh := "whsec_" + "bmV3ZXIgbmV3ZXIgbmV3ZXI=", timedelta(hours=1))
    await post.learn(project)
    await post.engine.tell(webhook)
    (got,) = await receiver.until(1)
    assert len(got.headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, fresh):
        assert Verifier(secret).verify(got.body, dict(got.headers))


async def test_a_deleted_endpoint_is_removed_with_its_log(post: Post, receiver: Receiver) -> None:
    project = await post.project()
    webhook = await post.endpoint(receiver.url)
    await post.learn(project)
    await post.engine.tell(webhook)
    await post.logged(webhook, 1)
    assert await post.webhooks.remove(OWNER, webhook)
    herald = Herald(post.world.store, post.owed, post.engine)
    assert await herald.once(datetime.now(UTC)) == 1
    await post.ended(webhook, "gone")
    assert await post.log(webhook) == []


async def test_neither_secret_nor_content_is_in_the_history(post: Post, receiver: Receiver) -> None:
    project = await post.project()
    webhook = await post.endpoint(receiver.url)
    await post.learn(project)
    await post.engine.tell(webhook)
    await post.logged(webhook, 1)
    history = (await post.world.client.get_workflow_handle(f"webhook-{webhook}").fetch_history()).to_json()
    assert "whsec_" not in history
    assert SECRET.removeprefix("whsec_") not in history
    assert LESSON["text"] not in history


async def test_the_herald_tells_once_and_again_only_when_there_is_more(post: Post, receiver: Receiver) -> None:
    project = await post.project()
    webhook = await post.endpoint(receiver.url, ["LessonCaptured"])
    herald = Herald(post.world.store, post.owed, post.engine)
    assert await herald.once(datetime.now(UTC)) == 0
    await post.learn(project)
    assert await herald.once(datetime.now(UTC)) == 1
    (lesson,) = await post.world.events(project, "LessonCaptured")

    async def noted() -> bool:
        return (await post.kept(webhook)).checkpoint >= lesson.position

    await post.world.until(noted)
    await post.world.do(project, PMO, "DraftCharter", **COMMANDS["DraftCharter"].example)
    assert await herald.once(datetime.now(UTC)) == 0
    kept = await post.webhooks.get(OWNER, webhook)
    assert kept is not None
    assert kept.checkpoint == await post.world.store.head() - 1
    described = await post.world.client.get_workflow_handle(f"webhook-{webhook}").describe()
    assert described.status is WorkflowExecutionStatus.RUNNING


def _fields(webhook: Webhook) -> dict[str, object]:
    return {name: getattr(webhook, name) for name in Webhook.__dataclass_fields__}
