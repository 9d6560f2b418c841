"""On hold and on again: every clock stands still meanwhile.

Source: docs/governance.md, P5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from domain.clock import Clock
from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.refusals import wrong_state
from domain.values import DECIDING_ROLES, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "lifecycle"


class ProjectHeld(Event):
    """Everything stands still: every clock is paused (P5)."""

    allowed_by = "P5"
    en = "{actor} put the project on hold: {reason}"
    zh = "{actor} 暂停项目:{reason}"
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_lifecycle(held_at=happened.at, hold_reason=self.reason)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.members():
            yield Notice(person, f"{project.code} is on hold: {self.reason}", f"{project.code} 已暂停:{self.reason}")


class ProjectResumed(Event):
    """The project goes on; every running clock has the working time it had left."""

    allowed_by = "P5"
    en = "{actor} resumed the project"
    zh = "{actor} 恢复项目"
    clocks: dict[str, Clock]

    def apply(self, project: Project, happened: Happened) -> Project:
        after = project.but(clocks={**project.clocks, **self.clocks})
        current = after.check_ins.current
        if current and (moved := self.clocks.get(f"check-in/{current.id}")):
            due = next((m.at for m in moved.marks if m.name == "due"), current.due_at)
            after = after.but(check_ins=after.check_ins.with_check_in(replace(current, due_at=due)))
        for decision in after.open_decisions():
            if moved := self.clocks.get(decision.ref):
                after = after.with_decision(decision.due(moved.due_at))
        return after.with_lifecycle(held_at=None, hold_reason=None)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.members():
            yield Notice(person, f"{project.code} goes on.", f"{project.code} 恢复进行。")


class HoldProject(Command):
    """Put the project on hold: every clock stands still until it is resumed (P5)."""

    roles = DECIDING_ROLES
    example = {"reason": "The supplier is insolvent"}
    reason: Text

    def decide(self, story: Story) -> None:
        story.record(ProjectHeld(reason=self.reason))


class ResumeProject(Command):
    """Let a held project go on; every clock has the working time it had left."""

    roles = DECIDING_ROLES
    while_held = True
    example = {}

    def decide(self, story: Story) -> None:
        held_at = story.project.lifecycle.held_at
        if held_at is None:
            raise wrong_state("NotOnHold", "The project is not on hold.", rule="P5", next_step="Nothing is to be done.")
        running = {ref: c for ref, c in story.project.clocks.items() if c.paused_at is None}
        moved = {ref: c.resumed(story.calendar, held_at, story.at) for ref, c in running.items()}
        story.record(ProjectResumed(clocks=moved))
