"""Quiet hours: when a message that can wait may go out to a person, on that person's own clock."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` until `end` on the clock of `zone`, over midnight where `end` is the earlier one."""

    start: time
    end: time
    zone: ZoneInfo

    def until(self, now: datetime) -> datetime | None:
        """When the quiet hours that `now` falls into end, in UTC; None outside of them."""
        today = now.astimezone(self.zone).date()
        for day in (today - timedelta(days=1), today):
            begins, ends = self._of(day)
            if begins <= now < ends:
                return ends
        return None

    def _of(self, day: date) -> tuple[datetime, datetime]:
        last = day if self.start < self.end else day + timedelta(days=1)
        return self._instant(day, self.start), self._instant(last, self.end)

    def _instant(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)


def wait_until(quiet: QuietHours | None, now: datetime, due_at: datetime | None) -> datetime | None:
    """Until when a message waits; None: it goes at once, as does what is due before the quiet hours end."""
    ends = quiet.until(now) if quiet else None
    return None if ends is None or (due_at is not None and due_at <= ends) else ends
