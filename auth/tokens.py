"""Tokens for programs and for people's own scripts: shown once, kept as a hash, bounded in scope and time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from auth.identity import Scope
from auth.secret import digest, fresh
from store.connect import Pool

PREFIXES = {"personal": "tdm_pat_", "service": "tdm_svc_"}
LONGEST = timedelta(days=366)
MOST = 50
"""Living tokens of one principal."""
Kind = Literal["personal", "service"]
COLUMNS = "id, principal, kind, name, hint, scopes, made_at, expires_at, used_at, ended_at, made_by"
# Only constants, the columns and a number, are put into SQL, what a caller gives is a parameter: S608 is excused for
# that, here and in the two below.
INSERT = f"""
    INSERT INTO tandem.token (hash, principal, kind, name, hint, scopes, expires_at, made_by)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8
    WHERE (SELECT count(*) FROM tandem.token
           WHERE principal = $2 AND ended_at IS NULL AND expires_at > now()) < {MOST}
    RETURNING {COLUMNS}
"""  # noqa: S608
FIND = f"SELECT {COLUMNS} FROM tandem.token WHERE hash = $1 AND ended_at IS NULL AND expires_at > now()"  # noqa: S608
LIST = f"SELECT {COLUMNS} FROM tandem.token WHERE principal = $1 ORDER BY made_at DESC, id LIMIT 200"  # noqa: S608
END = "UPDATE tandem.token SET ended_at = now() WHERE id = $1 AND principal = $2 AND ended_at IS NULL RETURNING hash"
USED = """
    UPDATE tandem.token SET used_at = now()
    WHERE hash = $1 AND (used_at IS NULL OR used_at < now() - interval '1 min')
"""
END_ALL = "UPDATE tandem.token SET ended_at = now() WHERE principal = $1 AND ended_at IS NULL"
END_OF = "UPDATE tandem.token SET ended_at = now() WHERE principal = ANY($1) AND ended_at IS NULL"


class TooManyTokens(Exception):
    """The principal has as many living tokens as are allowed: end one first."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its owner sees it; the secret is not in it."""

    id: UUID
    principal: str
    kind: Kind
    name: str
    hint: str
    """Prefix and last four characters."""
    scopes: tuple[Scope, ...]
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    """To the minute."""
    ended_at: datetime | None
    made_by: str


class Tokens:
    """The table of tokens. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, database: Pool) -> None:
        self._database = database

    async def make(
        self, principal: str, kind: Kind, name: str, scopes: Iterable[Scope], expires_at: datetime, made_by: str
    ) -> tuple[str, Token]:
        """The secret, which nobody will see again, and what is kept of it. Raises TooManyTokens."""
        secret = fresh(PREFIXES[kind])
        hint = f"{PREFIXES[kind]}…{secret[-4:]}"
        kept = sorted(set(scopes))
        row = await self._database.fetchrow(
            INSERT, digest(secret), principal, kind, name, hint, kept, expires_at, made_by
        )
        if row is None:
            raise TooManyTokens
        return secret, _token(row)

    async def find(self, secret: str) -> Token | None:
        """The living token with this secret; that it was used is noted, at most once a minute."""
        mark = digest(secret)
        row = await self._database.fetchrow(FIND, mark)
        if row is None:
            return None
        await self._database.execute(USED, mark)
        return _token(row)

    async def of(self, principal: str) -> list[Token]:
        """Living and ended ones, the newest first."""
        return [_token(row) for row in await self._database.fetch(LIST, principal)]

    async def end(self, principal: str, token: UUID) -> bool:
        """Whether there was such a living token; it is none any more."""
        return await self._database.fetchval(END, token, principal) is not None

    async def end_all(self, principal: str) -> None:
        """Of somebody who is let go."""
        await self._database.execute(END_ALL, principal)

    async def end_of(self, principals: Sequence[str]) -> None:
        """Of all of these."""
        await self._database.execute(END_OF, list(principals))


def _token(row: Any) -> Token:
    return Token(**{**row, "scopes": tuple(Scope(scope) for scope in row["scopes"])})
