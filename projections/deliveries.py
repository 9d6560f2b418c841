"""What became of each notice in each channel, for whoever caused it, got it, or looks after the whole."""

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
BEGIN = """
    INSERT INTO tandem.delivery (event_id, recipient, channel, state, detail) VALUES ($1, $2, $3, 'waiting', $4)
    ON CONFLICT DO NOTHING
"""
# Only these constants are put into SQL (S608 is excused for that); whatever a caller gives is a parameter.
COLUMNS = "event_id, recipient, channel, state, attempts, detail, at"
"""In the order of DeliveryRow's fields."""
TOLD = """m.id, d.channel, d.since, d.at, d.state, d.attempts, d.detail, m.event_id, d.recipient, m.kind, m.ref,
           m.text_en, m.text_zh, m.project_id, m.code"""
"""In the order of Told's fields."""
OF_PROJECT = f"""
    SELECT {TOLD} FROM tandem.message m
    JOIN tandem.delivery d ON d.event_id = m.event_id AND (d.recipient = m.recipient OR d.recipient = $6)
    JOIN tandem.event e ON e.event_id = m.event_id
    WHERE m.project_id = $1 AND (m.id, d.channel) < ($2, $3)
      AND ($4::text IS NULL OR $4 = m.recipient
           OR $4 IN (e.metadata #>> '{{actor,principal}}', e.metadata #>> '{{actor,on_behalf_of}}'))
    ORDER BY m.id DESC, d.channel DESC LIMIT $5
"""  # noqa: S608  constants of ours


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


@dataclass(frozen=True, slots=True)
class Told:
    """One notice on its way through one channel, with what it says."""

    message: int
    channel: str
    since: datetime
    at: datetime
    state: str
    attempts: int
    detail: str
    event_id: UUID
    recipient: str
    kind: str
    ref: str
    text_en: str
    text_zh: str
    project_id: str
    code: str


class Deliveries:
    """Outcomes by event, recipient and channel. What was delivered stays delivered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, notice: NoticeMessage, channel: str, state: str, attempts: int, detail: str) -> None:
        """`state` is `waiting`, `delivered`, `kept` or `failed`; the latest outcome counts."""
        await self._database.execute(RECORD, UUID(notice.event_id), notice.recipient, channel, state, attempts, detail)

    async def begin(self, notice: NoticeMessage, channel: str, detail: str = "") -> None:
        """It waits, unless something became of it already."""
        await self._database.execute(BEGIN, UUID(notice.event_id), notice.recipient, channel, detail)

    async def of_event(self, event_id: UUID) -> list[DeliveryRow]:
        """Outcomes of all notices that one event gave rise to."""
        sql = f"SELECT {COLUMNS} FROM tandem.delivery WHERE event_id = $1 ORDER BY recipient, channel"  # noqa: S608
        return [DeliveryRow(*row) for row in await self._database.fetch(sql, event_id)]

    async def failed(self, limit: int) -> list[DeliveryRow]:
        """Notices that did not get through, the latest first."""
        sql = f"SELECT {COLUMNS} FROM tandem.delivery WHERE state = 'failed' ORDER BY at DESC LIMIT $1"  # noqa: S608
        return [DeliveryRow(*row) for row in await self._database.fetch(sql, limit)]
