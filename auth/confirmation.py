"""Links of mails to one decision: bound to decision, revision and person, for a while, for a vote and nothing else.

They are no credentials: whoever has one still has to be signed in as the person it is bound to.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import orjson

PURPOSE = b"tandem confirmation links v1"
"""What the key is derived with: it signs nothing else."""
LASTING = timedelta(days=14)
"""How long after it was told of a link works."""
LONGEST = 400


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a link leads to, and for whom."""

    project: str
    decision: str
    revision: int
    person: str
    until: datetime


class Confirmations:
    """Makes links and knows its own. Without a key there are none."""

    def __init__(self, master: bytes | None = None) -> None:
        self._key = hmac.digest(master, PURPOSE, sha256) if master else None

    def token(self, project: str, decision: str, revision: int, person: str, told_at: datetime) -> str:
        """The last part of the link's path, the same however often it is made; empty without a key."""
        if self._key is None:
            return ""
        until = int((told_at.astimezone(UTC) + LASTING).timestamp())
        said = orjson.dumps([project, decision, revision, person, until])
        return f"{_text(said)}.{_text(self._mark(said))}"

    def read(self, token: str) -> Confirmation | None:
        """What the link is bound to, expired or not; None where it is none of ours."""
        said, _, mark = token.partition(".")
        if self._key is None or len(token) > LONGEST:
            return None
        try:
            content = _bytes(said)
            if not hmac.compare_digest(_bytes(mark), self._mark(content)):
                return None
        except ValueError:
            return None
        project, decision, revision, person, until = orjson.loads(content)
        return Confirmation(project, decision, revision, person, datetime.fromtimestamp(until, UTC))

    def _mark(self, said: bytes) -> bytes:
        assert self._key is not None
        return hmac.digest(self._key, said, sha256)


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Raises ValueError, for other ways of writing the same, too."""
    content = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if _text(content) != text:
        raise ValueError("written differently")
    return content
