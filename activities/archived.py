"""An archived project's events: their places are there, what they hold is in a pack."""

from collections.abc import Mapping
from typing import Any


class StreamArchived(KeyError):
    """What the events of this stream hold was moved to a pack; it can be restored from it.

    Whoever passes over events of a kind that is not known passes over archived ones as well.
    """

    def __init__(self, stream: str, digest: str) -> None:
        super().__init__(stream)
        self.stream = stream
        self.digest = digest

    def __str__(self) -> str:
        return f"{self.stream} is archived in the pack {self.digest}: `tandem archive restore` brings it back."


def check_is_here(stream: str, metadata: Mapping[str, Any]) -> None:
    """Raises StreamArchived where the event with this metadata was moved out."""
    if (digest := metadata.get("archived")) is not None:
        raise StreamArchived(stream, digest)
