"""What became of each notice in each channel."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from activities.messages import NoticeMessage
from projections.database import Database

RECORD = """
    INSERT INTO tandem.delivery AS d (event_id, recipient, channel, state, attempts, detail)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (event_id, recipient, channel) DO UPDATE SET
      state = excluded.state, attempts = greatest(d.attempts, excluded.attempts),
      detail = excluded.detail, at = excluded.at
    WHERE d.state <> 'delivered'
"""
# Only these constants are put into SQL (S608 is excused for that); whatever a caller gives is a parameter.
COLUMNS = "event_id, recipient, channel, state, attempts, detail, at"
"""In the order of DeliveryRow's fields."""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """The latest outcome of one notice in one channel."""

    event_id: UUID
    recipient: str
    channel: str
    state: str
    attempts: int
    detail: str
    at: datetime


class Deliveries:
    """Outcomes by event, recipient and channel. What was delivered stays delivered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, notice: NoticeMessage, channel: str, state: str, attempts: int, detail: str) -> None:
        """`state` is `delivered`, `kept` or `failed`; the latest outcome counts, a repetition changes nothing."""
        await self._database.execute(RECORD, UUID(notice.event_id), notice.recipient, channel, state, attempts, detail)

    async def of_event(self, event_id: UUID) -> list[DeliveryRow]:
        """Outcomes of all notices that one event gave rise to."""
        sql = f"SELECT {COLUMNS} FROM tandem.delivery WHERE event_id = $1 ORDER BY recipient, channel"  # noqa: S608
        return [DeliveryRow(*row) for row in await self._database.fetch(sql, event_id)]

    async def failed(self, limit: int) -> list[DeliveryRow]:
        """Notices that did not get through, the latest first."""
        sql = f"SELECT {COLUMNS} FROM tandem.delivery WHERE state = 'failed' ORDER BY at DESC LIMIT $1"  # noqa: S608
        return [DeliveryRow(*row) for row in await self._database.fetch(sql, limit)]
