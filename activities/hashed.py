"""A fact and its hash, made together: the bytes that were hashed go along with the fact to the store."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from activities.ports import Fact
from domain.canonical import canonical, envelope_bytes, hash_envelope


class Written(NamedTuple):
    """What a fact looks like in canonical bytes."""

    metadata: bytes
    data: bytes
    size: int
    """Bytes of the whole envelope."""


class Hashed(Fact):
    """A fact that knows its bytes. A copy with something changed (`replace`) does not have them."""

    __slots__ = ("written",)
    written: Written


def hashed(
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
) -> Hashed:
    """The fact with its `leaf_hash`. Raises NotCanonical."""
    named: dict[str, Any] = {
        "stream": stream,
        "version": version,
        "event_id": event_id,
        "type": type,
        "schema_version": schema_version,
        "recorded_at": recorded_at,
        "effective_at": effective_at,
        "prev_hash": prev_hash,
    }
    contents = canonical(metadata), canonical(data)
    envelope = envelope_bytes(**named, metadata=contents[0], data=contents[1])
    fact = Hashed(**named, metadata=metadata, data=data, leaf_hash=hash_envelope(envelope))
    object.__setattr__(fact, "written", Written(*contents, len(envelope)))
    return fact


def written(fact: Fact) -> Written | None:
    """The bytes that the fact was hashed from; None where it was made in another way, or changed."""
    return getattr(fact, "written", None)
