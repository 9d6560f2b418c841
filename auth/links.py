"""Links that work once, only until their person has signed in: to sign in, to be invited, to start an installation."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from auth.secret import digest, fresh
from store.connect import Pool

Purpose = Literal["sign-in", "first-run"]
LIVES: dict[Purpose, timedelta] = {"sign-in": timedelta(hours=24), "first-run": timedelta(hours=24)}
MAKE = """
    INSERT INTO tandem.link (hash, purpose, person, expires_at, made_by) VALUES ($1, $2, $3, now() + $4::interval, $5)
"""
# Whoever has signed in since is in without it: a second link, kept by whoever made it, is not good for their name. Nor
# is an older one once a newer was made, because the older was lost or went astray.
WORKS = """
    hash = $1 AND used_at IS NULL AND expires_at > now()
    AND NOT EXISTS (SELECT FROM tandem.session s WHERE s.person = link.person AND s.opened_at > link.made_at)
    AND NOT EXISTS (SELECT FROM tandem.link l WHERE l.person = link.person AND l.made_at > link.made_at)
"""
# Only this constant is put into SQL (S608 is excused for that); what a caller gives is a parameter.
LOOK = f"SELECT purpose, person, made_by FROM tandem.link WHERE {WORKS}"  # noqa: S608
USE = f"UPDATE tandem.link SET used_at = now() WHERE {WORKS} RETURNING purpose, person, made_by"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is for."""

    purpose: Purpose
    person: str | None
    """Whom it signs in; None for the first run, which makes the first person."""
    made_by: str


class Links:
    """The table of links. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, database: Pool) -> None:
        self._database = database

    async def make(self, purpose: Purpose, person: str | None, made_by: str) -> str:
        """The secret part of the link; it is not kept."""
        secret = fresh()
        await self._database.execute(MAKE, digest(secret), purpose, person, LIVES[purpose], made_by)
        return secret

    async def look(self, secret: str) -> Link | None:
        """What the link would do, where it still works. Changes nothing: scanners look at links."""
        row = await self._database.fetchrow(LOOK, digest(secret))
        return None if row is None else Link(*row)

    async def use(self, secret: str) -> Link | None:
        """What the link does, this once; None where it works no more. Two at once: one gets it."""
        row = await self._database.fetchrow(USE, digest(secret))
        return None if row is None else Link(*row)
