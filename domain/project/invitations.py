"""Whom the lifecycle asks in each stage, and how long the stage should take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from domain.clock import Clock, reminders, start_clock
from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.passing import when_due
from domain.values import Instant, Role, Stage
from domain.words import word

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "lifecycle"
ASKS: dict[Stage, tuple[tuple[Role, ...], str, str]] = {
    Stage.KICKOFF: (
        (Role.PMO, Role.PRODUCT_MANAGER),
        "Draft the charter, then propose it for signature.",
        "请起草项目章程并提交签署。",
    ),
    Stage.KPI_AGREEMENT: (
        (Role.PMO, Role.PRODUCT_MANAGER),
        "Propose the goals and KPIs that both sides will sign.",
        "请提出双方将签署的目标与 KPI。",
    ),
    Stage.EXECUTION: (
        (Role.PMO, Role.PRODUCT_MANAGER),
        "Propose the plan baseline; check-ins begin.",
        "请提出计划基线;例会开始。",
    ),
    Stage.CHANGE_REVIEW: (
        (Role.PMO, Role.PRODUCT_MANAGER),
        "Settle every open change, then propose acceptance.",
        "请处理所有未决变更,然后提交验收。",
    ),
    Stage.RETROSPECTIVE: (
        (Role.PMO, Role.PRODUCT_MANAGER),
        "Submit your evaluation and the lessons learnt.",
        "请提交评价与经验教训。",
    ),
}
"""Whom the lifecycle invites on entering a stage, and to what."""


class PeopleInvited(Event):
    """The people whose turn it is in this stage were asked to act."""

    allowed_by = "P1"
    en = "{people} were invited to {stage}"
    zh = "已邀请 {people} 参与{stage}阶段"
    stage: Stage
    visit: int
    people: tuple[str, ...]

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_lifecycle(invited_visit=self.visit)

    def tells(self, project: Project) -> Iterable[Notice]:
        _, en, zh = ASKS[self.stage]
        for person in self.people:
            yield Notice(person, f"{project.code}: {en}", f"{project.code}:{zh}", self.stage)


class StageClockStarted(Event):
    """The working days meant for this stage began to run."""

    allowed_by = "P1"
    en = "The stage {stage} should be done by {due_at}"
    zh = "{stage}阶段应于 {due_at} 前完成"
    stage: Stage
    visit: int
    due_at: Instant
    clock: Clock

    def apply(self, project: Project, happened: Happened) -> Project:
        after = project.with_clock(f"stage/{self.visit}", self.clock)
        return after.with_lifecycle(clocked_visit=self.visit)


class StageReminderDue(Event):
    """A share of the time meant for the stage has passed."""

    allowed_by = "P1"
    en = "{percent} % of the time for {stage} has passed"
    zh = "{stage}阶段时间已过 {percent} %"
    stage: Stage
    visit: int
    percent: int

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.without_mark(f"stage/{self.visit}", f"remind-{self.percent}")

    def tells(self, project: Project) -> Iterable[Notice]:
        roles, en, zh = ASKS[self.stage]
        late = self.percent >= 100
        people = [p for r in (*roles, *((Role.SPONSOR,) if late else ())) for p in project.team.holders(r)]
        for person in dict.fromkeys(people):
            yield Notice(
                person,
                f"{project.code}: {self.percent} % of the time for {word(self.stage, 'en')} has passed. {en}",
                f"{project.code}:{word(self.stage, 'zh')}阶段时间已过 {self.percent} %。{zh}",
                self.stage,
            )


class InvitePeople(Command):
    """Invite the people whose turn it is in the present stage."""

    roles = frozenset({Role.SYSTEM})
    while_held = True
    example = {}

    def decide(self, story: Story) -> None:
        life = story.project.lifecycle
        if life.invited_visit == life.visit:
            return
        holders = [p for role in ASKS[life.stage][0] for p in story.project.team.holders(role)]
        people = tuple(dict.fromkeys(holders))
        story.record(PeopleInvited(stage=life.stage, visit=life.visit, people=people))


class StartStageClock(Command):
    """Let the working days meant for the present stage begin to run."""

    roles = frozenset({Role.SYSTEM})
    while_held = True
    example = {}

    def decide(self, story: Story) -> None:
        life = story.project.lifecycle
        if life.clocked_visit == life.visit:
            return
        policy = story.project.rules.stages[life.stage]
        shares = reminders(policy.remind_percent)
        running = start_clock(story.calendar, story.ticking, policy.limit_days, shares)
        story.record(StageClockStarted(stage=life.stage, visit=life.visit, due_at=running.due_at, clock=running))


@when_due("stage")
def stage_due(story: Story, visit: str, mark: str) -> None:
    """A share of a stage's time has passed."""
    percent = int(mark.removeprefix("remind-"))
    story.record(StageReminderDue(stage=story.project.stage, visit=int(visit), percent=percent))
