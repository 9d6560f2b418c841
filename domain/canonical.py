"""Canonical bytes: the one way to write a value down, so that equal values have equal hashes.

RFC 8785 on a restricted profile. Outside of the profile writers of JSON differ from each other
(floats, big integers, keys beyond the BMP) or PostgreSQL cannot give back what it was given
(U+0000), so such values are refused instead of hashed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any
from unicodedata import is_normalized
from uuid import UUID

import orjson

DEPTH_BOUND = 64
"""Arrays and objects inside each other, at most."""
_ATOMS = frozenset({str, int, bool, type(None)})
_WRITTEN = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_ENVELOPE = (
    b'{"data":%b,"effective_at":"%b","event_id":"%b","metadata":%b,"prev_hash":"%b","recorded_at":"%b",'
    b'"schema_version":%b,"stream":%b,"type":%b,"version":%b}'
)
"""What `canonical` would write, its keys being known, in half of the time."""
LEAF_PREFIX = b"\x00"
"""RFC 6962: leaves and nodes of the Merkle tree are hashed in different domains."""


class NotCanonical(ValueError):
    """The value is outside of the profile; the text says where and why."""


def canonical(value: Any) -> bytes:
    """UTF-8 JSON: no blanks, keys in order, shortest escapes. Raises NotCanonical.

    Allowed: None, bool, int within ±2^53, NFC strings without U+0000 and without lone surrogates,
    lists and tuples, mappings with BMP string keys. Decimals and dates are strings.
    """
    _check_shape(value, 0)
    raw = _dump(value)
    if not _surely_fine(raw):
        _check_texts(value)
    return raw


def fingerprint(value: Any) -> bytes:
    """SHA-256 (32 bytes) of the canonical bytes. Raises NotCanonical."""
    return sha256(canonical(value)).digest()


def check_text(text: str) -> None:
    """Raises NotCanonical where a string is not in NFC, has U+0000 or a lone surrogate."""
    if "\x00" in text:
        raise NotCanonical("a string has U+0000")
    if text.isascii():
        return
    if not is_normalized("NFC", text):
        raise NotCanonical("a string is not in NFC")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotCanonical("a string has a lone surrogate") from error


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC with exactly six digits of a second and `Z`. Raises NotCanonical.

    The first and the last year of the calendar are refused: PostgreSQL's driver takes their ends for infinity.
    """
    if moment.tzinfo is None:
        raise NotCanonical("an instant needs a time zone")
    try:
        return _instant(moment if moment.tzinfo is UTC else moment.astimezone(UTC))
    except OverflowError as error:
        raise NotCanonical("the instant is outside of the calendar") from error


@lru_cache(maxsize=1024)
def _instant(utc: datetime) -> str:
    """Kept for a while: the same instant is written into the envelope and sent to the store."""
    if not 1 < utc.year < 9999:
        raise NotCanonical("the instant is outside of the calendar")
    return utc.isoformat(timespec="microseconds")[:-6] + "Z"


def leaf_hash(
    *,
    stream: str,
    version: int,
    event_id: UUID,
    type: str,
    schema_version: int,
    recorded_at: datetime,
    effective_at: datetime,
    metadata: Mapping[str, Any],
    data: Mapping[str, Any],
    prev_hash: bytes,
) -> bytes:
    """SHA-256(0x00 ‖ canonical envelope), 32 bytes: what the Merkle log keeps of an event. Raises NotCanonical."""
    envelope = envelope_bytes(
        stream=stream,
        version=version,
        event_id=event_id,
        type=type,
        schema_version=schema_version,
        recorded_at=recorded_at,
        effective_at=effective_at,
        metadata=canonical(metadata),
        data=canonical(data),
        prev_hash=prev_hash,
    )
    return hash_envelope(envelope)


def hash_envelope(envelope: bytes) -> bytes:
    """SHA-256(0x00 ‖ envelope), 32 bytes."""
    return sha256(LEAF_PREFIX + envelope).digest()


def envelope_bytes(
    *,
    stream: str,
    version: int,
    event_id: UUID,
    type: str,
    schema_version: int,
    recorded_at: datetime,
    effective_at: datetime,
    metadata: bytes,
    data: bytes,
    prev_hash: bytes,
) -> bytes:
    """The canonical envelope of an event whose `metadata` and `data` are canonical bytes already.

    Everything attested is inside, the server's clock included; the position is not, it is the leaf's index.
    """
    if len(prev_hash) != 32:
        raise NotCanonical("prev_hash must have 32 bytes")
    check_text(stream)
    check_text(type)
    recorded = instant(recorded_at).encode()
    return _ENVELOPE % (
        data,
        recorded if effective_at is recorded_at else instant(effective_at).encode(),
        str(event_id).encode(),
        metadata,
        prev_hash.hex().encode(),
        recorded,
        _dump(schema_version),
        _dump(stream),
        _dump(type),
        _dump(version),
    )


def _dump(value: Any) -> bytes:
    # On the checked profile this equals RFC 8785 byte for byte: UTF-8 order of keys is UTF-16 order inside the BMP.
    try:
        return orjson.dumps(value, default=_plain, option=_WRITTEN)
    except TypeError as error:
        raise NotCanonical(str(error)) from error


def _plain(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _check_shape(value: Any, depth: int) -> None:
    """Only what has one spelling in JSON. Integers, keys and surrogates are left to the writer."""
    if type(value) in _ATOMS:
        return
    if type(value) is dict:
        value = value.values()
    elif isinstance(value, str | int):
        return
    elif isinstance(value, float):
        raise NotCanonical("a float has no stable form: write it as a string")
    elif not isinstance(value, list | tuple):
        if not isinstance(value, Mapping):
            raise NotCanonical(f"{type(value).__name__} has no canonical form")
        value = value.values()
    if depth >= DEPTH_BOUND:
        raise NotCanonical(f"nested deeper than {DEPTH_BOUND}")
    for inner in value:
        if type(inner) not in _ATOMS:
            _check_shape(inner, depth + 1)


def _surely_fine(raw: bytes) -> bool:
    """Whether the bytes alone show that every string is fine. Quotes compose with nothing, so all in NFC is each."""
    if b"\\u0000" in raw:
        return False
    if raw.isascii():
        return True
    text = raw.decode()
    return max(text) <= "\uffff" and is_normalized("NFC", text)


def _check_texts(value: Any) -> None:
    """Every string for itself, keys included; the shape has been checked."""
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            check_text(key)
            if max(key, default="") > "\uffff":
                raise NotCanonical("a key has a character beyond the BMP")
            _check_texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_texts(inner)
