"""Commands that travel as signals carry the API's signature: whoever can write to Temporal cannot forge one."""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from activities.messages import Submission
from domain.canonical import NotCanonical, canonical
from domain.refusals import Refused, not_allowed

PURPOSE = b"tandem-envelope-v1\n"
"""What is signed begins so: the key signs nothing else, and no other key's signature fits."""
LASTING = timedelta(hours=1)
EARLY = timedelta(minutes=1)
"""How far the clocks of server and worker may be apart."""
KEY_BYTES = 32


class BadKey(ValueError):
    """No key in the form that it has to have; the text says why, never the key."""


class EnvelopeSigner:
    """The API's side: signs what an authenticated person wants, for one project, for a while."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @classmethod
    def read(cls, text: str) -> Self:
        """From the base64 of 32 bytes. Raises BadKey."""
        return cls(_key_bytes(text))

    @property
    def public(self) -> str:
        """What workers need to know, base64."""
        return b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, project_id: str, submission: Submission, now: datetime) -> Submission:
        """The submission with its expiry and signature. Raises NotCanonical where it can never be stored."""
        lasting = submission.model_copy(update={"expires_at": now.astimezone(UTC) + LASTING})
        signature = self._key.sign(_signed_bytes(project_id, lasting))
        return lasting.model_copy(update={"signature": b64encode(signature).decode()})


class EnvelopeCheck:
    """The step's side: knows public keys alone. With none of them every signal is refused."""

    def __init__(self, public: Iterable[str]) -> None:
        self._keys = [Ed25519PublicKey.from_public_bytes(_key_bytes(text)) for text in public]

    def check(self, project_id: str, submission: Submission, now: datetime) -> None:
        """Raises Refused for what is unsigned, altered, meant for another project, or expired."""
        if not submission.signature or submission.expires_at is None:
            raise _refused("Unsigned", "A command that comes as a signal must carry the API's signature.")
        if not self._fits(project_id, submission):
            raise _refused("Forged", "The signature does not fit the command: it was altered, or never signed here.")
        if not now - EARLY < submission.expires_at <= now + LASTING + EARLY:
            raise _refused("Expired", "The signed command has expired: nothing was done.")

    def _fits(self, project_id: str, submission: Submission) -> bool:
        try:
            signed = _signed_bytes(project_id, submission)
            signature = b64decode(submission.signature or "", validate=True)
        except ValueError:
            return False
        return any(_verifies(key, signature, signed) for key in self._keys)


def _verifies(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _signed_bytes(project_id: str, submission: Submission) -> bytes:
    # A field of a newer sender is left out where it says nothing: what an older one has signed still fits.
    unsaid = {"signature"} if submission.confirmed_at else {"signature", "confirmed_at"}
    told: dict[str, Any] = submission.model_dump(mode="json", exclude=unsaid)
    try:
        return PURPOSE + canonical({**told, "project_id": project_id})
    except RecursionError as deep:
        raise NotCanonical("nested too deeply") from deep


def _key_bytes(text: str) -> bytes:
    try:
        raw = b64decode(text.strip(), validate=True)
    except ValueError:
        raise BadKey("a key is the base64 of 32 bytes") from None
    if len(raw) != KEY_BYTES:
        raise BadKey("a key is the base64 of 32 bytes")
    return raw


def _refused(code: str, detail: str) -> Refused:
    step = "Ask the API for a signed envelope (POST …?sign=only), or send the command to it."
    return not_allowed(detail, code=code, rule="DR1", next_step=step)
