"""Reading the log and what is kept beside it. Every call sees what was committed before it began."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

from activities.ports import Chain, KnownCommand, Recorded, RefusalLine
from store.bell import positions
from store.connect import Pool, connect, reaching
from store.rows import COLUMNS, recorded

# Only the constant list of columns is put into SQL (S608 is excused for that); what a caller gives is a parameter.
READ_STREAM = f"SELECT {COLUMNS} FROM tandem.event WHERE stream = $1 AND version > $2 ORDER BY version LIMIT $3"  # noqa: S608
READ_EVENT = f"SELECT {COLUMNS} FROM tandem.event WHERE event_id = $1"  # noqa: S608
READ_FEED = f"""
    SELECT {COLUMNS} FROM tandem.event
    WHERE position > $1
      AND ($3::text[] IS NULL OR type = ANY ($3))
      AND ($4::text IS NULL OR coalesce(metadata #>> '{{actor,principal}}', metadata ->> 'actor') = $4)
      AND ($5::text IS NULL OR stream = $5)
      AND ($6::text[] IS NULL OR stream NOT IN (SELECT tandem.unseen($6)))
    ORDER BY position LIMIT $2
"""  # noqa: S608
READ_COMMAND = """
    SELECT fingerprint, version, position, answer FROM tandem.command WHERE stream = $1 AND command_id = $2
"""
NEWEST_OF = """
    SELECT event_id::text, coalesce(metadata ->> 'correlation_id', event_id::text) FROM tandem.event
    WHERE stream = $1 AND type = ANY ($2) AND (NOT data ? $3 OR data ->> $3 = $4) ORDER BY version DESC LIMIT 1
"""
LAGGING = """
    SELECT stream, head, seen FROM tandem.wake
    WHERE lagging AND changed_at <= now() - $2::interval ORDER BY changed_at LIMIT $1
"""
OVERDUE = """
    SELECT stream, next_due FROM tandem.project
    WHERE NOT ended AND next_due <= $1 ORDER BY next_due LIMIT $2
"""
REFUSALS = """
    SELECT id, at, stream, command_id, type, actor, data, code, rule, detail, channel
    FROM tandem.refusal WHERE id > $2 ORDER BY id LIMIT $1
"""


class Reader:
    """The reading half of the store. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, dsn: str, pool: Pool) -> None:
        self._dsn = dsn
        self.pool = pool
        """The connections for reading, shared with the pages' tables."""

    async def ping(self) -> None:
        """Returns when the database answers; waits two seconds for it."""
        with reaching():
            async with asyncio.timeout(2):
                await self.pool.execute("SELECT 1")

    async def read(self, stream: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """Facts of one stream with version > after, oldest first; [] where it does not exist."""
        return [recorded(row) for row in await self.pool.fetch(READ_STREAM, stream, after, limit)]

    async def feed(
        self,
        after_position: int = -1,
        limit: int = 100,
        types: Sequence[str] | None = None,
        actor: str | None = None,
        stream: str | None = None,
        keys: Sequence[str] | None = None,
    ) -> list[Recorded]:
        """Facts of all streams with position > after_position, in order of position; each filter narrows.

        `keys`: only what they open of projects (domain/sight.py).
        """
        rows = await self.pool.fetch(READ_FEED, after_position, limit, types, actor, stream, keys)
        return [recorded(row) for row in rows]

    async def leaves(self, start: int, stop: int) -> list[bytes]:
        """Stored leaf hashes of the positions from `start` up to, not including, `stop`."""
        sql = "SELECT leaf_hash FROM tandem.event WHERE position >= $1 AND position < $2 ORDER BY position"
        return [row[0] for row in await self.pool.fetch(sql, start, stop)]

    async def head(self) -> int:
        """How many events there are: the position that the next one gets."""
        return int(await self.pool.fetchval("SELECT next_position FROM tandem.log_head"))

    async def event_by_id(self, event_id: UUID) -> Recorded | None:
        """The event, if it exists."""
        rows = await self.pool.fetch(READ_EVENT, event_id)
        return recorded(rows[0]) if rows else None

    async def known_command(self, stream: str, command_id: str) -> KnownCommand | None:
        """The first answer to a command, if it was ever recorded."""
        rows = await self.pool.fetch(READ_COMMAND, stream, command_id)
        return KnownCommand(*rows[0]) if rows else None

    async def newest_of(self, stream: str, types: Sequence[str], field: str, value: str) -> Chain | None:
        """The newest event of these types whose data, where it has this field, says this value there."""
        row = await self.pool.fetchrow(NEWEST_OF, stream, types, field, value)
        return None if row is None else Chain(*row)

    async def seen(self, stream: str) -> int:
        """Up to which version the lifecycle has acted; 0 where unknown."""
        rows = await self.pool.fetch("SELECT seen FROM tandem.wake WHERE stream = $1", stream)
        return int(rows[0][0]) if rows else 0

    async def lagging(self, limit: int, older_than: timedelta = timedelta(0)) -> list[tuple[str, int, int]]:
        """(stream, head, seen) where the lifecycle has not acted on everything for at least `older_than`."""
        return [tuple(row) for row in await self.pool.fetch(LAGGING, limit, older_than)]

    async def running(self) -> list[str]:
        """Streams of the projects that have not ended."""
        rows = await self.pool.fetch("SELECT stream FROM tandem.wake WHERE NOT ended ORDER BY stream")
        return [row[0] for row in rows]

    async def overdue(self, now: datetime, limit: int) -> list[tuple[str, datetime]]:
        """(stream, next due) of running projects whose next due time has come, the longest overdue first."""
        return [tuple(row) for row in await self.pool.fetch(OVERDUE, now, limit)]

    async def refusals(self, limit: int, after: int = 0) -> list[tuple[int, RefusalLine]]:
        """Refused commands with id > after, oldest first, each with its id."""
        return [(row[0], RefusalLine(*row[1:])) for row in await self.pool.fetch(REFUSALS, limit, after)]

    def listen(self) -> AsyncGenerator[int, None]:
        """The newest position at once, then each time it has grown: by NOTIFY, and by looking every second.

        Never ends by itself and survives lost connections: close it with `aclose()`.
        """
        return positions(lambda: connect(self._dsn))

    @asynccontextmanager
    async def leader(self, role: str) -> AsyncIterator[bool]:
        """Whether this process is the one that holds `role`, until the context ends or its connection is lost."""
        with reaching():
            connection = await connect(self._dsn)
        try:
            with reaching():
                mine = await connection.fetchval(
                    "SELECT pg_try_advisory_lock(hashtextextended('tandem.' || $1, 0))", role, timeout=5
                )
            yield mine
        finally:
            connection.terminate()
