"""Who looked into the audit view: noted before the first row goes out, and how it ended. Only ever appended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.connect import Pool
from store.rows import storable
from store.searching import Window

# Only constants are put into SQL (S608 is excused for that); whatever a caller gives is a parameter.
READS = """
    SELECT r.id, r.at, r.reader, r.what, r.format, r.request_id, r.filter, e.at, e.rows
    FROM tandem.audit_read r LEFT JOIN tandem.audit_read_end e ON e.read_id = r.id
    WHERE r.id >= $1 AND r.id < $2
      AND ($4::text IS NULL OR r.reader = $4) AND ($5::text IS NULL OR r.what = $5)
      AND ($8::text IS NULL OR r.reader = $8)
      AND ($6::timestamptz IS NULL OR r.at >= $6) AND ($7::timestamptz IS NULL OR r.at < $7)
    ORDER BY r.id {order} LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look into the audit view; without an end it broke off."""

    id: int
    at: datetime
    reader: str
    what: str
    format: str
    request_id: str
    filter: Mapping[str, Any]
    ended_at: datetime | None
    rows: int | None


@dataclass(frozen=True, slots=True)
class WantedReadings:
    """Which looks; None is no condition."""

    reader: str | None = None
    what: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    own: str | None = None
    """Only this person's, whoever is asked for."""


class Readings:
    """The record of looks into the audit view. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, reader: str, what: str, form: str, request_id: str, asked: Mapping[str, Any]) -> int:
        """Note that somebody is about to read; gives its id."""
        sql = "SELECT tandem.note_read($1, $2, $3, $4, $5)"
        return int(await self._pool.fetchval(sql, reader, what, form, request_id, storable(asked)))

    async def end(self, reading: int, rows: int) -> None:
        """Note how many rows went out; once."""
        await self._pool.execute("SELECT tandem.note_read_end($1, $2)", reading, rows)

    async def head(self) -> int:
        """The first id that no look has yet."""
        return int(await self._pool.fetchval("SELECT coalesce(max(id), 0) + 1 FROM tandem.audit_read"))

    async def of(self, wanted: WantedReadings, window: Window) -> list[Reading]:
        """The looks of the window, in its order."""
        sql = READS.format(order="DESC" if window.newest else "ASC")
        limits = (window.low, window.high, window.limit)
        found = await self._pool.fetch(sql, *limits, wanted.reader, wanted.what, wanted.since, wanted.until, wanted.own)
        return [Reading(*row) for row in found]
