"""Derived rows written anew from the log while everything goes on: beside the live ones, compared, put in their place.

What is built lies in tables of its own (migration 0010). The log is followed from its start to near its end without
holding anybody up; then, for the moment that the last events, the comparison and the change take, nothing is appended.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from activities.archived import StreamArchived
from activities.folding import PREFIX, States, stream_of
from activities.indexing import entries_of, refused_entry
from activities.pages import page
from activities.ports import RefusalLine
from activities.searchwords import WORDING
from domain.project.aggregate import Project
from store.batch import page_document
from store.connect import Pool, connect, reaching
from store.reading import Reader
from store.rows import recorded
from store.searching import RANGE, REFUSAL_RANGE, index_rows

PROJECTIONS = {
    "pages": ("project", "membership"),
    "duties": ("duty",),
    "search": ("event_index", "refusal_index"),
}
"""What can be rebuilt, and its tables."""
CHUNK = 500
"""Events, or pages, at once."""
NEAR = 200
"""So few events behind the head the rest is done while nobody appends."""
ROUNDS = 50
"""After so many attempts to come near, it is done anyway: appends then wait somewhat longer."""
LEADER = "SELECT pg_try_advisory_lock(hashtextextended('tandem.rebuild', 0))"
HEADS = """
    SELECT e.stream, max(e.version) FROM tandem.event e
    WHERE e.position >= $1 AND e.position < $2 AND starts_with(e.stream, $3) GROUP BY e.stream ORDER BY e.stream
"""
SHOW = "SELECT tandem_rebuild.show($1, $2, $3)"
INDEX = {
    "event": "SELECT tandem_rebuild.index_events($1, $2, $3, $4)",
    "refusal": "SELECT tandem_rebuild.index_refusals($1, $2, $3, $4)",
}


class NotRebuilt(Exception):
    """Nothing was changed; the message says why."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One table: its rows as they were built, and in how many places the live ones were not the same."""

    table: str
    rows: int
    differing: int


@dataclass
class Rebuild:
    """One rebuild. `connection` and `reader` are the owner's; `connection` is this rebuild's alone."""

    connection: asyncpg.Connection
    reader: Reader
    reached: int = 0
    """Up to which position pages are built."""
    known: dict[str, int] = field(default_factory=dict)
    """Each stream's version as it is built."""
    indexed: dict[str, int] = field(default_factory=lambda: {"event": 0, "refusal": 0})
    stages: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.states = States(self.reader)  # type: ignore[arg-type]  # Of a store it needs reading alone.

    async def run(self, names: Collection[str], check: bool = False) -> list[Compared]:
        """Build, compare, and unless `check` put the new rows in place of what differs. Raises NotRebuilt."""
        await self.connection.execute("SELECT tandem.rebuild_begin($1)", WORDING)
        told: list[Compared] = []
        if {"pages", "duties"} & set(names):
            await self._near_head()
            async with self.connection.transaction():
                await self._pages(await self.connection.fetchval("SELECT tandem.rebuild_hold()"))
                told += await self._settled([name for name in ("pages", "duties") if name in names], check)
        if "search" in names:
            await self._near_reach()
            async with self.connection.transaction():
                await self._indexes(await self._reaches("tandem.rebuild_hold_indexes()"))
                told += await self._settled(["search"], check)
        await self.connection.execute("SELECT tandem.rebuild_end()")
        return told

    async def _settled(self, names: Sequence[str], check: bool) -> list[Compared]:
        await self.connection.execute("SELECT tandem.rebuild_keep_archived($1)", "search" in names)
        told = []
        for table in (table for name in names for table in PROJECTIONS[name]):
            row = await self.connection.fetchrow("SELECT * FROM tandem.rebuild_compare($1)", table)
            told.append(Compared(table, *row))
            if row["differing"] and not check:
                await self.connection.execute("SELECT tandem.rebuild_swap($1)", table)
        return told

    # Pages and duties

    async def _near_head(self) -> None:
        for _ in range(ROUNDS):
            head = await self.reader.head()
            if head - self.reached <= NEAR:
                return
            await self._pages(head)

    async def _pages(self, head: int) -> None:
        """Follow the log up to this position."""
        while self.reached < head:
            stop = min(self.reached + CHUNK, head)
            rows = await self.connection.fetch(HEADS, self.reached, stop, PREFIX)
            await self._show([stream for stream, version in rows if version > self.known.get(stream, 0)])
            self.reached = stop

    async def _show(self, streams: Sequence[str]) -> None:
        """Each as the store has it now, which may be later than where the log is followed."""
        pages: list[tuple[str, int, bytes]] = []
        for stream in streams:
            try:
                folded = await self.states.current(stream.removeprefix(PREFIX))
            except StreamArchived:
                continue
            shown = page(Project(folded.project.id), folded.project)
            pages.append((stream_of(folded.project.id), folded.version, page_document(shown)))
            self.known[stream] = folded.version
        if pages:
            await self.connection.execute(SHOW, *map(list, zip(*pages, strict=True)))

    # What searches look into

    async def _near_reach(self) -> None:
        for _ in range(ROUNDS):
            reaches = await self._reaches("tandem.index_reach")
            if sum(reaches.values()) - sum(self.indexed.values()) <= NEAR:
                return
            await self._indexes(reaches)

    async def _reaches(self, source: str) -> dict[str, int]:
        """How far the live indexes reach."""
        if await self.connection.fetchval(
            "SELECT bool_or(wording <> $1 AND upto > 0) FROM tandem.index_reach", WORDING
        ):
            raise NotRebuilt("The index is of another version of this program: a worker of this one writes it anew.")
        # One of two sources that are named in this file (S608 is excused for that).
        rows = await self.connection.fetch(f"SELECT what, upto FROM {source}")  # noqa: S608
        return dict(rows)

    async def _indexes(self, reaches: dict[str, int]) -> None:
        for what, upto in reaches.items():
            while (low := self.indexed[what]) < upto:
                high = min(low + CHUNK, upto)
                rows = index_rows(await getattr(self, f"_{what}_entries")(low, high))
                assert await self.connection.fetchval(INDEX[what], low, high, WORDING, rows)
                self.indexed[what] = high

    async def _event_entries(self, low: int, high: int) -> Any:
        facts = [recorded(row) for row in await self.connection.fetch(RANGE, low, high)]
        return entries_of(facts, self.stages)

    async def _refusal_entries(self, low: int, high: int) -> Any:
        rows = await self.connection.fetch(REFUSAL_RANGE, low, high)
        return [refused_entry(row[0], RefusalLine(*row[1:])) for row in rows]


@asynccontextmanager
async def _alone(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the only rebuild of this database. Raises NotRebuilt."""
    with reaching():
        connection = await connect(dsn)
        try:
            if not await connection.fetchval(LEADER):
                raise NotRebuilt("Another rebuild of this database is under way.")
            yield connection
        finally:
            connection.terminate()


async def rebuild(dsn: str, names: Collection[str] = (), check: bool = False) -> list[Compared]:
    """Rebuild these projections, or all; with `check` only compare them.

    `dsn` is the owner's. Raises NotRebuilt, StoreUnavailable, and KeyError for an event of a kind not known here.
    """
    if unknown := sorted(set(names) - set(PROJECTIONS)):
        raise NotRebuilt(f"{', '.join(unknown)}: not derived from events. There are {', '.join(PROJECTIONS)}.")
    pool = await Pool.open(dsn, 1)
    try:
        async with _alone(dsn) as connection:
            return await Rebuild(connection, Reader(dsn, pool)).run(names or PROJECTIONS, check)
    finally:
        pool.terminate()
