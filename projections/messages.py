"""The inbox's lines: one per event and recipient, read or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from activities.messages import NoticeMessage
from store.connect import reaching


@dataclass(frozen=True, slots=True)
class Line:
    """One message in a person's inbox."""

    id: int
    at: datetime
    read_at: datetime | None
    project_id: str
    kind: str
    text_en: str
    text_zh: str


class Messages:
    """Lines of every person's inbox."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def put(self, notice: NoticeMessage) -> bool:
        """Keep the notice once; False where it was there already. Raises StoreUnavailable."""
        with reaching():
            put = await self._pool.execute(
                "INSERT INTO tandem.message (at, event_id, recipient, project_id, kind, text_en, text_zh) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (event_id, recipient) DO NOTHING",
                datetime.now(UTC),
                UUID(notice.event_id),
                notice.recipient,
                notice.project_id,
                notice.kind,
                notice.en,
                notice.zh,
            )
        return bool(put == "INSERT 0 1")

    async def of(self, person: str, *, limit: int = 50, before: int | None = None, unread: bool = False) -> list[Line]:
        """The person's lines, newest first, older than `before`. Raises StoreUnavailable."""
        with reaching():
            rows: Sequence[Any] = await self._pool.fetch(
                "SELECT id, at, read_at, project_id, kind, text_en, text_zh FROM tandem.message "
                "WHERE recipient = $1 AND ($2::bigint IS NULL OR id < $2) AND (NOT $3 OR read_at IS NULL) "
                "ORDER BY id DESC LIMIT $4",
                person,
                before,
                unread,
                limit,
            )
        return [Line(**dict(row)) for row in rows]

    async def mark_read(self, person: str, message: int) -> bool:
        """Note that the person has read it; False where it is not theirs. Raises StoreUnavailable."""
        with reaching():
            done = await self._pool.execute(
                "UPDATE tandem.message SET read_at = coalesce(read_at, $3) WHERE id = $1 AND recipient = $2",
                message,
                person,
                datetime.now(UTC),
            )
        return bool(done == "UPDATE 1")
