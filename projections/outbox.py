"""Messages as they would be sent, kept where no server is set or none took them.

They name people, so they lie sealed with the keys of everybody whom they name: whoever is erased takes them along.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from activities.letters import Letter
from activities.ports import StoreUnavailable
from activities.vault import VaultLocked
from domain.personal import Sealed
from domain.refusals import Refused
from domain.sight import Reader
from domain.values import SEALED
from projections.database import Database

STREAM = "outbox"
"""What a sealed text is bound to, with the event and the field."""
MOST_NAMED = 50
"""People whose keys seal one message, its reader among them."""
KEEP = """
    INSERT INTO tandem.outbox (event_id, recipient, channel, message_id, language, subject, body_text, body_html)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (message_id) DO NOTHING
"""
COLUMNS = "id, at, event_id, recipient, channel, message_id, language, subject, body_text, body_html"
"""In the order of Kept's fields. Only this constant is put into SQL; whatever a caller gives is a parameter."""
SEEN = """
    CASE WHEN {person}::text IS NULL THEN true
      WHEN recipient = {person}
      THEN NOT EXISTS (SELECT FROM tandem.event e
                       WHERE e.event_id = outbox.event_id AND e.stream IN (SELECT tandem.unseen({keys}::text[])))
      ELSE EXISTS (SELECT FROM tandem.event e
                   WHERE e.event_id = outbox.event_id AND e.stream NOT IN (SELECT tandem.unseen({keys}::text[]))) END
"""
"""To others, what tells of one event of a project that is open to the reader: digests are for whom they are to."""
LIST = f"""
    SELECT {COLUMNS} FROM tandem.outbox
    WHERE ($1::bigint IS NULL OR id < $1) AND ($3::text IS NULL OR recipient = $3)
      AND {SEEN.format(person="$4", keys="$5")}
    ORDER BY id DESC LIMIT $2
"""  # noqa: S608  a constant of ours
FIND = f"SELECT {COLUMNS} FROM tandem.outbox WHERE id = $1 AND {SEEN.format(person='$2', keys='$3')}"  # noqa: S608
PLAIN = f"""
    SELECT {COLUMNS} FROM tandem.outbox WHERE NOT starts_with(body_text, $1) ORDER BY id LIMIT 100
"""  # noqa: S608  a constant of ours
SEAL = "UPDATE tandem.outbox SET subject = $2, body_text = $3, body_html = $4 WHERE id = $1"
KNOWN = """
    SELECT person FROM tandem.membership WHERE person = ANY ($1)
    UNION SELECT person FROM tandem.preference WHERE person = ANY ($1) ORDER BY person
"""
_NAME = re.compile(r"[a-z][a-z0-9._-]{0,63}")


class Sealer(Protocol):
    """The vault, as far as messages go."""

    async def seal_text(self, stream: str, no: str, field: str, text: str, persons: Sequence[str]) -> str:
        """Raises Refused where the first person was erased, VaultLocked, StoreUnavailable."""
        ...

    async def open(self, stream: str, value: Any, language: str, *, event_id: object = None) -> Any:
        """Raises StoreUnavailable."""
        ...


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

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def keep(self, letter: Letter) -> None:
        """Whoever was erased is kept nothing. Raises StoreUnavailable, VaultLocked."""
        try:
            sealed = await self._sealed(letter.event_id, letter.recipient, letter.subject, letter.text, letter.html)
        except Refused:
            return
        told = (UUID(letter.event_id), letter.recipient, letter.channel, letter.message_id, letter.language)
        await self._database.execute(KEEP, *told, *sealed)

    async def page(
        self, before: int | None, limit: int, person: str | None = None, reader: Reader | None = None
    ) -> list[Kept]:
        """The newest first, older than the message `before`; those to one person, or to everybody.

        `reader`: only what exists for whoever reads.
        """
        rows = await self._database.fetch(LIST, before, limit, person, *_read_by(reader))
        return [await self._opened(Kept(*row)) for row in rows]

    async def find(self, number: int, reader: Reader | None = None) -> Kept | None:
        """One message, where it exists for whoever reads."""
        row = await self._database.fetchrow(FIND, number, *_read_by(reader))
        return None if row is None else await self._opened(Kept(*row))

    async def seal_plain(self) -> int:
        """Seal what was kept before messages were sealed; how many. May run twice."""
        done, rows = 0, [Kept(*row) for row in await self._database.fetch(PLAIN, SEALED)]
        for kept in rows:
            try:
                sealed = await self._sealed(str(kept.event_id), kept.recipient, kept.subject, kept.text, kept.html)
            except Refused:
                sealed = [str(Sealed((kept.recipient,), str(kept.event_id), "text", "A" * 38))] * 3
            await self._database.execute(SEAL, kept.id, *sealed)
            done += 1
        return done

    async def keep_sealed(self) -> None:
        """Do so until all is."""
        while True:
            try:
                if not await self.seal_plain():
                    return
            except (StoreUnavailable, VaultLocked):
                await asyncio.sleep(5)

    async def _sealed(self, event_id: str, recipient: str, *texts: str) -> list[str]:
        words = sorted(set(_NAME.findall(" ".join(texts[:2]))) - {recipient})
        named = [row[0] for row in await self._database.fetch(KNOWN, words)]
        persons = [recipient, *named][:MOST_NAMED]
        fields = zip(("subject", "text", "html"), texts, strict=True)
        return [await self._sealer.seal_text(STREAM, event_id, field, text, persons) for field, text in fields]

    async def _opened(self, kept: Kept) -> Kept:
        sealed = [kept.subject, kept.text, kept.html]
        clear = await self._sealer.open(STREAM, sealed, kept.language, event_id=kept.event_id)
        others = (kept.id, kept.at, kept.event_id, kept.recipient, kept.channel, kept.message_id, kept.language)
        return Kept(*others, *clear)


def _read_by(reader: Reader | None) -> tuple[str | None, list[str]]:
    return (None, []) if reader is None else (reader.person, reader.keys)
