"""Command ids: people's keys and the lifecycle's own ids must never meet."""

import re
from hashlib import sha256

_PLAIN_KEY = re.compile(r"[A-Za-z0-9._~-]{1,200}")


def persons_key(key: str) -> str:
    """A person's idempotency key as a command id.

    A key with unusual characters is replaced by its hash: the lifecycle's ids (`timer:…`, `enter:…`) have a
    colon, so nobody can use one up before the lifecycle does.
    """
    return key if _PLAIN_KEY.fullmatch(key) else "key-" + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
