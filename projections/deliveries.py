"""What became of each notice in each channel, for whoever caused it, got it, or looks after the whole."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from activities.messages import NoticeMessage
from domain.sight import Reader
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
TOLD = """
    SELECT d.since, d.event_id, d.recipient, d.channel, d.at, d.state, d.attempts, d.detail, coalesce(m.kind, ''),
           coalesce(m.ref, ''), coalesce(m.text_en, ''), coalesce(m.text_zh, ''), coalesce(m.project_id, ''),
           coalesce(m.code, '')
    FROM tandem.delivery d LEFT JOIN LATERAL (
      SELECT * FROM tandem.message m
      WHERE m.event_id = d.event_id AND (m.recipient = d.recipient OR d.recipient = '#room')
      ORDER BY m.id LIMIT 1) m ON true
"""
"""In the order of Told's fields. A room is told what the first recipient is told."""
PAGE = """
    AND ($2::timestamptz IS NULL OR (d.since, d.event_id, d.recipient, d.channel) < ($2, $3, $4, $5))
    ORDER BY d.since DESC, d.event_id DESC, d.recipient DESC, d.channel DESC LIMIT $6
"""
SEEN = """
    NOT EXISTS (SELECT FROM tandem.event e
                WHERE e.event_id = d.event_id AND e.stream IN (SELECT tandem.unseen({}::text[])))
"""
FAILED = f"""
    SELECT {COLUMNS} FROM tandem.delivery d WHERE state = 'failed' AND {SEEN.format("$2")} ORDER BY at DESC LIMIT $1
"""  # noqa: S608  constants of ours
OF_PERSON = f"{TOLD} WHERE d.recipient = $1 AND {SEEN.format('$7')} {PAGE}"
OF_PROJECT = f"""
    {TOLD} WHERE d.event_id IN (SELECT event_id FROM tandem.message WHERE project_id = $1)
    AND ($7::text IS NULL OR d.recipient = $7 OR EXISTS (
      SELECT FROM tandem.event e WHERE e.event_id = d.event_id
      AND $7 IN (e.metadata #>> '{{actor,principal}}', e.metadata #>> '{{actor,on_behalf_of}}')))
    {PAGE}
"""  # noqa: S608  constants of ours
NOWHERE = (None, None, None, None)
Place = tuple[datetime, UUID, str, str]
"""Where a page ends: instant, event, recipient, channel."""


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

    since: datetime
    event_id: UUID
    recipient: str
    channel: str
    at: datetime
    state: str
    attempts: int
    detail: str
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

    async def noted(self, notice: NoticeMessage, channel: str) -> bool:
        """Whether the notice is known to have got through this channel."""
        sql = "SELECT state FROM tandem.delivery WHERE event_id = $1 AND recipient = $2 AND channel = $3"
        state = await self._database.fetchval(sql, UUID(notice.event_id), notice.recipient, channel)
        return bool(state == "delivered")

    async def of_event(self, event_id: UUID) -> list[DeliveryRow]:
        """Outcomes of all notices that one event gave rise to."""
        sql = f"SELECT {COLUMNS} FROM tandem.delivery WHERE event_id = $1 ORDER BY recipient, channel"  # noqa: S608
        return [DeliveryRow(*row) for row in await self._database.fetch(sql, event_id)]

    async def failed(self, reader: Reader, limit: int) -> list[DeliveryRow]:
        """Notices that did not get through, of what exists for the reader; the latest first."""
        return [DeliveryRow(*row) for row in await self._database.fetch(FAILED, limit, reader.keys)]

    async def to(self, reader: Reader, before: Place | None, limit: int) -> list[Told]:
        """What the reader was sent, the newest first; of a project that has closed itself to them since, nothing."""
        rows = await self._database.fetch(OF_PERSON, reader.person, *(before or NOWHERE), limit, reader.keys)
        return [Told(*row) for row in rows]

    async def of_project(self, project_id: str, party: str | None, before: Place | None, limit: int) -> list[Told]:
        """What a project's people were sent, the newest first; where a party is named what they caused or were sent."""
        rows = await self._database.fetch(OF_PROJECT, project_id, *(before or NOWHERE), limit, party)
        return [Told(*row) for row in rows]
