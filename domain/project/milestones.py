"""Milestones of the baseline, reached one by one while the project is executed.

Source: docs/governance.md, S5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.refusals import broken, not_found, wrong_state
from domain.values import Day, Role, Slug, Stage, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "milestone"


class MilestoneReached(Event):
    """A milestone of the baseline was reached on a day, with evidence."""

    allowed_by = "S5"
    en = "{actor} recorded that {milestone} was reached on {reached_on}"
    zh = "{actor} 记录里程碑 {milestone} 于 {reached_on} 达成"
    milestone: str
    reached_on: Day
    evidence: str

    def apply(self, project: Project, happened: Happened) -> Project:
        reached = {**project.plan.reached, self.milestone: self.reached_on}
        return project.but(plan=replace(project.plan, reached=reached))

    def effective(self, project: Project, at: datetime) -> datetime:
        return project.since(self.reached_on, at)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in dict.fromkeys(p for r in (Role.SPONSOR, Role.PMO) for p in project.team.holders(r)):
            yield Notice(
                person,
                f"{project.code}: {self.milestone} was reached on {self.reached_on}.",
                f"{project.code}:里程碑 {self.milestone} 已于 {self.reached_on} 达成。",
                self.milestone,
            )


class ReachMilestone(Command):
    """Record that a milestone of the baseline was reached, on which day, and what shows it (S5)."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER, Role.MEMBER})
    stages = frozenset({Stage.EXECUTION, Stage.CHANGE_REVIEW})
    example = {"milestone": "M1", "reached_on": "2026-04-28", "evidence": "Signed design, version 3"}
    milestone: Slug
    reached_on: Day
    evidence: Text

    def decide(self, story: Story) -> None:
        plan = story.project.plan
        if plan.baseline is None:
            raise wrong_state("NoBaseline", "There is no plan baseline.", rule="S5", next_step="Sign the plan first.")
        if self.milestone not in {m.id for m in plan.baseline.milestones}:
            raise not_found("Milestone", self.milestone)
        if self.milestone in plan.reached:
            raise wrong_state(
                "AlreadyReached",
                f"{self.milestone} was reached on {plan.reached[self.milestone]}.",
                rule="S5",
                next_step="What was recorded stays; ask for a change if the plan itself is wrong.",
            )
        if self.reached_on > story.today:
            raise broken("S5", "DayToCome", f"{self.reached_on} is still to come.", next_step="Record it on the day.")
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        story.record(MilestoneReached(**fields))
