"""PostgreSQL goes away in every way: nothing acknowledged is lost, nothing is stored twice, nobody waits for ever."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import asyncpg
import pytest

from activities.ports import Append, StoreUnavailable, Verdict, VerdictKind
from store.postgres import PostgresStore
from tests.conftest import Database
from tests.store.building import after, append, page
from tests.store.wire import Wire

OURS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tandem appender' AND datname = current_database()"


@pytest.fixture
async def wire(database: Database) -> AsyncIterator[Wire]:
    """A wire to the test's database, in a folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="wire") as folder:
        wire = Wire(database.app, Path(folder))
        await wire.mend()
        yield wire
        await wire.cut()


@pytest.fixture
async def wired(wire: Wire) -> AsyncIterator[PostgresStore]:
    """A store behind the wire with half a second of patience."""
    store = await PostgresStore.open(wire.dsn, pool_size=2, patience=0.5)
    yield store
    await store.close()


async def until_stored(store: PostgresStore, asked: Append) -> Verdict:
    """What every caller does: the same command again until there is an answer."""
    while True:
        try:
            return await store.append(asked)
        except StoreUnavailable:
            await asyncio.sleep(0.01)


async def test_the_appender_survives_being_terminated(store: PostgresStore, database: Database) -> None:
    """Its backend dies again and again while twelve callers append; each acknowledged event is there once."""
    acknowledged: dict[str, tuple[int, int | None]] = {}
    chance = Random(7)  # noqa: S311
    kills = 0

    async def call(stream: str) -> None:
        asked, number = append(stream, page=page(stream)), 1
        while number < 10 or kills < 5:
            verdict = await until_stored(store, asked)
            assert verdict.kind in {VerdictKind.OK, VerdictKind.DUPLICATE}
            acknowledged[f"{stream}/{asked.command_id}"] = (verdict.version, verdict.position)
            number += 1
            asked = after(asked, f"c-{number}", facts=chance.randint(1, 2))

    admin = await asyncpg.connect(database.admin)
    calling = asyncio.gather(*(call(f"p{no}") for no in range(12)))
    while not calling.done():
        kills += len(await admin.fetch(f"SELECT pg_terminate_backend(pid) FROM ({OURS}) ours"))
        await asyncio.sleep(chance.uniform(0.01, 0.1))
    await calling
    stored = await admin.fetch("SELECT stream || '/' || command_id, version, position FROM tandem.command")
    positions = [row[0] for row in await admin.fetch("SELECT position FROM tandem.event ORDER BY 1")]
    await admin.close()
    assert {row[0]: (row[1], row[2]) for row in stored} == acknowledged
    assert positions == list(range(len(positions)))
    assert len(positions) == await store.head()


async def test_an_answer_lost_on_the_way_is_asked_for_again(wire: Wire, wired: PostgresStore) -> None:
    first = append("p1")
    await wired.append(first)
    second = after(first, "c-2", facts=2)
    wire.swallow = VerdictKind.OK.encode()
    verdict = await wired.append(second)
    assert wire.swallowed == 1
    assert verdict == Verdict(VerdictKind.DUPLICATE, 3, 2, second.answer)
    assert [event.version for event in await wired.read("p1")] == [1, 2, 3]


async def test_everybody_hears_of_an_outage_within_their_patience(wire: Wire, wired: PostgresStore) -> None:
    first = append("p1")
    await wired.append(first)
    await wire.cut()
    began = time.monotonic()
    asked = [wired.append(append(f"p{no}")) for no in range(2, 22)]
    calls = [wired.head(), wired.read("p1"), wired.seen("p1"), wired.mark_seen("p1", 1), wired.ping()]
    outcomes = await asyncio.gather(*asked, *calls, return_exceptions=True)
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    assert time.monotonic() - began < 5
    with pytest.raises(StoreUnavailable):
        async with wired.leader("sweep"):
            pass
    await wire.mend()
    assert (await wired.append(after(first, "c-2"))).kind is VerdictKind.OK
    assert await wired.head() == 2, "what its caller gave up was not sent later"


async def test_a_short_outage_goes_unnoticed(wire: Wire, wired: PostgresStore) -> None:
    first = append("p1")
    await wired.append(first)
    await wire.cut()
    waiting = asyncio.create_task(wired.append(after(first, "c-2")))
    await asyncio.sleep(0.1)
    await wire.mend()
    assert (await waiting).kind is VerdictKind.OK


async def test_a_database_that_says_nothing_is_given_up(wire: Wire, wired: PostgresStore) -> None:
    first = append("p1")
    await wired.append(first)
    wire.freeze()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"within 0.5 s"):
        await wired.append(after(first, "c-2"))
    assert time.monotonic() - began < 5
    wire.thaw()
    verdict = await until_stored(wired, after(first, "c-2"))
    assert verdict.kind in {VerdictKind.OK, VerdictKind.DUPLICATE}
    assert [event.version for event in await wired.read("p1")] == [1, 2]


async def test_a_held_log_head_delays_and_then_lets_through(database: Database) -> None:
    store = await PostgresStore.open(database.app, patience=0.3)
    admin = await asyncpg.connect(database.admin)
    try:
        async with admin.transaction():
            await admin.execute("SELECT FROM tandem.log_head FOR UPDATE")
            with pytest.raises(StoreUnavailable):
                await store.append(append("p1"))
        verdict = await until_stored(store, append("p1"))
        assert verdict.kind in {VerdictKind.OK, VerdictKind.DUPLICATE}
        assert await store.head() == 1
    finally:
        await admin.close()
        await store.close()


async def test_a_store_cannot_be_opened_without_a_database(wire: Wire, database: Database) -> None:
    await wire.cut()
    for dsn in (wire.dsn, database.app.replace(database.name, "nowhere")):
        with pytest.raises(StoreUnavailable):
            await PostgresStore.open(dsn)
