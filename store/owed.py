"""What webhooks are owed, as the steps that send it ask and write it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from activities.endpoints import Attempt, Endpoint, Extra, Filter, Lane, Overtaken
from activities.ports import Recorded
from activities.webhooks import digest
from store.connect import Pool
from store.feeds import wanted_facts
from store.lockbox import Lockbox
from store.reading import READ_EVENT
from store.rows import COLUMNS, recorded, storable_text

BEGIN = """
    UPDATE tandem.webhook SET epoch = epoch + 1 WHERE id = $1
    RETURNING id, epoch, owner, url, checkpoint, types, streams, enabled, deleted_at IS NOT NULL, paused_until,
              last_success_at
"""
LANES = """
    SELECT stream, position, attempt, since, next_at FROM tandem.webhook_lane
    WHERE webhook_id = $1 ORDER BY next_at, stream LIMIT $2
"""
PUT_LANES = """
    INSERT INTO tandem.webhook_lane (webhook_id, stream, position, attempt, since, next_at)
    SELECT $1, l.* FROM unnest($2::text[], $3::bigint[], $4::int[], $5::timestamptz[], $6::timestamptz[]) AS l
    ON CONFLICT (webhook_id, stream) DO NOTHING
"""
THIS_ROUND = "WITH this AS (SELECT id FROM tandem.webhook WHERE id = $1 AND epoch = $2 FOR SHARE)"
EXTRAS = """
    SELECT x.id, x.kind, x.event_id, x.stream, x.attempt, x.asked_at FROM tandem.webhook_extra x
    WHERE x.webhook_id = $1 AND x.next_at <= $2 AND (NOT $3 OR x.kind = 'test')
      AND NOT EXISTS (SELECT FROM tandem.webhook_extra b
                      WHERE b.webhook_id = $1 AND b.stream = x.stream AND b.id < x.id AND b.next_at > $2)
    ORDER BY x.id LIMIT $4
"""
NEXT_DUE = """
    SELECT least((SELECT min(next_at) FROM tandem.webhook_lane WHERE webhook_id = $1),
                 (SELECT min(next_at) FROM tandem.webhook_extra WHERE webhook_id = $1))
"""
# Only the constant list of columns is put into SQL (S608 is excused for that).
OF_STREAM = f"""
    SELECT {COLUMNS} FROM tandem.event
    WHERE stream = $1 AND position BETWEEN $2 AND $3 AND ($4::text[] IS NULL OR type = ANY ($4))
      AND ($5::text[] IS NULL OR stream = ANY ($5))
    ORDER BY version LIMIT $6
"""  # noqa: S608
LOG = """
    INSERT INTO tandem.webhook_attempt (webhook_id, event_id, type, position, kind, at, attempt, state, next_at,
                                        status, latency_ms, problem, answer, bytes, body_hash)
    SELECT w.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
    FROM tandem.webhook w WHERE w.id = $1
"""
NOTED = """
    SELECT EXISTS (SELECT FROM tandem.webhook_attempt
                   WHERE webhook_id = $1 AND event_id = $2 AND state = 'delivered' AND kind = 'event')
"""
# What an attempt proves: the endpoint was reached, and when.
REACHED = "UPDATE tandem.webhook SET last_success_at = greatest(last_success_at, $2) WHERE id = $1"


class Owed:
    """Satisfies `activities.endpoints.Ledger` and `activities.herald.Owing`."""

    def __init__(self, pool: Pool, lockbox: Lockbox) -> None:
        self._pool = pool
        self._lockbox = lockbox

    async def begin(self, webhook_id: UUID) -> Endpoint | None:
        """Begin a round, which ends any other; None where there is no such endpoint."""
        row = await self._pool.fetchrow(BEGIN, webhook_id)
        if row is None:
            return None
        identity, epoch, owner, url, checkpoint, types, streams, *rest = row
        return Endpoint(identity, epoch, owner, url, checkpoint, Filter(types, streams), *rest)

    async def remove(self, webhook_id: UUID) -> None:
        """Remove an endpoint that was deleted, with all that is kept of it."""
        await self._pool.execute("DELETE FROM tandem.webhook WHERE id = $1 AND deleted_at IS NOT NULL", webhook_id)

    async def secrets(self, webhook_id: UUID) -> list[str]:
        """The live secrets, the newest first."""
        rows = await self._pool.fetch("SELECT kept FROM tandem.webhook_secrets($1)", webhook_id)
        return [self._lockbox.open(webhook_id, row[0]) for row in rows]

    async def lanes(self, endpoint: Endpoint, limit: int) -> list[Lane]:
        """Streams that are behind, those due first."""
        return [Lane(*row) for row in await self._pool.fetch(LANES, endpoint.id, limit)]

    async def laned(self, endpoint: Endpoint, streams: Sequence[str]) -> set[str]:
        """Which of these streams are behind."""
        sql = "SELECT stream FROM tandem.webhook_lane WHERE webhook_id = $1 AND stream = ANY ($2)"
        return {row[0] for row in await self._pool.fetch(sql, endpoint.id, streams)}

    async def put_lanes(self, endpoint: Endpoint, checkpoint: int, lanes: Sequence[Lane]) -> None:
        """Move the checkpoint and keep which streams stay behind it, both or neither."""
        sql = """
            UPDATE tandem.webhook SET checkpoint = greatest(checkpoint, $3) WHERE id = $1 AND epoch = $2
        """
        async with self._pool.transaction() as connection:
            _check(endpoint, await connection.execute(sql, endpoint.id, endpoint.epoch, checkpoint))
            columns = [[getattr(lane, name) for lane in lanes] for name in Lane.__dataclass_fields__]
            await connection.execute(PUT_LANES, endpoint.id, *columns)

    async def move_lane(self, endpoint: Endpoint, lane: Lane) -> None:
        """Where the stream's delivering goes on, and when."""
        change = """
            UPDATE tandem.webhook_lane l SET position = $4, attempt = $5, since = $6, next_at = $7
            FROM this WHERE l.webhook_id = this.id AND l.stream = $3
        """
        await self._write(endpoint, change, lane.stream, lane.position, lane.attempt, lane.since, lane.next_at)

    async def end_lane(self, endpoint: Endpoint, stream: str) -> None:
        """The stream has caught up with the checkpoint."""
        change = "DELETE FROM tandem.webhook_lane l USING this WHERE l.webhook_id = this.id AND l.stream = $3"
        await self._write(endpoint, change, stream)

    async def extras(self, endpoint: Endpoint, now: datetime, limit: int, *, only_tests: bool) -> list[Extra]:
        """What is due beside the order, each stream's in order up to the first that still waits."""
        return [Extra(*row) for row in await self._pool.fetch(EXTRAS, endpoint.id, now, only_tests, limit)]

    async def move_extra(self, endpoint: Endpoint, extra: Extra, next_at: datetime) -> None:
        """To be tried again."""
        change = "UPDATE tandem.webhook_extra x SET attempt = attempt + 1, next_at = $4 FROM this WHERE x.id = $3"
        await self._write(endpoint, change, extra.id, next_at)

    async def end_extra(self, endpoint: Endpoint, extra: Extra) -> None:
        """Delivered, or given up."""
        await self._write(endpoint, "DELETE FROM tandem.webhook_extra x USING this WHERE x.id = $3", extra.id)

    async def next_due(self, endpoint: Endpoint) -> datetime | None:
        """When the next lane or extra is due; None where nothing waits."""
        due: datetime | None = await self._pool.fetchval(NEXT_DUE, endpoint.id)
        return due

    async def pause(self, endpoint: Endpoint, until: datetime) -> None:
        """Send this endpoint nothing until then, tests apart."""
        change = "UPDATE tandem.webhook w SET paused_until = $3 FROM this WHERE w.id = this.id"
        await self._write(endpoint, change, until)

    async def disable(self, endpoint: Endpoint, because: str) -> None:
        """Send this endpoint nothing until its owner enables it again."""
        change = """
            UPDATE tandem.webhook w SET enabled = false, disabled_because = $3, changed_at = now()
            FROM this WHERE w.id = this.id
        """
        await self._write(endpoint, change, because)

    async def log(self, endpoint: Endpoint, attempt: Attempt) -> None:
        """Keep what came of an attempt."""
        parcel, answer = attempt.parcel, attempt.answer
        await self._pool.execute(
            LOG,
            *(endpoint.id, parcel.event_id, parcel.type, parcel.position, parcel.kind),
            *(attempt.at, attempt.attempt, attempt.state, attempt.next_at),
            *(answer.status, round(answer.seconds * 1000), answer.problem, storable_text(answer.text)),
            *(len(parcel.body), digest(parcel.body)),
        )
        if answer.good:
            await self._pool.execute(REACHED, endpoint.id, attempt.at)

    async def noted(self, endpoint: Endpoint, event_id: UUID) -> bool:
        """Whether the event is known to have got through in its turn."""
        return bool(await self._pool.fetchval(NOTED, endpoint.id, event_id))

    async def wanted(self, wanted: Filter, after: int, limit: int) -> tuple[list[Recorded], int]:
        """Facts with position > after, in order, and the position up to which nothing else is wanted."""
        return await wanted_facts(self._pool, None, wanted, after, limit)

    async def of_stream(self, wanted: Filter, stream: str, start: int, upto: int, limit: int) -> list[Recorded]:
        """Facts of one stream from `start` up to `upto`, both included, in order."""
        rows = await self._pool.fetch(OF_STREAM, stream, start, upto, wanted.types, wanted.streams, limit)
        return [recorded(row) for row in rows]

    async def event(self, event_id: UUID) -> Recorded | None:
        """The event, if it exists."""
        rows = await self._pool.fetch(READ_EVENT, event_id)
        return recorded(rows[0]) if rows else None

    async def behind(self, now: datetime) -> list[tuple[UUID, str]]:
        """Endpoints with something to do, each with a mark that changes when there is more."""
        rows = await self._pool.fetch("SELECT webhook_id, mark FROM tandem.webhooks_behind($1)", now)
        return [(row[0], row[1]) for row in rows]

    async def prune(self, before: datetime) -> None:
        """Forget attempts that were made before then."""
        await self._pool.execute("DELETE FROM tandem.webhook_attempt WHERE at < $1", before)

    async def _write(self, endpoint: Endpoint, change: str, *arguments: Any) -> None:
        """One change, where the round is still the last one. Raises Overtaken."""
        _check(endpoint, await self._pool.execute(f"{THIS_ROUND} {change}", endpoint.id, endpoint.epoch, *arguments))


def _check(endpoint: Endpoint, done: str) -> None:
    if done.endswith(" 0"):
        raise Overtaken(f"another round of webhook {endpoint.id} has begun")
