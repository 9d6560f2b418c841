"""What became of each notice in each channel."""

from uuid import UUID

import asyncpg

from activities.messages import NoticeMessage
from store.connect import reaching


class Deliveries:
    """The latest outcome per event, recipient and channel."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def record(self, notice: NoticeMessage, channel: str, state: str, attempts: int, detail: str) -> None:
        """Keep the outcome; the latest one counts. Raises StoreUnavailable."""
        with reaching():
            await self._pool.execute(
                "INSERT INTO tandem.delivery (event_id, recipient, channel, state, attempts, detail, at) "
                "VALUES ($1, $2, $3, $4, $5, $6, now()) ON CONFLICT (event_id, recipient, channel) "
                "DO UPDATE SET state = excluded.state, attempts = excluded.attempts, detail = excluded.detail, "
                "at = excluded.at",
                UUID(notice.event_id),
                notice.recipient,
                channel,
                state,
                attempts,
                detail,
            )
