"""Appends with order, chain and pages against plain unordered inserts, and against pyeventsourcing's recorder."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import asyncpg

from activities.hashed import hashed
from activities.ports import Append, Fact, VerdictKind
from benchmarks.measure import Bar, Figure, Rounds, compared, interleaved
from benchmarks.memory import MemoryPlayer
from benchmarks.pyeventsourcing import Stored, insert_all, recorder, stored_events
from benchmarks.site import APPLICATION, Site, name_of
from benchmarks.stories import VOTER, to_agreement, votes
from store.connect import connect
from store.migrate import migrate
from store.postgres import PostgresStore

CALLERS = 32
THREADS = (1, 8)
PREPARING = 7
"""Appends of each caller before the clock starts."""
TABLE = """
    CREATE TABLE plain (
      position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text NOT NULL, version bigint NOT NULL,
      event_id uuid NOT NULL, type text NOT NULL, schema_version int NOT NULL, recorded_at timestamptz NOT NULL,
      effective_at timestamptz NOT NULL, metadata jsonb NOT NULL, data jsonb NOT NULL
    )
"""
INDEXES = """
    CREATE UNIQUE INDEX plain_stream ON plain (stream, version);
    CREATE UNIQUE INDEX plain_event_id ON plain (event_id);
"""
"""What optimistic concurrency and idempotence need at least."""
COLUMNS = ("stream", "version", "event_id", "type", "schema_version", "recorded_at", "effective_at", "metadata", "data")
INSERT = f"INSERT INTO plain ({', '.join(COLUMNS)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
GIVEN = (*COLUMNS, "prev_hash")
"""What `hashed` is given."""


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Commits a second of real votes, one event each. Every round has fresh tables.

    Both sides begin with the same Python values. Ours hashes the event (canonical bytes, over the hash before) and
    stores it with its answer, page and wake mark; which page it is, a rule has said before. The other one is what a
    careful team would do without us: one table with the log's columns but the hashes, unique (stream, version) and
    event id, JSON by orjson, one INSERT and commit an event, and a connection for each caller.
    """
    callers = [await _appends(rounds.of(60)) for _ in range(CALLERS)]
    await migrate(await site.database("append_template"))

    async def ours() -> float:
        return await _ours(site, callers)

    async def plain() -> float:
        return await _plain(site, callers, TABLE + ";" + INDEXES)

    async def bare() -> float:
        return await _plain(site, callers, TABLE)

    async def theirs() -> float:
        events = [event for appends in callers for event in stored_events(appends[-rounds.of(12) :])]
        return max([await _theirs(site, threads, events) for threads in THREADS])

    await interleaved(1, ours, plain, bare, theirs)  # warm up
    measured = await interleaved(rounds.count, ours, plain, bare, theirs)
    pairs = [[(values[0], values[other]) for values in measured] for other in (1, 2, 3)]
    says = f"ordered, chained, shown appends, {CALLERS} callers, against"
    return [
        compared("append-plain", f"{says} unordered inserts", "/s", pairs[0], Bar(0.8, at_most=False)),
        compared("append-bare", f"{says} the same without unique indexes", "/s", pairs[1]),
        compared("append-pyeventsourcing", f"{says} pyeventsourcing", "/s", pairs[2], Bar(4, at_most=False)),
    ]


async def _appends(count: int) -> list[Append]:
    """One project's appends: what leads to an open decision, and then `count` votes."""
    player = MemoryPlayer()
    await to_agreement(player)
    bodies = votes(await player.open_subject())
    for number in range(count):
        await player.do(VOTER, "Vote", **bodies[number % len(bodies)])
    return player.memory.appends


async def _ours(site: Site, callers: list[list[Append]]) -> float:
    dsn = await site.database(template="append_template")
    server = await site.postgres()
    store = await PostgresStore.open(server.dsn(APPLICATION, name_of(dsn)), patience=30)

    async def call(appends: list[Append], votes: slice) -> None:
        for append in appends[votes]:
            verdict = await store.append(_hashed(append))
            assert verdict.kind is VerdictKind.OK, verdict

    try:
        first = len(callers[0]) - _votes(callers[0])
        await asyncio.gather(*(call(appends, slice(0, first)) for appends in callers))
        began = time.perf_counter()
        await asyncio.gather(*(call(appends, slice(first, None)) for appends in callers))
        return sum(len(appends) - first for appends in callers) / (time.perf_counter() - began)
    finally:
        await store.close()
        await site.drop(dsn)


def _votes(appends: list[Append]) -> int:
    """How many of them, the last ones, are votes of one event each."""
    return sum(append.facts[0].metadata["actor"]["principal"] == VOTER for append in appends)


def _hashed(append: Append) -> Append:
    """The same append, its facts hashed anew: while the clock runs."""
    facts = [hashed(**{name: getattr(fact, name) for name in GIVEN}) for fact in append.facts]
    return Append(
        append.stream,
        append.expected_version,
        append.command_id,
        append.fingerprint,
        facts,
        append.answer,
        append.page,
    )


async def _plain(site: Site, callers: list[list[Append]], tables: str) -> float:
    dsn = await site.database()
    connections = [await connect(dsn) for _ in callers]

    async def call(connection: asyncpg.Connection, facts: list[Fact]) -> None:
        for fact in facts:
            await connection.execute(INSERT, *[getattr(fact, name) for name in COLUMNS])

    try:
        await connections[0].execute(tables)
        pairs = list(zip(connections, [[append.facts[0] for append in appends] for appends in callers], strict=True))
        await asyncio.gather(*(call(connection, facts[:PREPARING]) for connection, facts in pairs))
        began = time.perf_counter()
        await asyncio.gather(*(call(connection, facts[PREPARING:]) for connection, facts in pairs))
        return sum(len(facts[PREPARING:]) for _, facts in pairs) / (time.perf_counter() - began)
    finally:
        for connection in connections:
            connection.terminate()
        await site.drop(dsn)


async def _theirs(site: Site, threads: int, events: list[Stored]) -> float:
    dsn = await site.database()
    try:
        with recorder(dsn, threads) as opened, ThreadPoolExecutor(threads) as pool:
            first, rest = events[: 4 * threads], events[4 * threads :]
            await asyncio.to_thread(insert_all, opened, pool, first)
            began = time.perf_counter()
            await asyncio.to_thread(insert_all, opened, pool, rest)
            return len(rest) / (time.perf_counter() - began)
    finally:
        await site.drop(dsn)
