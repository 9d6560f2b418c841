"""Quiet hours on the reader's own clock, over midnight and over the change to summer time."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from domain.quiet import QuietHours, wait_until

SHANGHAI = QuietHours(time(21), time(8), ZoneInfo("Asia/Shanghai"))
BERLIN = QuietHours(time(22), time(6), ZoneInfo("Europe/Berlin"))
SIESTA = QuietHours(time(13), time(15), ZoneInfo("Europe/Madrid"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (SHANGHAI, "2026-03-02T12:59", None),
        (SHANGHAI, "2026-03-02T13:00", "2026-03-03T00:00"),
        (SHANGHAI, "2026-03-02T20:00", "2026-03-03T00:00"),
        (SHANGHAI, "2026-03-03T00:00", None),
        (BERLIN, "2026-03-28T22:00", "2026-03-29T04:00"),
        (BERLIN, "2026-10-24T22:00", "2026-10-25T05:00"),
        (SIESTA, "2026-06-01T12:00", "2026-06-01T13:00"),
        (SIESTA, "2026-06-01T13:00", None),
    ],
)
def test_when_quiet_hours_end(quiet: QuietHours, now: str, until: str | None) -> None:
    assert quiet.until(at(now)) == (until and at(until))


def test_what_is_due_before_they_end_does_not_wait() -> None:
    now, ends = at("2026-03-02T14:00"), at("2026-03-03T00:00")
    assert wait_until(SHANGHAI, now, None) == ends
    assert wait_until(SHANGHAI, now, at("2026-03-03T00:01")) == ends
    assert wait_until(SHANGHAI, now, ends) is None
    assert wait_until(SHANGHAI, now, at("2026-03-01T00:00")) is None
    assert wait_until(None, now, None) is None
