"""Digests: which notices wait to be told together, and when the next digest of a person goes (N4, N5)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

NEAR = timedelta(days=1)
"""What is due sooner than so long after the digest is told at once."""
HORIZON_DAYS = 400
"""How far a working day is looked for; without one the day after is taken."""


class Rhythm(StrEnum):
    """How often."""

    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Wish:
    """One person's: at an hour on the clock of `zone`, on working days."""

    rhythm: Rhythm
    at: time
    zone: ZoneInfo


def next_digest(
    wish: Wish, now: datetime, works: Callable[[date], bool], last: date | None = None
) -> tuple[date, datetime]:
    """The day of the next digest and when it goes, in UTC: not before `now`, and later than the day `last`."""
    today = now.astimezone(wish.zone).date()
    first = today if last is None else max(today, last + timedelta(days=1))
    days = [first + timedelta(days=n) for n in range(HORIZON_DAYS)]
    for day in days:
        goes = datetime.combine(day, wish.at, wish.zone).astimezone(UTC)
        if goes >= now and _is_one(wish.rhythm, day, works):
            return day, goes
    return days[1], datetime.combine(days[1], wish.at, wish.zone).astimezone(UTC)


def can_wait(due_at: datetime | None, goes_at: datetime) -> bool:
    """Whether a notice may wait for a digest: what is due before it, or within a day after it, never does."""
    return due_at is None or due_at - goes_at >= NEAR


def _is_one(rhythm: Rhythm, day: date, works: Callable[[date], bool]) -> bool:
    """Every working day; weekly the first working day of the week."""
    before = (day - timedelta(days=n) for n in range(1, day.weekday() + 1))
    return works(day) and (rhythm is Rhythm.DAILY or not any(works(earlier) for earlier in before))
