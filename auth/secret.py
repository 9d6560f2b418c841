"""Secrets that cannot be guessed: made once, shown once, kept as their hash alone."""

from hashlib import sha256
from secrets import token_urlsafe

BYTES = 32
"""256 bits of chance need no slow hash."""


def fresh(prefix: str = "") -> str:
    """A new secret; the prefix lets people and scanners for leaked secrets know it."""
    return prefix + token_urlsafe(BYTES)


def digest(secret: str) -> bytes:
    """SHA-256, 32 bytes: what is stored of it, and how it is found again."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
