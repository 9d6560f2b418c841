"""The inbox's lines: messages to people, one per event and recipient, read or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from activities.messages import NoticeMessage
from projections.database import Database

PUT = """
    INSERT INTO tandem.message (event_id, recipient, project_id, code, kind, ref, due_at, text_en, text_zh)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (event_id, recipient) DO NOTHING
"""
# Only this constant is put into SQL (S608 is excused for that); whatever a caller gives is a parameter.
SEEN = """
    ({keys}::text[] IS NULL
     OR NOT EXISTS (SELECT FROM tandem.project p WHERE p.id = m.project_id AND NOT p.locks ?| {keys}))
"""
LIST = f"""
    SELECT id, at, read_at, project_id, kind, text_en, text_zh, code, ref, due_at, event_id
    FROM tandem.message m
    WHERE recipient = $1 AND ($2::bigint IS NULL OR id < $2) AND (NOT $3 OR read_at IS NULL)
      AND {SEEN.format(keys="$5")}
    ORDER BY id DESC LIMIT $4
"""  # noqa: S608
LIST_AT = f"""
    SELECT id, at, CASE WHEN read_at <= $5 THEN read_at END, project_id, kind, text_en, text_zh, code, ref, due_at,
           event_id
    FROM tandem.message m
    WHERE recipient = $1 AND at <= $5 AND ($2::bigint IS NULL OR id < $2)
      AND (NOT $3 OR read_at IS NULL OR read_at > $5) AND {SEEN.format(keys="$6")}
    ORDER BY id DESC LIMIT $4
"""  # noqa: S608
UNREAD = f"SELECT count(*) FROM tandem.message m WHERE recipient = $1 AND read_at IS NULL AND {SEEN.format(keys='$2')}"  # noqa: S608
UNREAD_AT = f"""
    SELECT count(*) FROM tandem.message m
    WHERE recipient = $1 AND at <= $2 AND (read_at IS NULL OR read_at > $2) AND {SEEN.format(keys="$3")}
"""  # noqa: S608
READ = f"""
    UPDATE tandem.message m SET read_at = coalesce(read_at, now())
    WHERE id = $1 AND recipient = $2 AND {SEEN.format(keys="$3")}
"""  # noqa: S608
READ_ALL = f"""
    UPDATE tandem.message m SET read_at = now() WHERE recipient = $1 AND read_at IS NULL AND {SEEN.format(keys="$2")}
"""  # noqa: S608


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
    code: str
    ref: str
    due_at: datetime | None
    event_id: UUID


class Messages:
    """Lines of every person's inbox. An event makes at most one line for one person.

    For whoever reads, with the reader's keys: what a project said that has closed itself to the reader is not there.
    """

    def __init__(self, database: Database, keys: Sequence[str] | None = None) -> None:
        self._database = database
        self._keys = keys

    async def put(self, notice: NoticeMessage) -> bool:
        """Keep the notice once; False where it was there already."""
        done = await self._database.execute(
            PUT,
            UUID(notice.event_id),
            notice.recipient,
            notice.project_id,
            notice.code,
            notice.kind,
            notice.ref,
            notice.due_at,
            notice.en,
            notice.zh,
        )
        return bool(done == "INSERT 0 1")

    async def of(self, person: str, *, limit: int = 50, before: int | None = None, unread: bool = False) -> list[Line]:
        """The person's lines, the newest first, older than the line `before`."""
        return [Line(*row) for row in await self._database.fetch(LIST, person, before, unread, limit, self._keys)]

    async def unread(self, person: str) -> int:
        """How many the person has not read."""
        return int(await self._database.fetchval(UNREAD, person, self._keys))

    async def of_then(
        self, person: str, at: datetime, *, limit: int = 50, before: int | None = None, unread: bool = False
    ) -> list[Line]:
        """The same as `of`, at an instant: lines that were there by then, and read or not as they were then."""
        return [
            Line(*row) for row in await self._database.fetch(LIST_AT, person, before, unread, limit, at, self._keys)
        ]

    async def unread_then(self, person: str, at: datetime) -> int:
        """How many the person had not read at an instant."""
        return int(await self._database.fetchval(UNREAD_AT, person, at, self._keys))

    async def mark_read(self, person: str, message: int) -> bool:
        """Note that the person has read it, the first time counts; False where it is not theirs."""
        return bool(await self._database.execute(READ, message, person, self._keys) == "UPDATE 1")

    async def mark_all_read(self, person: str) -> int:
        """Note that the person has read everything; how many lines were new."""
        return int(str(await self._database.execute(READ_ALL, person, self._keys)).removeprefix("UPDATE "))
