"""Sessions of browsers: a random id in a cookie, its hash in a table, to be ended by whoever it belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from auth.secret import digest, fresh
from store.connect import Pool

LASTING = timedelta(days=14)
"""From signing in to signing in again, whatever happens between."""
IDLE = timedelta(days=3)
COLUMNS = "id, person, way, device, opened_at, seen_at, confirmed_at, expires_at"
# Only the constant list of columns is put into SQL, what a caller gives is a parameter: S608 is excused for that, here
# and in the two below.
OPEN = f"""
    INSERT INTO tandem.session (hash, person, way, device, expires_at, confirmed_at)
    VALUES ($1, $2, $3, $4, now() + $5::interval, CASE WHEN $6 OR $7::timestamptz > now() THEN now() ELSE $7 END)
    RETURNING {COLUMNS}
"""  # noqa: S608
FIND = f"""
    SELECT {COLUMNS} FROM tandem.session
    WHERE hash = $1 AND ended_at IS NULL AND expires_at > now() AND seen_at > now() - $2::interval
"""  # noqa: S608
LIVING = f"""
    SELECT {COLUMNS} FROM tandem.session
    WHERE person = $1 AND ended_at IS NULL AND expires_at > now() AND seen_at > now() - $2::interval
    ORDER BY opened_at DESC LIMIT 200
"""  # noqa: S608
SEEN = "UPDATE tandem.session SET seen_at = now() WHERE hash = $1 AND seen_at < now() - interval '1 min'"
CONFIRM = "UPDATE tandem.session SET confirmed_at = now() WHERE id = $1 AND ended_at IS NULL"
END = "UPDATE tandem.session SET ended_at = now() WHERE id = $1 AND person = $2 AND ended_at IS NULL RETURNING id"
END_ALL = "UPDATE tandem.session SET ended_at = now() WHERE person = $1 AND ended_at IS NULL"
END_OTHERS = """
    UPDATE tandem.session SET ended_at = now() WHERE person = $1 AND id IS DISTINCT FROM $2 AND ended_at IS NULL
"""
END_OF = "UPDATE tandem.session SET ended_at = now() WHERE person = ANY($1) AND ended_at IS NULL"


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in."""

    id: UUID
    person: str
    way: str
    """How it was signed in: `link`, `password`, `oidc`."""
    device: str
    """What the browser says it is."""
    opened_at: datetime
    seen_at: datetime
    confirmed_at: datetime | None
    """When the person last proved to be there; None where they never did in this session."""
    expires_at: datetime


class Sessions:
    """The table of sessions. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, database: Pool) -> None:
        self._database = database

    async def open(
        self, person: str, way: str, device: str = "", confirmed_at: datetime | Literal["now"] | None = "now"
    ) -> tuple[str, Session]:
        """The secret for the cookie, and the session. `confirmed_at`: when the person proved to be there."""
        secret, now = fresh(), confirmed_at == "now"
        proved = None if now else confirmed_at
        rows = await self._database.fetch(OPEN, digest(secret), person, way, device[:200], LASTING, now, proved)
        return secret, Session(*rows[0])

    async def find(self, secret: str) -> Session | None:
        """The living session with this secret; that it was used is noted, at most once a minute."""
        mark = digest(secret)
        row = await self._database.fetchrow(FIND, mark, IDLE)
        if row is None:
            return None
        await self._database.execute(SEEN, mark)
        return Session(*row)

    async def of(self, person: str) -> list[Session]:
        """The living ones, the newest first."""
        return [Session(*row) for row in await self._database.fetch(LIVING, person, IDLE)]

    async def confirm(self, session: UUID) -> None:
        """The person has just proved to be there."""
        await self._database.execute(CONFIRM, session)

    async def end(self, person: str, session: UUID) -> bool:
        """Whether there was such a living session; it is none any more."""
        return await self._database.fetchval(END, session, person) is not None

    async def end_all(self, person: str) -> None:
        """Signed out everywhere."""
        await self._database.execute(END_ALL, person)

    async def end_others(self, person: str, kept: UUID | None) -> None:
        """Signed out everywhere but in the session `kept`."""
        await self._database.execute(END_OTHERS, person, kept)

    async def end_of(self, people: Sequence[str]) -> None:
        """These people are signed out everywhere."""
        await self._database.execute(END_OF, list(people))
