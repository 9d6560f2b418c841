"""Time is a command too: the lifecycle says what time it is, the rules say what has fallen due.

Source: docs/governance.md, DR11: a timer that fires for something no longer due changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from domain.clock import Due, dues
from domain.messages import Command
from domain.values import EVERY_STAGE, Instant, Role

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

Passing = Callable[["Story", str, str], None]
PASSINGS: dict[str, Passing] = {}
MOST_AT_ONCE = 50


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
            kind, _, name = due.ref.partition("/")
            before = story.project
            PASSINGS[kind](story, name, due.mark)
            assert story.project is not before, f"{due} left its mark in place"
