"""Time is a command too: the lifecycle says what time it is, the rules say what has fallen due.

Source: docs/governance.md, DR11: a timer that fires for something no longer due changes nothing; a reminder that
comes late comes when people are at work.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from domain.clock import Due, dues
from domain.messages import Command, Event, Happened
from domain.values import EVERY_STAGE, Instant, Role

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "lifecycle"
Passing = Callable[["Story", str, str], None]
PASSINGS: dict[str, Passing] = {}
MOST_AT_ONCE = 50
TELLING = ("remind-", "escalate-")
"""The marks that only ask people to act. What ends by itself ends at its time, whoever is at work."""
PUNCTUAL = timedelta(minutes=1)
"""So long after its time a reminder still counts as on time: one that falls on the very end of a day is one of them."""


def when_due(kind: str) -> Callable[[Passing], Passing]:
    """What happens when a mark passes on a clock whose reference starts with `kind/`."""

    def register(passing: Passing) -> Passing:
        PASSINGS[kind] = passing
        return passing

    return register


def pending(project: Project) -> list[Due]:
    """Everything that time will bring about, earliest first; nothing while the project is held or over."""
    if project.held or project.ended:
        return []
    return sorted(dues(project.clocks))


def next_due(project: Project) -> datetime | None:
    """The next instant at which time itself does something."""
    return min((due.at for due in dues(project.clocks)), default=None) if not (project.held or project.ended) else None


class ReminderPutOff(Event):
    """A reminder, or an escalation, came late and outside working time: it waits until people are at work."""

    allowed_by = "DR11"
    en = "What was to be told of {ref} came late: it waits until work begins again"
    zh = "关于 {ref} 的提醒来得太迟:等到上班时再发出"
    ref: str
    mark: str
    until: Instant

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_clock(self.ref, project.clocks[self.ref].put_off(self.mark, self.until))


def _put_off(story: Story, due: Due) -> bool:
    """Whether this waits for the next opening, which is recorded then."""
    if not due.mark.startswith(TELLING) or story.at - due.at <= PUNCTUAL:
        return False
    opening = story.calendar.next_opening(story.at)
    if opening > story.at:
        story.record(ReminderPutOff(ref=due.ref, mark=due.mark, until=opening))
    return opening > story.at


class PassTime(Command):
    """Let everything happen that has fallen due by `now`. Nothing due: nothing happens."""

    roles = frozenset({Role.SYSTEM})
    stages = EVERY_STAGE
    while_held = True
    example = {"now": "2026-03-02T01:00:00Z"}
    now: Instant

    def decide(self, story: Story) -> None:
        for _ in range(MOST_AT_ONCE):
            due = next(iter(pending(story.project)), None)
            if due is None or due.at > min(self.now, story.at):
                return
            before = story.project
            if not _put_off(story, due):
                kind, _, name = due.ref.partition("/")
                PASSINGS[kind](story, name, due.mark)
            assert story.project is not before, f"{due} left its mark in place"
