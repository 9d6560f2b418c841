"""Messages as they would be sent, kept where no server is set or none took them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from activities.letters import Letter
from projections.database import Database

KEEP = """
    INSERT INTO tandem.outbox (event_id, recipient, channel, message_id, language, subject, body_text, body_html)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (message_id) DO NOTHING
"""
LIST = """
    SELECT id, at, event_id, recipient, channel, message_id, language, subject, body_text, body_html
    FROM tandem.outbox WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """One message that was not sent."""

    id: int
    at: datetime
    event_id: UUID
    recipient: str
    channel: str
    message_id: str
    language: str
    subject: str
    text: str
    html: str


class Outbox:
    """Satisfies `notifications.mail.Outbox`. A message is kept once, however often it is given."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, letter: Letter) -> None:
        """Raises StoreUnavailable."""
        told = (UUID(letter.event_id), letter.recipient, letter.channel, letter.message_id, letter.language)
        await self._database.execute(KEEP, *told, letter.subject, letter.text, letter.html)

    async def page(self, before: int | None, limit: int) -> list[Kept]:
        """The newest first, older than the message `before`."""
        return [Kept(*row) for row in await self._database.fetch(LIST, before, limit)]
