"""What somebody had typed when they were asked to prove to be there, kept for a while: readable with the browser's
secret alone, since it may speak of people.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from os import urandom

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from auth.secret import digest, fresh
from store.connect import Pool

LASTING = timedelta(minutes=15)
MOST_BYTES = 400_000
PURPOSE = b"tandem drafts v1"
NONCE = 12
KEEP = """
    WITH over AS (DELETE FROM tandem.draft WHERE expires_at < now())
    INSERT INTO tandem.draft (hash, sealed, expires_at) VALUES ($1, $2, now() + $3::interval)
"""
LOOK = "SELECT sealed FROM tandem.draft WHERE hash = $1 AND expires_at > now()"
FORGET = "DELETE FROM tandem.draft WHERE hash = $1"


@dataclass(frozen=True, slots=True)
class Draft:
    """A form that was sent too early."""

    person: str
    path: str
    fields: Mapping[str, Sequence[str]]


class Drafts:
    """The table of drafts. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, database: Pool) -> None:
        self._database = database

    async def keep(self, draft: Draft) -> str | None:
        """The secret for the browser's cookie; None where it is too long to be kept."""
        secret, nonce = fresh(), urandom(NONCE)
        said = orjson.dumps([draft.person, draft.path, dict(draft.fields)])
        sealed = nonce + _cipher(secret).encrypt(nonce, said, PURPOSE)
        if len(sealed) > MOST_BYTES:
            return None
        await self._database.execute(KEEP, digest(secret), sealed, LASTING)
        return secret

    async def look(self, secret: str) -> Draft | None:
        """What was typed, where it is still kept."""
        sealed = await self._database.fetchval(LOOK, digest(secret))
        if sealed is None:
            return None
        try:
            said = _cipher(secret).decrypt(sealed[:NONCE], sealed[NONCE:], PURPOSE)
        except InvalidTag:
            return None
        return Draft(*orjson.loads(said))

    async def forget(self, secret: str) -> None:
        """It was looked at, or is not wanted any more."""
        await self._database.execute(FORGET, digest(secret))


def _cipher(secret: str) -> AESGCM:
    return AESGCM(hmac.digest(secret.encode(), PURPOSE, sha256))
