"""Consumers: named readers with a checkpoint of their own, and a lease so that one reads at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from activities.endpoints import Filter
from activities.ports import Recorded
from store.connect import Pool
from store.rows import COLUMNS, recorded

# Only constant lists of columns are put into SQL (S608 is excused for that); what a caller gives is a parameter.
WANTED = f"""
    SELECT {COLUMNS} FROM tandem.event
    WHERE position > $1 AND position <= $2
      AND ($3::text[] IS NULL OR type = ANY ($3)) AND ($4::text[] IS NULL OR stream = ANY ($4))
      AND ($6::text[] IS NULL OR stream NOT IN (SELECT tandem.unseen($6)))
    ORDER BY position LIMIT $5
"""  # noqa: S608
FIELDS = "owner, name, types, streams, checkpoint, handed, fence, lease_until, created_at, changed_at"
"""In the order of Consumer's fields."""
PUT = f"""
    INSERT INTO tandem.consumer AS c (owner, name, types, streams, checkpoint, handed)
    SELECT $1, $2, $3, $4, $5, $5
    WHERE EXISTS (SELECT FROM tandem.consumer WHERE owner = $1 AND name = $2)
       OR (SELECT count(*) FROM tandem.consumer WHERE owner = $1) < $6
    ON CONFLICT (owner, name) DO UPDATE SET types = excluded.types, streams = excluded.streams, changed_at = now()
    RETURNING {FIELDS}, old.name IS NULL
"""  # noqa: S608
TAKE = f"""
    UPDATE tandem.consumer SET
      fence = CASE WHEN $3::bigint IS NULL THEN fence + 1 ELSE fence END,
      handed = CASE WHEN $3::bigint IS NULL THEN checkpoint ELSE handed END,
      lease_until = now() + $4::interval
    WHERE owner = $1 AND name = $2
      AND CASE WHEN $3::bigint IS NULL THEN coalesce(lease_until <= now(), true) ELSE fence = $3 END
    RETURNING {FIELDS}
"""  # noqa: S608
HAND = """
    UPDATE tandem.consumer SET handed = greatest(handed, $4), lease_until = now() + $5::interval
    WHERE owner = $1 AND name = $2 AND fence = $3
"""
MOVE_ON = """
    UPDATE tandem.consumer SET
      checkpoint = greatest(checkpoint, $4), handed = greatest(handed, $4), lease_until = NULL
    WHERE owner = $1 AND name = $2 AND fence = $3
"""
ACKNOWLEDGE = f"""
    UPDATE tandem.consumer SET
      checkpoint = $4, changed_at = now(), lease_until = CASE WHEN $4 < handed THEN lease_until END
    WHERE owner = $1 AND name = $2 AND fence = $3 AND $4 BETWEEN checkpoint AND handed
    RETURNING {FIELDS}
"""  # noqa: S608
RESET = f"""
    UPDATE tandem.consumer SET
      checkpoint = $3, handed = $3, fence = fence + 1, lease_until = NULL, changed_at = now()
    WHERE owner = $1 AND name = $2
    RETURNING {FIELDS}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Consumer:
    """One consumer as it stands."""

    owner: str
    name: str
    types: Sequence[str] | None
    streams: Sequence[str] | None
    checkpoint: int
    """Everything up to here was dealt with; -1 where nothing was."""
    handed: int
    fence: int
    lease_until: datetime | None
    created_at: datetime
    changed_at: datetime

    @property
    def wanted(self) -> Filter:
        return Filter(self.types, self.streams)


async def wanted_facts(
    pool: Pool, keys: Sequence[str] | None, wanted: Filter, after: int, limit: int
) -> tuple[list[Recorded], int]:
    """Facts with position > after, in order, and the position up to which nothing else is wanted.

    Only of projects that are open, or that one of the keys opens (domain/sight.py); None: whoever it is for is asked
    about later.
    """
    newest = int(await pool.fetchval("SELECT next_position - 1 FROM tandem.log_head"))
    rows = await pool.fetch(WANTED, after, newest, wanted.types, wanted.streams, limit, keys)
    facts = [recorded(row) for row in rows]
    return facts, facts[-1].position if len(facts) == limit else max(newest, after)


async def log_id(pool: Pool) -> str:
    """What tells this log from every other, for ever."""
    return str(await pool.fetchval("SELECT id FROM tandem.log"))


class Consumers:
    """Each belongs to the principal who made it. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, owner: str, name: str, wanted: Filter, after: int, most: int) -> tuple[Consumer, bool] | None:
        """Make it, or change what it is meant to get; and whether it is new. None where the owner has `most`."""
        row = await self._pool.fetchrow(PUT, owner, name, wanted.types, wanted.streams, after, most)
        return None if row is None else (Consumer(*row[:-1]), row[-1])

    async def get(self, owner: str, name: str) -> Consumer | None:
        """The consumer, None where there is none."""
        sql = f"SELECT {FIELDS} FROM tandem.consumer WHERE owner = $1 AND name = $2"  # noqa: S608
        row = await self._pool.fetchrow(sql, owner, name)
        return None if row is None else Consumer(*row)

    async def of(self, owner: str) -> list[Consumer]:
        """All of one owner, by name."""
        sql = f"SELECT {FIELDS} FROM tandem.consumer WHERE owner = $1 ORDER BY name"  # noqa: S608
        return [Consumer(*row) for row in await self._pool.fetch(sql, owner)]

    async def remove(self, owner: str, name: str) -> bool:
        """False where there was none."""
        sql = "DELETE FROM tandem.consumer WHERE owner = $1 AND name = $2"
        return await self._pool.execute(sql, owner, name) == "DELETE 1"

    async def take(self, owner: str, name: str, fence: int | None, lease: timedelta) -> Consumer | None:
        """Take a new lease where nobody holds one, or with its fence go on with one. None where that cannot be."""
        row = await self._pool.fetchrow(TAKE, owner, name, fence, lease)
        return None if row is None else Consumer(*row)

    async def hand(self, consumer: Consumer, upto: int, lease: timedelta) -> bool:
        """Note up to where the holder was given events; False where the lease is another's by now."""
        done = await self._pool.execute(HAND, consumer.owner, consumer.name, consumer.fence, upto, lease)
        return done == "UPDATE 1"

    async def pass_over(self, consumer: Consumer, upto: int) -> bool:
        """Nothing is wanted up to here: go on behind it, and give the lease back."""
        done = await self._pool.execute(MOVE_ON, consumer.owner, consumer.name, consumer.fence, upto)
        return done == "UPDATE 1"

    async def acknowledge(self, owner: str, name: str, fence: int, position: int) -> Consumer | None:
        """Everything up to `position` was dealt with; with all that was handed out the lease ends.

        None where the fence is not the last one, or the position is not among what was handed out under it.
        """
        row = await self._pool.fetchrow(ACKNOWLEDGE, owner, name, fence, position)
        return None if row is None else Consumer(*row)

    async def reset(self, owner: str, name: str, position: int) -> Consumer | None:
        """Go on behind `position`; whoever holds the lease has lost it. None where there is no such consumer."""
        row = await self._pool.fetchrow(RESET, owner, name, position)
        return None if row is None else Consumer(*row)
