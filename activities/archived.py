"""An archived project's events: their places are there, what they hold is in a pack."""

from collections.abc import Mapping
from typing import Any


class StreamArchived(Exception):
    """The stream was moved to a pack; it can be restored from it."""

    def __init__(self, stream: str, digest: str) -> None:
        super().__init__(f"{stream} is archived in the pack {digest}: restore it with `tandem archive restore`")
        self.stream = stream
        self.digest = digest


def pack_of(metadata: Mapping[str, Any]) -> str | None:
    """The SHA-256 of the pack that holds the event with this metadata; None where the event is in its place."""
    digest: str | None = metadata.get("archived")
    return digest
