"""How the receivers behave: mostly well; sometimes late, busy, silent or gone. The same for the same message."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

ONE_IN = 1000


class Manner(StrEnum):
    """What is done with a message that came in."""

    TAKES = "takes"
    LATE = "late"
    """Taken, after a while that no sender takes for silence."""
    BUSY = "busy"
    """Refused for now."""
    SILENT = "silent"
    """Never answered, and not taken."""
    HANGS_UP = "hangs up"
    """The connection is cut, and nothing is taken."""


@dataclass(frozen=True)
class Mood:
    """Of so many thousandths of all messages the first tries are met like this."""

    manner: Manner
    share: int
    tries: int = 1


def manner_of(moods: tuple[Mood, ...], message: str, attempt: int) -> Manner:
    """`attempt` counts from 1; what is left over is taken at once."""
    lot = int.from_bytes(sha256(message.encode()).digest()[:4], "big") % ONE_IN
    for mood in moods:
        if lot < mood.share:
            return mood.manner if attempt <= mood.tries else Manner.TAKES
        lot -= mood.share
    return Manner.TAKES


MAIL = (
    Mood(Manner.BUSY, 60),
    Mood(Manner.BUSY, 30, tries=2),
    Mood(Manner.HANGS_UP, 40),
    Mood(Manner.SILENT, 15),
    Mood(Manner.LATE, 80, tries=100),
)
WEB = (
    Mood(Manner.BUSY, 20),
    Mood(Manner.HANGS_UP, 1),
    # Whoever does not answer is left alone for a while with everything: more than a few would be an outage.
    Mood(Manner.SILENT, 2),
    Mood(Manner.LATE, 60, tries=100),
)
LATE_SECONDS = {"mail": 2.0, "web": 0.7}
