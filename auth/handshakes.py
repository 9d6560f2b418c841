"""Journeys to a provider that are under way, and who its people are here."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from auth.secret import digest, fresh
from store.connect import Pool

LASTING = timedelta(minutes=10)
MAKE = """
    WITH over AS (DELETE FROM tandem.handshake WHERE expires_at < now())
    INSERT INTO tandem.handshake (hash, session, onwards, expires_at) VALUES ($1, $2, $3, now() + $4::interval)
"""
TAKE = "DELETE FROM tandem.handshake WHERE hash = $1 RETURNING session, onwards, made_at, expires_at > now()"
KNOWN = "SELECT person FROM tandem.subject WHERE issuer = $1 AND subject = $2"
BIND = "INSERT INTO tandem.subject (issuer, subject, person) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class Handshake:
    """A journey that was begun in this browser."""

    session: UUID | None
    """Whose person is to prove to be there; None: somebody signs in."""
    onwards: str
    made_at: datetime


class Handshakes:
    """The table of journeys. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, database: Pool) -> None:
        self._database = database

    async def make(self, onwards: str, session: UUID | None = None) -> str:
        """The secret for the browser's cookie."""
        secret = fresh()
        await self._database.execute(MAKE, digest(secret), session, onwards, LASTING)
        return secret

    async def take(self, secret: str) -> Handshake | None:
        """The journey, this once; None where there is none, or it took too long."""
        row = await self._database.fetchrow(TAKE, digest(secret))
        return Handshake(row[0], row[1], row[2]) if row is not None and row[3] else None


class Subjects:
    """The table of who is who. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, database: Pool) -> None:
        self._database = database

    async def known(self, issuer: str, subject: str) -> str | None:
        """Who the subject is here; None where it was never seen."""
        found: str | None = await self._database.fetchval(KNOWN, issuer, subject)
        return found

    async def bind(self, issuer: str, subject: str, person: str) -> bool:
        """Whether the subject is this person from now on, or was: another subject of the issuer may be."""
        await self._database.execute(BIND, issuer, subject, person)
        return await self.known(issuer, subject) == person
