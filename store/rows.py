"""Rows of the log as values, and values that no rule has seen as something JSONB can keep."""

from collections.abc import Mapping
from typing import Any

import asyncpg

from activities.ports import Recorded

COLUMNS = (
    "stream, version, event_id, type, schema_version, recorded_at, effective_at, metadata, data, "
    "prev_hash, leaf_hash, position"
)
"""In the order of Recorded's fields."""


def recorded(row: asyncpg.Record) -> Recorded:
    """A row of COLUMNS."""
    return Recorded(*row)


def storable(value: Any) -> Any:
    """The same value, with whatever JSONB cannot hold replaced by what shows it: for refused, unchecked input."""
    if isinstance(value, str):
        return storable_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -(2**53) < value < 2**53 else str(value)
    if isinstance(value, Mapping):
        return {storable_text(str(key)): storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [storable(inner) for inner in value]
    return storable_text(str(value))


def storable_text(text: str) -> str:
    """Without U+0000 and lone surrogates: each becomes U+FFFD."""
    return text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
