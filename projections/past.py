"""Looking back: what was recorded by an instant, in one stream and over all of them, and what was told later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.ports import Recorded
from projections.database import Database
from projections.project import Cursor
from store.rows import COLUMNS, recorded

# Only the constant list of columns is put into SQL (S608 is excused for that); what a caller gives is a parameter.
READ = f"SELECT {COLUMNS} FROM tandem.event WHERE stream = $1 AND version > $2 ORDER BY version LIMIT $3"  # noqa: S608
VERSION_AT = """
    WITH RECURSIVE narrowed AS (
      SELECT 0::bigint AS low, $3::bigint AS high
      UNION ALL
      SELECT CASE WHEN e.recorded_at <= $2 THEN e.version ELSE n.low END,
             CASE WHEN e.recorded_at <= $2 THEN n.high ELSE e.version - 1 END
      FROM narrowed n,
           LATERAL (SELECT version, recorded_at FROM tandem.event
                    WHERE stream = $1 AND version = (n.low + n.high + 1) / 2 LIMIT 1) e
      WHERE n.low < n.high)
    SELECT low FROM narrowed WHERE low = high
"""
"""Within a stream instants never go back, so halving finds it: 14 looks into 10,000 events."""
TOLD_LATER = f"""
    SELECT {COLUMNS} FROM tandem.event
    WHERE stream = $1 AND version > $2 AND version <= $3 AND effective_at <= $4 ORDER BY version
"""  # noqa: S608
CORRECTIONS = f"""
    SELECT {COLUMNS} FROM tandem.event
    WHERE stream = $1 AND version <= $2 AND type = 'KpiMeasured' AND data ->> 'corrects' IS NOT NULL ORDER BY version
"""  # noqa: S608
MEASUREMENTS = f"""
    SELECT {COLUMNS} FROM tandem.event
    WHERE stream = $1 AND type = 'KpiMeasured' AND data ->> 'measurement' = ANY ($2) ORDER BY version
"""  # noqa: S608
MEASURED = f"""
    SELECT {COLUMNS} FROM tandem.event
    WHERE stream = $1 AND version <= $2 AND type = 'KpiMeasured' AND ($3::timestamptz IS NULL OR effective_at <= $3)
    ORDER BY version DESC LIMIT $4
"""  # noqa: S608
HEADS = """
    WITH RECURSIVE narrowed AS (
      SELECT p.id, p.stream, CASE WHEN p.changed_at <= $1 THEN p.version ELSE 1 END AS low, p.version AS high
      FROM tandem.project p
      WHERE p.started_at <= $1 AND (NOT $5 OR p.changed_at > $1) AND (p.locks IS NULL OR p.locks ?| $6::text[])
      UNION ALL
      SELECT n.id, n.stream, CASE WHEN e.recorded_at <= $1 THEN e.version ELSE n.low END,
             CASE WHEN e.recorded_at <= $1 THEN n.high ELSE e.version - 1 END
      FROM narrowed n,
           LATERAL (SELECT version, recorded_at FROM tandem.event
                    WHERE stream = n.stream AND version = (n.low + n.high + 1) / 2 LIMIT 1) e
      WHERE n.low < n.high)
    SELECT n.id, n.low, e.recorded_at
    FROM narrowed n,
         LATERAL (SELECT recorded_at FROM tandem.event WHERE stream = n.stream AND version = n.low LIMIT 1) e
    WHERE n.low = n.high AND ($2::timestamptz IS NULL OR (e.recorded_at, n.id) < ($2, $3))
    ORDER BY e.recorded_at DESC, n.id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Head:
    """Where one project was at an instant."""

    project_id: str
    version: int
    changed_at: datetime


class Archive:
    """Satisfies `activities.past.Archive`, and looks over all projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, stream: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """Facts of one stream with version > after, oldest first; [] where it does not exist."""
        return await self._facts(READ, stream, after, limit)

    async def version_at(self, stream: str, at: datetime, head: int) -> int:
        """The last version, of those up to `head`, that was recorded by `at`; 0 where there is none."""
        return int(await self._database.fetchval(VERSION_AT, stream, at, head) or 0)

    async def told_later(self, stream: str, then: int, known: int, at: datetime) -> list[Recorded]:
        """Facts with then < version <= known that were true by `at`, oldest first."""
        return await self._facts(TOLD_LATER, stream, then, known, at)

    async def corrections(self, stream: str, known: int) -> list[Recorded]:
        """Facts up to the version `known` that correct another one, oldest first."""
        return await self._facts(CORRECTIONS, stream, known)

    async def measurements(self, stream: str, names: Sequence[str]) -> list[Recorded]:
        """The facts that recorded these measurements, oldest first."""
        return await self._facts(MEASUREMENTS, stream, names)

    async def measured(self, stream: str, known: int, at: datetime | None, limit: int) -> list[Recorded]:
        """The newest measurements up to the version `known` that were true by `at` (None: all), the newest first."""
        return await self._facts(MEASURED, stream, known, at, limit)

    async def heads(
        self,
        at: datetime,
        keys: Sequence[str],
        limit: int,
        after: Cursor | None = None,
        *,
        changed_since: bool = False,
    ) -> list[Head]:
        """Where projects were at an instant that one of the keys opens now, the latest changed first.

        `changed_since`: only those that have changed since.
        """
        changed_at, last = (None, None) if after is None else (after.changed_at, after.id)
        rows = await self._database.fetch(HEADS, at, changed_at, last, limit, changed_since, list(keys))
        return [Head(*row) for row in rows]

    async def _facts(self, sql: str, *arguments: Any) -> list[Recorded]:
        return [recorded(row) for row in await self._database.fetch(sql, *arguments)]
