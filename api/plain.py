"""Domain values as JSON values: decimals and dates are strings, instants RFC 3339 in UTC."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_jsonable_python


def plain(value: Any) -> Any:
    """Models, dataclasses, enums, mappings … as JSON values; a set has no order. Raises for what has no such form."""
    return to_jsonable_python(value, fallback=_mapping)


def _mapping(value: Any) -> dict[Any, Any]:
    """Read-only mappings are unknown to pydantic."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not shown")


def moment(at: datetime) -> str:
    """RFC 3339 in UTC, with `Z` and as many digits as there are."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
