"""A notice on its way beyond the inbox: quiet hours, retries over days, a final word."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.addresses import TO_CONFIRM
from activities.engine import NOTIFICATION_WORKFLOW
from activities.messages import NoticeMessage
from projections.deliveries import Deliveries, DeliveryRow
from projections.outbox import Outbox
from projections.preferences import Preference, Preferences
from projections.profiles import CHAT, Asked, Profiles
from store.postgres import PostgresStore
from tests.mailing import TAKEN, Postman, mailing
from tests.receiving import Receiver, always, receiving
from tests.vaults import keys_of, vault_of
from tests.workflows.world import PMO, PRODUCT, World

ADDRESS = "pan.mei@mail.example"
SLACK = timedelta(minutes=5)
PATIENCE = 90
"""Seconds for days of the server that skips time; a busy machine takes ten."""
PROJECT = "0197a3c0-0000-7000-8000-000000000001"


@pytest.fixture
async def postman() -> AsyncIterator[Postman]:
    async with mailing() as started:
        yield started


@pytest.fixture
async def world(skipping: WorkflowEnvironment, store: PostgresStore, postman: Postman) -> World:
    """No worker runs yet. The product manager reads mail."""
    settings = {"smtp_url": postman.url, "mail_from": "tandem@tandem.example", "chat_private_addresses": True}
    made = World(skipping, store, f"queue-{uuid4()}", settings=settings)
    await Profiles(keys_of(store)).set_mailbox(PRODUCT, ADDRESS)
    await Preferences(store.pool).keep(Preference(PRODUCT, mail=True))
    return made


def notice(due_at: datetime | None = None, channels: tuple[str, ...] = ("mail",)) -> NoticeMessage:
    told = {"kind": "DecisionOpened", "recipient": PRODUCT, "en": "Please decide", "zh": "请表决", "due_at": due_at}
    return NoticeMessage(event_id=str(uuid4()), project_id=PROJECT, code="P-1", channels=channels, **told)


async def begun(world: World, told: NoticeMessage) -> Any:
    """Its workflow; to wait for the result lets the server skip time."""
    return await world.client.start_workflow(NOTIFICATION_WORKFLOW, told, id=told.id, task_queue=world.queue)


async def through(world: World, told: NoticeMessage) -> list[str]:
    """The channels that it got through. Where it does not end, what it is at is told instead of waiting for ever."""
    handle = await begun(world, told)
    try:
        async with asyncio.timeout(PATIENCE):
            return list(await handle.result())
    except TimeoutError:
        found = await handle.describe()
        at = [f"{event.event_id} {event.event_type}" for event in (await handle.fetch_history()).events[-12:]]
        pytest.fail(f"not ended at {await now(world)}: {found.raw_description.pending_activities}, {at}")


async def took(world: World, told: NoticeMessage) -> timedelta:
    """How long its workflow ran; the server's clock goes on by itself after the end."""
    found = await world.client.get_workflow_handle(told.id).describe()
    assert found.close_time is not None
    return found.close_time - found.start_time


async def kept(world: World, told: NoticeMessage) -> DeliveryRow:
    (row,) = await Deliveries(world.store.pool).of_event(UUID(told.event_id))
    return row


async def now(world: World) -> datetime:
    return (await world.environment.get_current_time()).astimezone(UTC)


async def quiet_for_ten_hours(world: World) -> datetime:
    """The reader's quiet hours began an hour ago; when they end."""
    since = (await now(world)).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    ends = since + timedelta(hours=10)
    hours = (time(since.hour), time(ends.hour))
    await Preferences(world.store.pool).keep(Preference(PRODUCT, "en", "UTC", *hours, mail=True))
    return ends


async def test_what_can_wait_waits_until_the_quiet_hours_are_over(world: World, postman: Postman) -> None:
    ends = await quiet_for_ten_hours(world)
    told = notice(due_at=ends + timedelta(days=1))
    async with world.working():
        assert await through(world, told) == ["mail"]
        assert timedelta(hours=8) - SLACK < await took(world, told) < timedelta(hours=9) + SLACK
    assert len(postman.mails) == 1


async def test_what_is_due_before_they_end_is_sent_at_once(world: World, postman: Postman) -> None:
    ends = await quiet_for_ten_hours(world)
    told = notice(due_at=ends - timedelta(hours=1))
    async with world.working():
        assert await through(world, told) == ["mail"]
        assert await took(world, told) < SLACK
    assert len(postman.mails) == 1


async def test_a_server_that_cannot_now_is_tried_for_hours_with_the_same_id(world: World, postman: Postman) -> None:
    postman.answer = lambda number: TAKEN if number > 13 else "451 not now"
    told = notice()
    async with world.working():
        assert await through(world, told) == ["mail"]
        assert await took(world, told) > timedelta(hours=1)
    assert len({mail["Message-ID"] for mail in postman.mails}) == 1
    row = await kept(world, told)
    assert (row.state, row.attempts) == ("delivered", 14)


async def test_after_days_it_is_given_up_and_the_message_kept(world: World, postman: Postman) -> None:
    postman.answer = lambda _: "451 not now"
    told = notice()
    async with world.working():
        assert await through(world, told) == []
        assert timedelta(days=2) < await took(world, told) < timedelta(days=4)
    row = await kept(world, told)
    assert row.state == "failed"
    assert "kept in the outbox" in row.detail
    assert [str(line.event_id) for line in await Outbox(world.store.pool, vault_of(world.store)).page(None, 10)] == [
        told.event_id
    ]


async def test_a_final_word_ends_it_at_once_and_is_told(world: World, postman: Postman) -> None:
    postman.mailbox = "550 no such mailbox"
    told = notice()
    async with world.working():
        assert await through(world, told) == []
        assert await took(world, told) < SLACK
    row = await kept(world, told)
    assert row.state == "failed"
    assert row.detail.startswith("the mail server says 550 no such mailbox; ")


async def test_without_a_server_the_state_is_kept(world: World) -> None:
    world.settings, told = {}, notice()
    async with world.working():
        await through(world, told)
    assert (await kept(world, told)).state == "kept"
    assert len(await Outbox(world.store.pool, vault_of(world.store)).page(None, 10)) == 1


@pytest.fixture
async def chat(world: World) -> AsyncIterator[Receiver]:
    """The product manager's own chat."""
    async with receiving(always(200)) as receiver:
        address = receiver.url.replace("http://", "mmost://").replace("/hook", "/abcdefghij0123456789abcdef")
        await Profiles(keys_of(world.store)).change(PRODUCT, {CHAT: address})
        yield receiver


async def states(world: World, told: NoticeMessage) -> dict[str, str]:
    return {row.channel: row.state for row in await Deliveries(world.store.pool).of_event(UUID(told.event_id))}


async def test_where_one_channel_says_no_the_next_one_is_tried(world: World, postman: Postman, chat: Receiver) -> None:
    postman.mailbox, told = "550 no such mailbox", notice(channels=("mail", "chat"))
    async with world.working():
        assert await through(world, told) == ["chat"]
        assert await took(world, told) < SLACK
    assert await states(world, told) == {"mail": "failed", "chat": "delivered"}
    assert len(chat.got) == 1
    assert await Outbox(world.store.pool, vault_of(world.store)).page(None, 10) == []


async def test_what_got_through_is_not_sent_by_another_channel(world: World, postman: Postman, chat: Receiver) -> None:
    async with world.working():
        assert await through(world, notice(channels=("mail", "chat"))) == ["mail"]
    assert (len(postman.mails), len(chat.got)) == (1, 0)


async def test_a_channel_that_is_away_is_left_for_the_next_one_within_the_hour(
    world: World, postman: Postman, chat: Receiver
) -> None:
    postman.answer, told = lambda _: "451 not now", notice(channels=("mail", "chat"))
    async with world.working():
        assert await through(world, told) == ["chat"]
        assert timedelta(minutes=30) < await took(world, told) < timedelta(hours=1) + SLACK
    (mail,) = [row for row in await Deliveries(world.store.pool).of_event(UUID(told.event_id)) if row.channel == "mail"]
    assert (mail.state, mail.detail) == ("failed", "the mail server says 451 not now; chat is tried next")
    assert mail.attempts > 5


async def test_where_all_are_away_each_is_tried_again_and_then_the_outbox_keeps_it(
    world: World, postman: Postman, chat: Receiver
) -> None:
    postman.answer, chat.script, told = lambda _: "451 not now", always(410), notice(channels=("chat", "mail"))
    async with world.working():
        assert await through(world, told) == []
        assert timedelta(days=2) < await took(world, told) < timedelta(days=4)
    assert await states(world, told) == {"mail": "failed", "chat": "failed"}
    assert len(chat.got) == 1, "what is final is not tried again"
    (line,) = await Outbox(world.store.pool, vault_of(world.store)).page(None, 10)
    assert (line.channel, str(line.event_id)) == ("mail", told.event_id)


async def test_an_address_that_nobody_confirmed_gets_nothing(world: World, postman: Postman) -> None:
    asked = Asked(ADDRESS, "CODE", await now(world) + timedelta(days=1))
    profiles = Profiles(keys_of(world.store))
    await profiles.set_mailbox(PRODUCT, None)
    await profiles.ask(PRODUCT, asked)
    told, note = notice(), notice().model_copy(update={"kind": TO_CONFIRM, "project_id": "", "code": ""})
    async with world.working():
        await through(world, told)
        await through(world, note)
    assert await states(world, told) == {"mail": "kept"}
    (mail,) = postman.mails
    assert "CODE" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]  it has one
    assert mail["To"] == ADDRESS


async def test_a_room_hears_once_of_what_concerns_several(world: World, chat: Receiver) -> None:
    address = chat.url.replace("http://", "mmost://").replace("/hook", "/abcdefghij0123456789abcdef")
    world.settings = {**world.settings, "chat_rooms": json.dumps({"P-1": address})}
    async with world.working():
        project = await world.start()
        await world.followed(project)
        (got, *_) = await chat.until(1)
    rows = await world.store.pool.fetch("SELECT event_id FROM tandem.delivery WHERE channel = 'room'")
    assert len({row[0] for row in rows}) == len(rows) >= 1
    assert PMO in json.loads(got.body)["text"]


async def test_a_project_tells_by_mail_whoever_wants_it(world: World, postman: Postman) -> None:
    async with world.working():
        project = await world.start()
        await world.followed(project)
        (mail, *_) = await postman.until(1)
    assert mail["To"] == ADDRESS
    assert {mail["To"] for mail in postman.mails} == {ADDRESS}, "nobody else has asked for mail"
