"""What an endpoint's answer leads to: delivered, tried again later, given up, or no more of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from activities.endpoints import Answer

DELAYS = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 12 * 3600)
)
"""After the first failure, the second, … ; the last one goes on."""
PATIENCE = timedelta(days=4)
"""After so long an event is given up."""
SPREAD = 0.2
"""A delay is longer or shorter by up to this part, so that what failed together is not tried together."""
LONGEST_WISH = timedelta(days=1)
"""The longest Retry-After that is honoured."""
SOON = timedelta(seconds=1)
PROBE = timedelta(minutes=10)
"""An endpoint that cannot be reached is tried again after so long at the latest, with one event."""
GONE = 410
TOO_MANY = 429
BUSY = frozenset({TOO_MANY, 503})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do after an attempt."""

    state: str
    next_at: datetime | None = None
    pause_until: datetime | None = None
    """The answer is about the endpoint and not about this event: send nothing until then."""
    gone: bool = False
    """The endpoint does not want to be sent anything any more."""


def judge(answer: Answer, *, attempt: int, since: datetime, now: datetime, seed: str) -> Verdict:
    """`attempt` counts from 1; `since` is when the event was first tried; `seed` tells delays apart."""
    if answer.good:
        return Verdict("delivered")
    if answer.status == GONE:
        return Verdict("failed", gone=True)
    if now - since >= PATIENCE:
        return Verdict("failed")
    wish = _wished(answer)
    next_at = now + (delay(attempt, seed) if wish is None else wish)
    if wish is not None or answer.status == TOO_MANY:
        return Verdict("retrying", next_at, pause_until=next_at)
    return Verdict("retrying", next_at, pause_until=None if answer.reached else min(next_at, now + PROBE))


def _wished(answer: Answer) -> timedelta | None:
    """How long the other side wants to be left alone, where it may say so."""
    if answer.status not in BUSY or answer.retry_after is None:
        return None
    return min(max(timedelta(seconds=answer.retry_after), SOON), LONGEST_WISH)


def delay(attempt: int, seed: str) -> timedelta:
    """How long to wait after the failure of this number; the same again for the same seed."""
    share = int.from_bytes(sha256(f"{seed}/{attempt}".encode()).digest()[:4], "big") / 2**32
    return DELAYS[min(attempt, len(DELAYS)) - 1] * (1 - SPREAD + 2 * SPREAD * share)
