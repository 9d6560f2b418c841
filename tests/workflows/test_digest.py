"""Notices that wait to be told together: on working days, at the reader's hour, once a day whatever is killed."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from activities.digests import DigestSteps
from activities.messages import DigestDay, NoticeMessage
from activities.notify import NotifySteps
from domain.calendar import calendar
from domain.digest import Rhythm, Wish, next_digest
from notifications.inbox import Inbox
from projections.deliveries import Deliveries
from projections.digests import Digests
from projections.messages import Messages
from projections.preferences import Preference, Preferences
from projections.profiles import Profiles
from store.postgres import PostgresStore
from tests.mailing import TAKEN, Postman, mailing
from tests.vaults import keys_of
from tests.workflows.test_notification import ADDRESS, PROJECT, now
from tests.workflows.world import PRODUCT, TEMPLATES, World

ZONE = "Asia/Shanghai"
WORKS = calendar(TEMPLATES["standard"].calendar).is_working_day
DAILY = Wish(Rhythm.DAILY, time(9), ZoneInfo(ZONE))


@pytest.fixture
async def postman() -> AsyncIterator[Postman]:
    async with mailing() as started:
        yield started


@pytest.fixture
async def world(skipping: WorkflowEnvironment, store: PostgresStore, postman: Postman) -> World:
    """The product manager reads one digest a day, by mail."""
    made = World(skipping, store, f"queue-{uuid4()}", settings={"smtp_url": postman.url, "mail_from": "t@t.example"})
    await Profiles(keys_of(store)).set_mailbox(PRODUCT, ADDRESS)
    await wants(made, "daily")
    return made


async def wants(world: World, digest: str) -> None:
    await Preferences(world.store.pool).keep(Preference(PRODUCT, "en", ZONE, mail=True, digest=digest))


def notice(text: str, due_at: datetime | None = None) -> NoticeMessage:
    told = {"kind": "K", "recipient": PRODUCT, "en": text, "zh": text, "due_at": due_at}
    return NoticeMessage(event_id=str(uuid4()), project_id=PROJECT, code="P-1", **told)


async def tell(world: World, *notices: NoticeMessage) -> None:
    """The step that tells people, at the server's time."""
    readers = Preferences(world.store.pool)
    digests = DigestSteps(Digests(world.store.pool), readers, world.engine, WORKS)
    channels = {"inbox": Inbox(Messages(world.store.pool))}
    ledger = Deliveries(world.store.pool)
    steps = NotifySteps(channels, ledger, world.engine, readers, digests=digests)
    info = replace(ActivityEnvironment.default_info(), current_attempt_scheduled_time=await now(world))
    around = ActivityEnvironment()
    around.info = info
    await around.run(steps.send_notices, list(notices))


async def digested(world: World, postman: Postman, count: int) -> list[EmailMessage]:
    """Let the server's time go on, digest by digest, until so many mails have come.

    One day is not always enough: on a busy machine the workflow may look at the time after it was moved.
    """
    for _ in range(5):
        at = await now(world)
        await world.environment.sleep(next_digest(DAILY, at, WORKS)[1] - at + timedelta(minutes=1))
        with suppress(TimeoutError):
            return await postman.until(count, seconds=4)
    return await postman.until(count)


def said(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def days(world: World) -> list[date]:
    rows = await world.store.pool.fetch("SELECT day FROM tandem.digest WHERE person = $1 ORDER BY day", PRODUCT)
    return [row[0] for row in rows]


async def test_what_can_wait_comes_together_at_the_reader_s_hour(world: World, postman: Postman) -> None:
    _, goes = next_digest(DAILY, await now(world), WORKS)
    async with world.working():
        await tell(world, notice("First thing"), notice("Second thing", goes + timedelta(days=30)))
        await tell(world, notice("Third thing"))
        assert postman.mails == []
        (mail,) = await digested(world, postman, 1)
        sent = (await now(world)).astimezone(ZoneInfo(ZONE))
    assert mail["Subject"] == "3 notices since your last digest"
    text = said(mail)
    assert [text.index(f"[P-1] {name} thing") for name in ("First", "Second", "Third")]
    assert (sent >= goes, sent.hour, sent.minute < 10) == (True, 9, True)
    (day,) = await days(world)
    assert (day, WORKS(day)) == (sent.date(), True)
    rows = await world.store.pool.fetch("SELECT state, detail FROM tandem.delivery WHERE channel = 'digest'")
    assert {tuple(row) for row in rows} == {("collected", f"in the digest of {day}")}


async def test_what_is_due_soon_is_told_at_once(world: World, postman: Postman) -> None:
    _, goes = next_digest(DAILY, await now(world), WORKS)
    async with world.working():
        await tell(world, notice("Urgent", goes + timedelta(hours=2)), notice("Overdue", goes - timedelta(days=9)))
        mails = await postman.until(2)
    assert {mail["Subject"] for mail in mails} == {"[P-1] Urgent", "[P-1] Overdue"}
    assert await Digests(world.store.pool).standing(PRODUCT) == (0, None)


async def test_a_digest_is_made_once_a_day_however_often_its_step_runs(world: World, postman: Postman) -> None:
    async with world.working():
        await tell(world, notice("First"))
        steps = DigestSteps(Digests(world.store.pool), Preferences(world.store.pool), world.engine, WORKS)
        asked = DigestDay(person=PRODUCT, day=date(2030, 1, 7))
        await ActivityEnvironment().run(steps.send_digest, asked)
        await tell(world, notice("Too late for this one"))
        await ActivityEnvironment().run(steps.send_digest, asked)
        (mail,) = await postman.until(1)
        assert "1 notice since" in mail["Subject"]
        assert await Digests(world.store.pool).standing(PRODUCT) == (1, date(2030, 1, 7))


async def test_a_mail_server_that_is_away_makes_no_second_digest(world: World, postman: Postman) -> None:
    postman.answer = lambda number: TAKEN if number > 3 else "451 not now"
    async with world.working():
        await tell(world, notice("First"))
        await digested(world, postman, 1)
        await world.pass_days(0.01)
        await postman.until(4)
    assert len({mail["Message-ID"] for mail in postman.mails}) == 1


async def test_what_is_held_while_no_worker_runs_is_told_by_the_next_one(world: World, postman: Postman) -> None:
    await tell(world, notice("First"))
    async with world.working():
        await digested(world, postman, 1)
    await tell(world, notice("Second"))
    async with world.working():
        one, two = await digested(world, postman, 2)
    assert one["Message-ID"] != two["Message-ID"]
    assert len(await days(world)) == 2


async def test_who_wants_no_digest_any_more_gets_what_waited(world: World, postman: Postman) -> None:
    async with world.working():
        await tell(world, notice("First"))
        await wants(world, "none")
        await world.engine.wake_digest(PRODUCT)
        assert "1 notice since" in (await postman.until(1))[0]["Subject"]


MONDAY = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
"""08:30 in Shanghai."""


@pytest.mark.parametrize(
    ("rhythm", "now", "last", "day"),
    [
        (Rhythm.DAILY, MONDAY, None, date(2026, 3, 2)),
        (Rhythm.DAILY, MONDAY, date(2026, 3, 2), date(2026, 3, 3)),
        (Rhythm.DAILY, MONDAY + timedelta(hours=1), None, date(2026, 3, 3)),
        (Rhythm.DAILY, MONDAY + timedelta(days=5), None, date(2026, 3, 9)),
        (Rhythm.DAILY, datetime(2026, 9, 30, 4, tzinfo=UTC), None, date(2026, 10, 8)),
        (Rhythm.WEEKLY, MONDAY, None, date(2026, 3, 2)),
        (Rhythm.WEEKLY, MONDAY + timedelta(hours=1), None, date(2026, 3, 9)),
        (Rhythm.WEEKLY, datetime(2026, 4, 30, 4, tzinfo=UTC), None, date(2026, 5, 6)),
    ],
)
def test_digests_go_on_working_days_and_weekly_ones_on_the_first_of_the_week(
    rhythm: Rhythm, now: datetime, last: date | None, day: date
) -> None:
    found, at = next_digest(Wish(rhythm, time(9), ZoneInfo(ZONE)), now, WORKS, last)
    assert found == day
    assert at == datetime.combine(day, time(1), UTC)
