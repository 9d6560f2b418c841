"""Process templates with one short working day around the load, and when it ends by a reckoning of the test's own."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dev.home import CHECKOUT

DAY = timedelta(days=1)
MINUTES = 60
"""Working minutes of a day: so 1 % of a decision's one day is no minute at all, 2 % one minute, 4 % two."""
PERCENTS = {1: 0, 2: 1, 4: 2}
"""Reminders, and the working minutes after which they are due."""
TEMPLATES = CHECKOUT / "domain" / "templates"


@dataclass(frozen=True)
class Window:
    """The working hours of every day, as two instants in UTC of the first one."""

    name: str
    opens: datetime

    @property
    def closes(self) -> datetime:
        return self.opens + timedelta(minutes=MINUTES)

    def covers(self, at: datetime) -> bool:
        """Whether people work then; closing still belongs to the day."""
        return (at - self.opens) % DAY <= self.closes - self.opens

    def due(self, start: datetime, minutes: int) -> datetime:
        """When so many working minutes have passed since `start`."""
        left, opens = timedelta(minutes=minutes), self.opens
        while True:
            begin, closes = max(start, opens), opens + (self.closes - self.opens)
            if begin + left <= closes:
                return begin + left
            left, opens = left - max(closes - begin, timedelta(0)), opens + DAY

    def template(self) -> dict[str, Any]:
        """The standard template with these hours, on a clock that does not pass midnight meanwhile."""
        policy: dict[str, Any] = json.loads((TEMPLATES / "standard.json").read_text())
        ahead = 6 - self.opens.hour
        ahead += 24 if ahead < -12 else 0
        opens, closes = (f"{at + timedelta(hours=ahead):%H:%M:00}" for at in (self.opens, self.closes))
        # The names of these zones have the sign the other way round.
        hours = {"timezone": f"Etc/GMT{-ahead:+d}", "opens": opens, "closes": closes}
        policy["calendar"] |= hours | {"region": None, "weekdays": list(range(7))}
        for timed in (*policy["decisions"].values(), *policy["stages"].values()):
            timed |= {"limit_days": 1, "remind_percent": [*PERCENTS, 100]}
        return policy | {"template": self.name, "title": f"Hours: {self.name}"}


def windows(begins: datetime, seconds: float) -> tuple[Window, ...]:
    """People at work all the time, from a minute of it on, up to a minute of it, and not at all."""
    minute = begins.replace(second=0, microsecond=0)
    opening, closing = (minute + timedelta(minutes=1 + round(seconds * share) // 60) for share in (0.4, 0.8))
    return (
        Window("at-work", minute - timedelta(minutes=MINUTES // 3)),
        Window("opening", opening),
        Window("closing", closing - timedelta(minutes=MINUTES)),
        Window("away", minute + timedelta(hours=3)),
    )


def write(folder: Path, hours: tuple[Window, ...]) -> None:
    """The templates as files, the standard one among them."""
    folder.mkdir()
    (folder / "standard.json").write_bytes((TEMPLATES / "standard.json").read_bytes())
    for window in hours:
        (folder / f"{window.name}.json").write_text(json.dumps(window.template()))
