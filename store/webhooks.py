"""Webhooks as their owners see them: endpoints, their secrets, and what became of each delivery."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from activities.endpoints import Filter
from activities.ports import Recorded
from store.connect import Pool
from store.feeds import wanted_facts
from store.lockbox import Lockbox

# Only constant lists of columns are put into SQL (S608 is excused for that); what a caller gives is a parameter.
FIELDS = """
    w.id, w.owner, w.url, w.description, w.types, w.streams, w.enabled, w.disabled_because, w.checkpoint,
    w.created_at, w.changed_at, w.paused_until, w.last_success_at,
    (SELECT count(*) FROM tandem.webhook_lane l WHERE l.webhook_id = w.id)
"""
"""In the order of Webhook's fields."""
CREATE = f"""
    INSERT INTO tandem.webhook AS w (id, owner, url, description, types, streams, checkpoint)
    SELECT $1, $2, $3, $4, $5, $6, $7
    WHERE (SELECT count(*) FROM tandem.webhook WHERE owner = $2 AND deleted_at IS NULL) < $8
    ON CONFLICT (id) DO NOTHING RETURNING {FIELDS}
"""  # noqa: S608
CHANGE = """
    UPDATE tandem.webhook SET
      url = $3, description = $4, types = $5, streams = $6, enabled = $7, changed_at = now(),
      disabled_because = CASE WHEN $7 THEN NULL WHEN enabled THEN 'disabled by its owner' ELSE disabled_because END,
      paused_until = CASE WHEN $7 AND NOT enabled OR url <> $3 THEN NULL ELSE paused_until END
    WHERE id = $1 AND owner = $2 AND deleted_at IS NULL
"""
AFRESH = """
    UPDATE tandem.webhook_lane SET attempt = 0, next_at = now() WHERE webhook_id = $1
"""
ASK = """
    INSERT INTO tandem.webhook_extra (webhook_id, kind, event_id, stream, position)
    SELECT $1, $2, e.event_id, e.stream, e.position
    FROM unnest($3::uuid[], $4::text[], $5::bigint[]) WITH ORDINALITY AS e (event_id, stream, position, no)
    ORDER BY e.no
    ON CONFLICT (webhook_id, kind, event_id) DO UPDATE SET attempt = 0, asked_at = now(), next_at = now()
"""
LINES = """
    id, at, event_id, type, position, kind, attempt, state, status, latency_ms, problem, answer, next_at, bytes,
    body_hash
"""
"""In the order of Line's fields."""
SEEN = """
    NOT EXISTS (SELECT FROM tandem.event e WHERE e.event_id = a.event_id AND e.stream IN (SELECT tandem.unseen({})))
"""
"""Of a project that the owner sees now, whoever has seen it when it was sent."""
ONE_LINE = f"SELECT {LINES} FROM tandem.webhook_attempt a WHERE webhook_id = $1 AND id = $2 AND {SEEN.format('$3')}"  # noqa: S608
LOG = f"""
    SELECT {LINES} FROM tandem.webhook_attempt a
    WHERE webhook_id = $1 AND ($2::bigint IS NULL OR id < $2) AND ($3::uuid IS NULL OR event_id = $3)
      AND ($4::text IS NULL OR state = $4) AND {SEEN.format("$6")}
    ORDER BY id DESC LIMIT $5
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Webhook:
    """One endpoint as it stands."""

    id: UUID
    owner: str
    url: str
    description: str
    types: Sequence[str] | None
    streams: Sequence[str] | None
    enabled: bool
    disabled_because: str | None
    checkpoint: int
    created_at: datetime
    changed_at: datetime
    paused_until: datetime | None
    last_success_at: datetime | None
    lanes: int
    """Projects that are behind, each by itself."""

    @property
    def wanted(self) -> Filter:
        return Filter(self.types, self.streams)


@dataclass(frozen=True, slots=True)
class Line:
    """One attempt in the delivery log."""

    id: int
    at: datetime
    event_id: UUID
    type: str
    position: int | None
    kind: str
    attempt: int
    state: str
    status: int | None
    latency_ms: int
    problem: str
    answer: str
    next_at: datetime | None
    size: int
    body_hash: bytes


class Webhooks:
    """Each belongs to the principal who made it. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, pool: Pool, lockbox: Lockbox) -> None:
        self._pool = pool
        self._lockbox = lockbox

    async def create(self, fresh: Webhook, secret: str, most: int) -> Webhook | None:
        """Keep it with its secret. None where the owner has `most`, or where its id is there already."""
        wanted = (fresh.types, fresh.streams)
        async with self._pool.transaction() as connection:
            row = await connection.fetchrow(
                CREATE, fresh.id, fresh.owner, fresh.url, fresh.description, *wanted, fresh.checkpoint, most
            )
            if row is None:
                return None
            kept = self._lockbox.close(fresh.id, secret)
            await connection.fetchval("SELECT tandem.keep_webhook_secret($1, $2, now(), NULL)", fresh.id, kept)
            return Webhook(*row)

    async def get(self, owner: str, webhook_id: UUID) -> Webhook | None:
        """The endpoint, None where the owner has no such."""
        rows = await self._pool.fetch(_select("w.owner = $1 AND w.id = $2"), owner, webhook_id)
        return Webhook(*rows[0]) if rows else None

    async def of(self, owner: str) -> list[Webhook]:
        """All of one owner, the oldest first."""
        return [Webhook(*row) for row in await self._pool.fetch(_select("w.owner = $1"), owner)]

    async def change(self, webhook: Webhook, *, afresh: bool) -> None:
        """Keep what its owner may change; `afresh`: what had failed is tried at once, as if for the first time."""
        async with self._pool.transaction() as connection:
            await connection.execute(
                CHANGE,
                *(webhook.id, webhook.owner, webhook.url, webhook.description),
                *(webhook.types, webhook.streams, webhook.enabled),
            )
            if afresh:
                await connection.execute(AFRESH, webhook.id)

    async def remove(self, owner: str, webhook_id: UUID) -> bool:
        """From now on nothing is sent; its workflow removes the rest. False where there was none."""
        sql = """
            UPDATE tandem.webhook SET deleted_at = now(), enabled = false, changed_at = now()
            WHERE owner = $1 AND id = $2 AND deleted_at IS NULL
        """
        return await self._pool.execute(sql, owner, webhook_id) == "UPDATE 1"

    async def rotate(self, webhook_id: UUID, secret: str, overlap: timedelta, key: str | None = None) -> str:
        """A new secret, and the one before signs beside it for `overlap`. The same key again: the same secret."""
        kept = self._lockbox.close(webhook_id, secret)
        sql = "SELECT tandem.keep_webhook_secret($1, $2, now() + $3::interval, $4)"
        return self._lockbox.open(webhook_id, await self._pool.fetchval(sql, webhook_id, kept, overlap, key))

    async def ask_for_test(self, webhook_id: UUID, event_id: UUID) -> None:
        """A test is sent soon; asked for twice under one id it is sent once, unless it was sent by then."""
        await self._pool.execute(ASK, webhook_id, "test", [event_id], ["webhook"], [None])

    async def ask_again(self, webhook_id: UUID, facts: Sequence[Recorded]) -> None:
        """These events are sent soon, in order per project, whether they were delivered or not."""
        ids, streams = [fact.event_id for fact in facts], [fact.stream for fact in facts]
        await self._pool.execute(ASK, webhook_id, "resend", ids, streams, [fact.position for fact in facts])

    async def between(self, keys: Sequence[str], wanted: Filter, first: int, last: int, limit: int) -> list[Recorded]:
        """Facts that are meant for such an endpoint of an owner with these keys, both positions included."""
        facts, _ = await wanted_facts(self._pool, keys, wanted, first - 1, limit)
        return [fact for fact in facts if fact.position <= last]

    async def log(self, webhook_id: UUID, keys: Sequence[str], limit: int, **only: Any) -> list[Line]:
        """Attempts, the latest first: those before the line `before`, of the event `event`, in the state `state`.

        Those with events of projects that no key opens any more are left out.
        """
        narrowed = only.get("before"), only.get("event"), only.get("state")
        rows = await self._pool.fetch(LOG, webhook_id, *narrowed, limit, list(keys))
        return [Line(*row) for row in rows]

    async def line(self, webhook_id: UUID, keys: Sequence[str], number: int) -> Line | None:
        """One attempt, None where there is none of that number, or none any more for an owner with these keys."""
        row = await self._pool.fetchrow(ONE_LINE, webhook_id, number, list(keys))
        return None if row is None else Line(*row)


def _select(condition: str) -> str:
    """Endpoints that were not deleted; `condition` is one of the constants above, never a caller's words."""
    where = f"{condition} AND w.deleted_at IS NULL"
    return f"SELECT {FIELDS} FROM tandem.webhook w WHERE {where} ORDER BY w.created_at, w.id"  # noqa: S608
