"""Calendars of due dates: who may read one by its secret, and which projects are in it."""

from dataclasses import dataclass
from datetime import datetime

from projections.database import Database

END = "UPDATE tandem.calendar_feed SET ended_at = now() WHERE person = $1 AND ended_at IS NULL"
# Two at the same moment: the second one finds the first one's row and ends it, or nothing is made twice.
MAKE = "INSERT INTO tandem.calendar_feed (hash, person) VALUES ($1, $2) ON CONFLICT DO NOTHING"
FIND = "SELECT person FROM tandem.calendar_feed WHERE hash = $1 AND ended_at IS NULL"
USED = """
    UPDATE tandem.calendar_feed SET used_at = now()
    WHERE hash = $1 AND (used_at IS NULL OR used_at < now() - interval '1 min')
"""
LIVING = "SELECT made_at, used_at FROM tandem.calendar_feed WHERE person = $1 AND ended_at IS NULL"
MINE = """
    SELECT p.id, p.version, p.changed_at FROM tandem.project p
    WHERE NOT p.ended AND EXISTS (SELECT FROM tandem.membership m WHERE m.project_id = p.id AND m.person = $1)
    ORDER BY p.changed_at DESC, p.id LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Version:
    """How far a project is."""

    project_id: str
    version: int
    changed_at: datetime


class Calendars:
    """At most one living calendar a person. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, person: str, digest: bytes) -> None:
        """A new one, found by the hash of its secret; one from before ends."""
        await self.end(person)
        await self._database.execute(MAKE, digest, person)

    async def end(self, person: str) -> bool:
        """At once; False where there was none."""
        return bool(await self._database.execute(END, person) != "UPDATE 0")

    async def living(self, person: str) -> tuple[datetime, datetime | None] | None:
        """When it was made, and last read (to the minute)."""
        row = await self._database.fetchrow(LIVING, person)
        return None if row is None else (row[0], row[1])

    async def reader(self, digest: bytes) -> str | None:
        """Whose it is, and note that it was read."""
        found = await self._database.fetchval(FIND, digest)
        if found is not None:
            await self._database.execute(USED, digest)
        return None if found is None else str(found)

    async def projects(self, person: str, limit: int) -> list[Version]:
        """The living projects in which the person has a role, what changed last first."""
        return [Version(*row) for row in await self._database.fetch(MINE, person, limit)]
