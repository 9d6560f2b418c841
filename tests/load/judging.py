"""Whether a run kept what is promised, and its figures."""

from collections.abc import Iterator
from datetime import timedelta
from statistics import median
from typing import Any

from tests.load.books import Tally, tallied
from tests.load.owed import Reminder
from tests.load.running import Seen
from tests.load.windows import PERCENTS, Window

CLOSING = timedelta(seconds=120)
"""So long after closing a reminder may still be recorded that was due before: workers are killed meanwhile."""
EARLY = timedelta(milliseconds=1)
"""What rounding of instants may take away."""


def verdict(seen: Seen) -> tuple[dict[str, Any], list[str]]:
    """The figures, and what was not kept."""
    mail = tallied(seen.mail, seen.mail_owed(), seen.kills, seen.mail_noted)
    web = tallied(seen.web, seen.web_owed(), seen.kills, seen.web_noted)
    lags = [_due_lag(seen, reminder) for reminder in seen.owed.reminders if reminder.percent in PERCENTS]
    figures = {
        "people": seen.size.people,
        "projects": seen.size.projects,
        "commands": seen.commands,
        "events": len(seen.owed.facts),
        "kills": len(seen.kills),
        "seconds until all had come": round(seen.seconds, 1),
        "notices": _shown(mail),
        "events sent to endpoints": _shown(web),
        "reminders": len(seen.owed.reminders),
        "of others, late and put off to the next opening": _count(seen, "ReminderPutOff"),
        "seconds from due to reminder, median and most": [round(f(lags or [0.0]), 1) for f in (median, max)],
        "seconds from event to mail, median and most": [round(f(_waits(seen) or [0.0]), 1) for f in (median, max)],
    }
    return figures, [*_tally_faults("mail", mail), *_tally_faults("web", web), *_inbox(seen), *_reminders(seen)]


def _count(seen: Seen, kind: str) -> int:
    return sum(fact.type == kind for fact in seen.owed.facts)


def _waits(seen: Seen) -> list[float]:
    """How long after its event each notice was taken by the mail server."""
    first = {
        key: min(t.taken for t in tries if t.taken) for key, tries in seen.mail.items() if any(t.taken for t in tries)
    }
    began = zip(seen.mail_owed(), seen.owed.notices.values(), strict=True)
    return [first[key] - at.timestamp() for key, at in began if key in first]


def _shown(tally: Tally) -> dict[str, int]:
    return {
        "owed": tally.owed,
        "came in": tally.tries,
        "refused or not answered": tally.refused,
        "lost": len(tally.lost),
        "taken again, the first not noted for a kill": len(tally.again),
        "taken again otherwise": len(tally.unexcused),
        "nobody was owed": len(tally.unowed),
    }


def _tally_faults(name: str, tally: Tally) -> Iterator[str]:
    yield from (f"{name}: {key} was lost" for key in tally.lost)
    yield from (
        f"{name}: {key} came twice, and no worker was killed before the first was noted" for key in tally.unexcused
    )
    yield from (f"{name}: {key} came, and nobody was owed it" for key in tally.unowed)


def _inbox(seen: Seen) -> Iterator[str]:
    wanted = {(str(event), person) for event, person in seen.owed.notices}
    yield from (f"inbox: {key} is not there" for key in wanted - seen.inbox)
    yield from (f"inbox: {key} is there, and nobody was owed it" for key in seen.inbox - wanted)


def _reminders(seen: Seen) -> Iterator[str]:
    """Each in working time, at its time; none left out."""
    for reminder in seen.owed.reminders:
        hours, lag = _hours(seen, reminder), _due_lag(seen, reminder)
        if not -EARLY.total_seconds() <= lag <= seen.size.patience:
            yield f"reminder {reminder} came {lag:.3f} s after it was due"
        if not (hours.covers(reminder.at) or hours.covers(reminder.at - min(CLOSING, timedelta(seconds=lag)))):
            yield f"reminder {reminder} came outside of the hours of {hours.name}"
    yield from (f"overdue: {due}" for due in seen.owed.overdue(seen.at - CLOSING))


def _due_lag(seen: Seen, reminder: Reminder) -> float:
    due = _hours(seen, reminder).due(reminder.since, PERCENTS[reminder.percent])
    return (reminder.at - due).total_seconds()


def _hours(seen: Seen, reminder: Reminder) -> Window:
    return next(hours for hours in seen.hours if hours.name == reminder.template)
