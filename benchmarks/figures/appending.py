"""Appends with order, chain and pages against plain unordered inserts, and against pyeventsourcing's recorder."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import asyncpg

from activities.ports import Append, VerdictKind
from benchmarks.measure import Bar, Figure, Rounds, compared, interleaved
from benchmarks.memory import MemoryPlayer
from benchmarks.pyeventsourcing import Stored, insert_all, recorder, stored_events
from benchmarks.site import APPLICATION, Site, name_of
from benchmarks.stories import VOTER, to_agreement, votes
from domain.canonical import canonical
from store.migrate import migrate
from store.postgres import PostgresStore

CALLERS = 32
THREADS = (1, 8)
PREPARING = 7
"""Appends of each caller before the clock starts."""
TABLE = """
    CREATE TABLE plain (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text, version bigint, type text, event_id uuid,
      metadata jsonb, data jsonb
    )
"""
INDEXES = """
    CREATE UNIQUE INDEX plain_stream ON plain (stream, version);
    CREATE UNIQUE INDEX plain_event_id ON plain (event_id);
"""
"""What optimistic concurrency and idempotence need at least."""
INSERT = "INSERT INTO plain (stream, version, type, event_id, metadata, data) VALUES ($1, $2, $3, $4, $5, $6)"
Row = tuple[str, int, str, UUID, str, str]


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Commits a second of real votes, one event each. Every round has fresh tables."""
    callers = [await _appends(rounds.of(60)) for _ in range(CALLERS)]
    await migrate(await site.database("append_template"))

    async def ours() -> float:
        return await _ours(site, callers)

    rows = [[_row(append) for append in appends] for appends in callers]

    async def plain() -> float:
        return await _plain(site, rows, TABLE)

    async def unique() -> float:
        return await _plain(site, rows, TABLE + ";" + INDEXES)

    async def theirs() -> float:
        events = [event for appends in callers for event in stored_events(appends[-rounds.of(12) :])]
        return max([await _theirs(site, threads, events) for threads in THREADS])

    await interleaved(1, ours, plain, unique, theirs)  # warm up
    measured = await interleaved(rounds.count, ours, plain, unique, theirs)
    pairs = [[(values[0], values[other]) for values in measured] for other in (1, 2, 3)]
    says = f"ordered, chained, shown appends, {CALLERS} callers, against"
    return [
        compared("append-plain", f"{says} unordered inserts", "/s", pairs[0], Bar(0.8, at_most=False)),
        compared("append-unique", f"{says} the same with the events' unique indexes", "/s", pairs[1]),
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
            verdict = await store.append(append)
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


def _row(append: Append) -> Row:
    fact = append.facts[0]
    contents = canonical(fact.metadata).decode(), canonical(fact.data).decode()
    return (fact.stream, fact.version, fact.type, fact.event_id, *contents)


async def _plain(site: Site, callers: list[list[Row]], tables: str) -> float:
    dsn = await site.database()
    connections = [await asyncpg.connect(dsn) for _ in callers]

    async def call(connection: asyncpg.Connection, rows: list[Row]) -> None:
        for row in rows:
            await connection.execute(INSERT, *row)

    try:
        await connections[0].execute(tables)
        pairs = list(zip(connections, callers, strict=True))
        await asyncio.gather(*(call(connection, rows[:PREPARING]) for connection, rows in pairs))
        began = time.perf_counter()
        await asyncio.gather(*(call(connection, rows[PREPARING:]) for connection, rows in pairs))
        return sum(len(rows[PREPARING:]) for rows in callers) / (time.perf_counter() - began)
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
