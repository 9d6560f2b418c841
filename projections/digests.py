"""Notices that wait to be told together. Their texts are the inbox's."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from uuid import UUID

from activities.messages import NoticeItem, NoticeMessage
from projections.database import Database
from projections.messages import SEEN

HOLD = "INSERT INTO tandem.digest_item (event_id, person) VALUES ($1, $2) ON CONFLICT DO NOTHING"
STANDING = """
    SELECT (SELECT count(*) FROM tandem.digest_item WHERE person = $1 AND day IS NULL),
           (SELECT max(day) FROM tandem.digest WHERE person = $1)
"""
# In one statement: either this call makes the day's digest and fills it, or it was made and filled before.
COLLECT = """
    WITH made AS (INSERT INTO tandem.digest (person, day) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1)
    UPDATE tandem.digest_item SET day = $2 WHERE person = $1 AND day IS NULL AND EXISTS (SELECT FROM made)
"""
# Sender and reader see which digest tells of it.
COLLECTED = """
    UPDATE tandem.delivery d SET state = 'collected', detail = 'in the digest of ' || $2::date, at = now()
    FROM tandem.digest_item i
    WHERE i.person = $1 AND i.day = $2 AND d.event_id = i.event_id AND d.recipient = $1 AND d.channel = 'digest'
      AND d.state <> 'collected'
"""
# Long titles are shortened: a digest travels through the workflow engine. What a project said that has closed itself to
# the reader since stays out, as it does in the inbox. Only a constant is put into SQL (S608 is excused for that).
ITEMS = f"""
    SELECT m.code, left(m.text_en, 300), left(m.text_zh, 300), m.due_at
    FROM tandem.digest_item i JOIN tandem.message m ON m.event_id = i.event_id AND m.recipient = i.person
    WHERE i.person = $1 AND i.day = $2 AND {SEEN.format(keys="$3")} ORDER BY m.id LIMIT 500
"""  # noqa: S608
LEFT_BEHIND = "SELECT DISTINCT person FROM tandem.digest_item WHERE day IS NULL ORDER BY person"


class Digests:
    """Satisfies `activities.digests.Held`. `keys` tells what opens projects to a person; without it all are open."""

    def __init__(self, database: Database, keys: Callable[[str], Awaitable[Sequence[str]]] | None = None) -> None:
        self._database = database
        self._keys = keys

    async def hold(self, notice: NoticeMessage) -> None:
        """Until the next digest."""
        await self._database.execute(HOLD, UUID(notice.event_id), notice.recipient)

    async def standing(self, person: str) -> tuple[int, date | None]:
        """How many notices wait, and of which day the last digest was."""
        row = await self._database.fetchrow(STANDING, person)
        return int(row[0]), row[1]

    async def collect(self, person: str, day: date) -> list[NoticeItem]:
        """Put what waits into the digest of the day, unless it was made before; what is in it, the oldest first."""
        await self._database.execute(COLLECT, person, day)
        await self._database.execute(COLLECTED, person, day)
        keys = None if self._keys is None else list(await self._keys(person))
        rows = await self._database.fetch(ITEMS, person, day, keys)
        return [NoticeItem(code=code, en=en, zh=zh, due_at=due_at) for code, en, zh, due_at in rows]

    async def waiting_for(self) -> list[str]:
        """Everybody for whom something waits."""
        return [row[0] for row in await self._database.fetch(LEFT_BEHIND)]
