"""One order for all: racing processes, rolled-back batches and a reader that tails see every event once."""

import asyncio
from random import Random

import asyncpg

from activities.ports import GENESIS, StoreUnavailable, VerdictKind
from store.batch import SQL, arguments, ready
from store.connect import connect
from store.postgres import PostgresStore
from tests.conftest import Database
from tests.store.building import after, append

WRITERS = 12
APPENDS = 40
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'tandem appender' AND datname = current_database() AND wait_event_type = 'Lock'
"""


async def write(database: Database, number: int, heads: dict[str, tuple[int, bytes]], lost: list[str]) -> int:
    """Append to shared streams over a connection of its own; every fourth transaction is given up."""
    chance, stored = Random(number), 0  # noqa: S311
    connection = await connect(database.app)
    for turn in range(APPENDS):
        stream = f"s{chance.randint(1, 6)}"
        version, prev = heads.get(stream, (0, GENESIS))
        asked = append(stream, version, f"w{number}-{turn}", prev, facts=chance.randint(1, 3))
        transaction = connection.transaction()
        await transaction.start()
        (row,) = await connection.fetch(SQL, *arguments([ready(asked)]))
        if chance.random() < 0.25:
            await transaction.rollback()
            lost.append(asked.command_id)
            continue
        await transaction.commit()
        if row["verdict"] == "ok":
            stored += len(asked.facts)
            heads[stream] = max(heads.get(stream, (0, GENESIS)), (row["head"], asked.facts[-1].leaf_hash))
    await connection.close()
    return stored


async def tail(store: PostgresStore, seen: list[int], done: asyncio.Event) -> None:
    """Read on after the last position seen, and nothing else."""
    while True:
        last = done.is_set()
        facts = await store.feed(seen[-1] if seen else -1, limit=50)
        seen.extend(fact.position for fact in facts)
        if last and not facts:
            return


async def test_a_tailing_reader_misses_nothing(store: PostgresStore, database: Database) -> None:
    heads: dict[str, tuple[int, bytes]] = {}
    seen: list[int] = []
    lost: list[str] = []
    done = asyncio.Event()
    tailing = asyncio.create_task(tail(store, seen, done))
    stored = sum(await asyncio.gather(*(write(database, number, heads, lost) for number in range(WRITERS))))
    done.set()
    await tailing
    assert seen == list(range(stored))
    assert await store.head() == stored
    assert lost
    admin = await asyncpg.connect(database.admin)
    kept = await admin.fetchval("SELECT count(*) FROM tandem.command WHERE command_id = ANY ($1)", lost)
    await admin.close()
    assert kept == 0


async def test_processes_share_one_log(database: Database) -> None:
    stores = [await PostgresStore.open(database.app, pool_size=2) for _ in range(3)]
    try:
        asked = [(store, append(f"p{no}")) for no in range(60) for store in stores]
        verdicts = await asyncio.gather(*(store.append(append) for store, append in asked))
        assert [sum(v.kind is kind for v in verdicts) for kind in VerdictKind] == [60, 0, 120, 0]
        assert [fact.position for fact in await stores[0].feed(limit=1000)] == list(range(60))
    finally:
        for store in stores:
            await store.close()


async def test_two_batches_under_way_keep_each_stream_in_order(database: Database) -> None:
    """Of forty streams at once half are written and half are ready; who comes second on a stream sees the first."""
    store = await PostgresStore.open(database.app, pool_size=2)
    admin = await asyncpg.connect(database.admin)
    try:
        firsts = [append(f"p{no}") for no in range(40)]
        async with admin.transaction():
            await admin.execute("SELECT FROM tandem.log_head FOR UPDATE")
            calls = [asyncio.gather(*map(store.append, firsts))]
            async with asyncio.timeout(3):
                # PostgreSQL tells nobody that somebody waits for a lock.
                while not await store.pool.fetchval(WAITING):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            others = [append(first.stream, command_id="c-2") for first in firsts]
            for wave in (others, firsts, [after(first, "c-3") for first in firsts]):
                calls.append(asyncio.gather(*map(store.append, wave)))
                await asyncio.sleep(0)
        kinds = [{verdict.kind for verdict in await call} for call in calls]
        assert kinds == [{VerdictKind.OK}, {VerdictKind.CONFLICT}, {VerdictKind.DUPLICATE}, {VerdictKind.OK}]
        assert [fact.position for fact in await store.feed(limit=1000)] == list(range(80))
    finally:
        await admin.close()
        await store.close()


async def test_a_closed_store_says_so(database: Database) -> None:
    store = await PostgresStore.open(database.app)
    waiting = asyncio.gather(*(store.append(append(f"p{no}")) for no in range(20)))
    await asyncio.sleep(0)
    await store.close()
    assert {verdict.kind for verdict in await waiting} == {VerdictKind.OK}
    for call in (store.append(append("p99")), store.head()):
        try:
            await call
        except StoreUnavailable:
            continue
        raise AssertionError("a closed store answered")
    await store.close()
