"""The steps of a lifecycle by themselves: what a look marks as seen, and how far a notice gets at once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.decide import Outcome, Step
from activities.folding import stream_of
from activities.follow import LIFECYCLE, ProjectSteps
from activities.messages import Follow, NoticeMessage, Situation, Submission, Submitted
from activities.notify import Channel, NotifySteps
from dev.embedded import EmbeddedPostgres
from domain.messages import COMMANDS, Actor, Envelope
from notifications.inbox import Inbox
from projections.deliveries import Deliveries, DeliveryRow
from projections.messages import Messages
from store.postgres import PostgresStore
from tests.conftest import Database
from tests.envelopes import CHECK, SIGNER
from tests.rosters import FixedRoster, directory_of
from tests.workflows.world import PMO, PRODUCT, plain_policy

PROJECT = "0197a3c0-0000-7000-8000-000000000001"
STREAM = stream_of(PROJECT)


@dataclass
class Started:
    """The notices for which a workflow was to be started."""

    notices: list[NoticeMessage] = field(default_factory=list)

    async def send(self, notice: NoticeMessage) -> None:
        self.notices.append(notice)


@dataclass
class Postbox:
    """A channel beyond the inbox; what it was given."""

    got: list[NoticeMessage] = field(default_factory=list)

    async def deliver(self, notice: NoticeMessage) -> None:
        self.got.append(notice)


async def run(step: Callable[..., Awaitable[Any]], asked: Any) -> Any:
    """The step as a worker runs it."""
    return await ActivityEnvironment().run(step, asked)


async def do(store: PostgresStore, command: str, data: Any, actor: Actor | None = None) -> Outcome:
    step = Step(store, {"standard": plain_policy()})
    envelope = Envelope(str(uuid4()), PROJECT, command, actor or Actor(PMO), datetime.now(UTC), data)
    return await step.submit(envelope, "P-1")


async def looked(store: PostgresStore, begun: int | None) -> Situation:
    """What a first look finds."""
    steps = ProjectSteps(store, Step(store, {"standard": plain_policy()}))
    found: Situation = await run(steps.follow, Follow(project_id=PROJECT, seen=None, begun=begun))
    return found


async def test_what_owes_nothing_is_marked_by_the_look_itself(store: PostgresStore) -> None:
    started = await do(store, "StartProject", COMMANDS["StartProject"].example)
    assert (await looked(store, 1)).marked
    assert await store.seen(STREAM) == started.version


async def test_what_somebody_signed_before_they_were_deactivated_is_refused(store: PostgresStore) -> None:
    await do(store, "StartProject", COMMANDS["StartProject"].example)
    lesson = COMMANDS["CaptureLesson"].example
    wanted = Submission(command_id="c-1", type="CaptureLesson", principal=PMO, data=lesson)
    sent = Submitted(project_id=PROJECT, submission=SIGNER.sign(PROJECT, wanted, datetime.now(UTC)))
    step = Step(store, {"standard": plain_policy()})
    gone = ProjectSteps(store, step, CHECK, roster=FixedRoster(directory_of({}, left=[PMO])))
    assert (await run(gone.submit, sent)).refused == "PersonLeft"
    assert (await run(ProjectSteps(store, step, CHECK).submit, sent)).refused is None


@pytest.mark.parametrize("begun", [None, 2])
async def test_a_stage_that_is_yet_to_be_begun_is_not_marked(store: PostgresStore, begun: int | None) -> None:
    await do(store, "StartProject", COMMANDS["StartProject"].example)
    assert not (await looked(store, begun)).marked
    assert await store.seen(STREAM) == 0


async def test_what_owes_notices_is_left_to_be_marked_when_they_are_sent(store: PostgresStore) -> None:
    await do(store, "StartProject", COMMANDS["StartProject"].example)
    await do(store, "InvitePeople", {}, LIFECYCLE)
    found = await looked(store, 1)
    assert found.notices
    assert not found.marked
    assert await store.seen(STREAM) == 0


def test_a_closing_is_settled_when_it_was_carried_out_or_waits_for_the_end_of_a_hold() -> None:
    approved = Situation(exists=True, visit=5, closing_approved=True)
    assert not approved.settled(5)
    assert approved.model_copy(update={"held": True}).settled(5)
    assert approved.model_copy(update={"ended": True}).settled(5)


def notice(*channels: str) -> NoticeMessage:
    told = {"kind": "PeopleInvited", "recipient": PRODUCT, "en": "You are invited", "zh": "邀请您"}
    return NoticeMessage(event_id=str(uuid4()), project_id=PROJECT, code="P-1", channels=channels, **told)


def notifying(store: PostgresStore, started: Started) -> NotifySteps:
    channels: dict[str, Channel] = {"inbox": Inbox(Messages(store.pool)), "post": Postbox()}
    return NotifySteps(channels, Deliveries(store.pool), started)


async def kept(store: PostgresStore, told: NoticeMessage) -> list[DeliveryRow]:
    return await Deliveries(store.pool).of_event(UUID(told.event_id))


async def test_a_notice_is_in_the_inbox_at_once_and_once(store: PostgresStore) -> None:
    started, told = Started(), notice("inbox")
    for _ in range(2):
        await run(notifying(store, started).send_notices, [told])
    lines = await Messages(store.pool).of(PRODUCT)
    assert [str(line.event_id) for line in lines] == [told.event_id]
    assert [(row.channel, row.state, row.attempts) for row in await kept(store, told)] == [("inbox", "delivered", 1)]
    assert started.notices == []


async def test_a_workflow_takes_a_notice_through_the_channels_beyond(store: PostgresStore) -> None:
    started, both, beyond = Started(), notice("inbox", "post"), notice("post")
    await run(notifying(store, started).send_notices, [both, beyond])
    assert sorted((each.id, each.channels) for each in started.notices) == sorted(
        [(both.id, ("post",)), (beyond.id, ("post",))]
    )
    assert {(row.channel, row.state) for row in await kept(store, both)} == {
        ("inbox", "delivered"),
        ("post", "waiting"),
    }
    assert [(row.channel, row.state) for row in await kept(store, beyond)] == [("post", "waiting")]


async def test_what_does_not_get_into_the_inbox_is_left_to_a_workflow(store: PostgresStore, database: Database) -> None:
    operator = await asyncpg.connect(database.admin)
    await operator.execute("REVOKE INSERT ON tandem.message FROM tandem_app")
    await operator.close()
    started, told = Started(), notice("inbox", "post")
    await run(notifying(store, started).send_notices, [told])
    assert started.notices == [told]
    assert {(row.channel, row.state) for row in await kept(store, told)} == {("inbox", "waiting")}


async def test_an_outage_starts_no_workflow_the_step_is_tried_again(
    store: PostgresStore, database: Database, postgres: EmbeddedPostgres
) -> None:
    started, told = Started(), notice("inbox")
    steps = notifying(store, started)
    operator = await asyncpg.connect(postgres.dsn())
    await operator.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT 0")
    await operator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database.name)
    with pytest.raises(ApplicationError, match="the database is away") as away:
        await run(steps.send_notices, [told])
    assert (away.value.type, away.value.non_retryable, started.notices) == ("StoreUnavailable", False, [])
    await operator.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT -1")
    await operator.close()
    await run(steps.send_notices, [told])
    assert len(await Messages(store.pool).of(PRODUCT)) == 1
