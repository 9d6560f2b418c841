"""Secrets as they are kept: sealed with a key that stands outside the database, where there is one."""

import os
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PLAIN, SEALED = b"\x00", b"\x01"
NONCE_BYTES = 12


class WrongKey(Exception):
    """The secret was sealed with another key than the one that is set."""


class Lockbox:
    """AES-256-GCM, bound to whose secret it is; without a key secrets are kept as they are."""

    def __init__(self, key: str | None = None) -> None:
        self._cipher = AESGCM(sha256(b"tandem webhook secrets\x00" + key.encode()).digest()) if key else None

    def close(self, owner: UUID, secret: str) -> bytes:
        """What goes into the database."""
        if self._cipher is None:
            return PLAIN + secret.encode()
        nonce = os.urandom(NONCE_BYTES)
        return SEALED + nonce + self._cipher.encrypt(nonce, secret.encode(), owner.bytes)

    def open(self, owner: UUID, kept: bytes) -> str:
        """The secret. Raises WrongKey."""
        if kept[:1] == PLAIN:
            return kept[1:].decode()
        nonce, sealed = kept[1 : 1 + NONCE_BYTES], kept[1 + NONCE_BYTES :]
        try:
            if self._cipher is None:
                raise WrongKey("the secret is sealed, and no key is set: TANDEM_WEBHOOK_KEY")
            return self._cipher.decrypt(nonce, sealed, owner.bytes).decode()
        except InvalidTag:
            raise WrongKey("the secret was sealed with another key than TANDEM_WEBHOOK_KEY") from None
