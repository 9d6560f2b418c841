"""The way of a project: five stages, a gate behind each, hold and resume, recycle, cancel, close.

    KICKOFF → KPI_AGREEMENT → EXECUTION → CHANGE_REVIEW → RETROSPECTIVE → CLOSED

Each gate is a decision: approved means go. Recycle and cancellation are decisions too.
Source: docs/governance.md, P1 to P5.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from domain.canonical import fingerprint
from domain.clock import Clock, reminders, start_clock
from domain.messages import Command, Event, Happened, to_data
from domain.notice import Notice
from domain.project.decision import Decision, Subject
from domain.project.passing import when_due
from domain.project.resolution import open_about, open_decision, supersede, when_approved
from domain.project.team import check_auditor_is_apart
from domain.refusals import broken, not_allowed, not_found, wrong_state
from domain.template import Kind, Policy
from domain.values import DECIDING_ROLES, Instant, Line, Money, Person, Role, Slug, Stage, Text, Value

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

GATES: dict[Kind, Stage] = {
    Kind.CHARTER: Stage.KICKOFF,
    Kind.AGREEMENT: Stage.KPI_AGREEMENT,
    Kind.COMPLETION: Stage.EXECUTION,
    Kind.ACCEPTANCE: Stage.CHANGE_REVIEW,
    Kind.CLOSING: Stage.RETROSPECTIVE,
}
"""Which decision opens the gate behind which stage."""

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


class People(Value):
    """Who starts in which role."""

    sponsor: Person
    pmo: Person
    product_manager: Person
    members: Annotated[tuple[Person, ...], Field(max_length=200)] = ()
    auditors: Annotated[tuple[Person, ...], Field(max_length=20)] = ()

    def pairs(self) -> tuple[tuple[str, Role], ...]:
        """Every (person, role), deciding roles first."""
        return (
            (self.sponsor, Role.SPONSOR),
            (self.pmo, Role.PMO),
            (self.product_manager, Role.PRODUCT_MANAGER),
            *((p, Role.MEMBER) for p in dict.fromkeys(self.members)),
            *((p, Role.AUDITOR) for p in dict.fromkeys(self.auditors)),
        )


class ProjectStarted(Event):
    """A project exists. It pins the whole policy that it runs under."""

    en = "{actor} started {code}: {title}"
    zh = "{actor} 启动项目 {code}:{title}"
    code: str
    title: str
    purpose: str
    people: People
    budget: Money
    starts_on: date
    finish_by: date
    policy: Policy

    def apply(self, project: Project, happened: Happened) -> Project:
        team = project.team
        for person, role in self.people.pairs():
            team = team.with_grant(person, role, happened.by, happened.at, confirmed=True)
        after = project.but(
            code=self.code,
            title=self.title,
            purpose=self.purpose,
            policy=self.policy,
            starter=happened.by,
            started_at=happened.at,
            team=team,
        )
        return after.with_lifecycle(stage=Stage.KICKOFF, visit=1, entered_at=happened.at)


class StageEntered(Event):
    """The project is in another stage; clocks of the stage before have ended."""

    en = "The project entered {stage}"
    zh = "项目进入 {stage} 阶段"
    stage: Stage
    visit: int

    def apply(self, project: Project, happened: Happened) -> Project:
        ended = ("stage/", "check-in/", "kpi/")
        clocks = {ref: c for ref, c in project.clocks.items() if not ref.startswith(ended)}
        after = project.but(clocks=clocks, check_ins=project.check_ins.suspended())
        return after.with_lifecycle(stage=self.stage, visit=self.visit, entered_at=happened.at)


class GatePassed(Event):
    """The gate behind a stage was decided: GO, RECYCLE to an earlier stage, or KILL."""

    en = "The gate of {stage} was decided by {decision}: {outcome}"
    zh = "{stage} 阶段门由 {decision} 决定:{outcome}"
    stage: Stage
    outcome: Literal["GO", "RECYCLE", "KILL"]
    decision: str
    to: Stage

    def apply(self, project: Project, happened: Happened) -> Project:
        closing = self.stage is Stage.RETROSPECTIVE and self.outcome == "GO"
        cancelling = project.lifecycle.cancelling or self.outcome == "KILL"
        return project.with_lifecycle(closing_approved=closing, cancelling=cancelling)


class PeopleInvited(Event):
    """The people whose turn it is in this stage were asked to act."""

    en = "{people} were invited to {stage}"
    zh = "已邀请 {people} 参与 {stage} 阶段"
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

    en = "{stage} should be done by {due_at}"
    zh = "{stage} 阶段应于 {due_at} 前完成"
    stage: Stage
    visit: int
    due_at: Instant
    clock: Clock

    def apply(self, project: Project, happened: Happened) -> Project:
        after = project.with_clock(f"stage/{self.visit}", self.clock)
        return after.with_lifecycle(clocked_visit=self.visit)


class StageReminderDue(Event):
    """A share of the time meant for the stage has passed."""

    en = "{percent} % of the time for {stage} has passed"
    zh = "{stage} 阶段时间已过 {percent} %"
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
                f"{project.code}: {self.percent} % of the time for {self.stage} has passed. {en}",
                f"{project.code}:{self.stage} 阶段时间已过 {self.percent} %。{zh}",
                self.stage,
            )


class ProjectHeld(Event):
    """Everything stands still: every clock is paused (P5)."""

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

    en = "{actor} resumed the project"
    zh = "{actor} 恢复项目"
    clocks: dict[str, Clock]

    def apply(self, project: Project, happened: Happened) -> Project:
        after = project.but(clocks={**project.clocks, **self.clocks})
        for decision in after.open_decisions():
            if moved := self.clocks.get(decision.ref):
                after = after.with_decision(decision.due(moved.due_at))
        return after.with_lifecycle(held_at=None, hold_reason=None)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.members():
            yield Notice(person, f"{project.code} goes on.", f"{project.code} 恢复进行。")


class ProjectClosed(Event):
    """The end: completed, or cancelled in good order."""

    en = "{code} is closed: {ending}"
    zh = "项目 {code} 关闭:{ending}"
    code: str
    ending: Literal["completed", "cancelled"]

    def apply(self, project: Project, happened: Happened) -> Project:
        after = project.but(clocks={})
        return after.with_lifecycle(stage=Stage.CLOSED, ended_at=happened.at, ending=self.ending)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.members():
            yield Notice(person, f"{self.code} is closed: {self.ending}.", f"{self.code} 已关闭:{self.ending}。")


class StartProject(Command):
    """Start a project: who rides it, what for, with what budget, until when.

    The PMO or the product manager starts it. It begins in KICKOFF under the newest version of the
    process template, which it keeps for its whole life.
    """

    roles = DECIDING_ROLES
    stages = frozenset({Stage.KICKOFF})
    example = {
        "title": "Member portal",
        "purpose": "Members renew online instead of by phone",
        "people": {
            "sponsor": "sun.lei",
            "pmo": "pei.min",
            "product_manager": "pan.mei",
            "members": ["tao.yun"],
            "auditors": ["an.jing"],
        },
        "budget": {"amount": "80000", "currency": "CNY"},
        "starts_on": "2026-03-02",
        "finish_by": "2026-09-30",
    }
    title: Line
    purpose: Text
    people: People
    budget: Money
    starts_on: date
    finish_by: date
    template: Slug = "standard"

    @model_validator(mode="after")
    def _in_order(self) -> StartProject:
        if self.finish_by <= self.starts_on:
            raise ValueError("finish_by must be after starts_on")
        if self.budget.amount <= 0:
            raise ValueError("the budget must be above zero")
        return self

    def decide(self, story: Story) -> None:
        if story.project.exists:
            raise wrong_state("AlreadyStarted", "This project exists already.")
        if story.person not in {self.people.pmo, self.people.product_manager}:
            raise not_allowed(
                "The PMO or the product manager named in `people` starts a project.",
                code="NotAStarter",
                next_step="Ask one of them, or name yourself.",
            )
        policy = story.templates.get(self.template)
        if policy is None:
            raise not_found("Template", self.template)
        check_auditor_is_apart(story.project.team, self.people.pairs())
        fields = {n: getattr(self, n) for n in type(self).model_fields if n != "template"}
        story.record(ProjectStarted(code=story.code, policy=policy, **fields))


class InvitePeople(Command):
    """Invite the people whose turn it is in the present stage."""

    roles = frozenset({Role.SYSTEM})
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
    example = {}

    def decide(self, story: Story) -> None:
        life = story.project.lifecycle
        if life.clocked_visit == life.visit:
            return
        policy = story.project.rules.stages[life.stage]
        shares = reminders(policy.remind_percent)
        running = start_clock(story.calendar, story.at, policy.limit_days, shares)
        story.record(StageClockStarted(stage=life.stage, visit=life.visit, due_at=running.due_at, clock=running))


@when_due("stage")
def stage_due(story: Story, visit: str, mark: str) -> None:
    """A share of a stage's time has passed."""
    percent = int(mark.removeprefix("remind-"))
    story.record(StageReminderDue(stage=story.project.stage, visit=int(visit), percent=percent))


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
            raise wrong_state("NotOnHold", "The project is not on hold.")
        running = {ref: c for ref, c in story.project.clocks.items() if c.paused_at is None}
        moved = {ref: c.resumed(story.calendar, held_at, story.at) for ref, c in running.items()}
        story.record(ProjectResumed(clocks=moved))


class ProposeRecycle(Command):
    """Ask for a decision to go back to an earlier stage (gate outcome recycle)."""

    roles = DECIDING_ROLES
    stages = frozenset({Stage.KPI_AGREEMENT, Stage.EXECUTION, Stage.CHANGE_REVIEW})
    example = {"to": "KICKOFF", "reason": "The scope has to be agreed anew"}
    to: Stage
    reason: Text

    def decide(self, story: Story) -> None:
        if not self.to.comes_before(story.project.stage):
            raise broken("P1", "NotEarlier", f"{self.to} does not come before {story.project.stage}.")
        _propose_turn(story, Kind.RECYCLE, f"Back to {self.to}: {self.reason}", self)


class ProposeCancellation(Command):
    """Ask for a decision to cancel the project; it still passes a short retrospective (P3)."""

    roles = DECIDING_ROLES
    example = {"reason": "The market has gone"}
    reason: Text

    def decide(self, story: Story) -> None:
        if story.project.lifecycle.cancelling:
            raise wrong_state("AlreadyCancelled", "The project is being cancelled already.")
        _propose_turn(story, Kind.CANCELLATION, f"Cancel: {self.reason}", self)


def _propose_turn(story: Story, kind: Kind, title: str, command: Command) -> None:
    if open_about(story.project, kind):
        raise wrong_state("AlreadyProposed", f"A decision of the kind {kind} is open already.")
    content = {"stage": story.project.stage, **to_data(command)}
    subject = Subject(
        type=kind.lower(),
        id=str(content.get("to", "project")),
        revision=1,
        content_hash=fingerprint(content).hex(),
    )
    open_decision(story, kind, title[:200], subject, authors=[story.person])


def pass_gate(story: Story, decision: Decision) -> None:
    """The gate of the present stage is passed: the next stage begins (the last one is left by closing)."""
    stage = GATES[decision.kind]
    if story.project.stage is not stage:
        raise wrong_state("OtherStage", f"The project is in {story.project.stage}, not in {stage}.", rule="P1")
    story.record(GatePassed(stage=stage, outcome="GO", decision=decision.id, to=stage.next))
    if stage is not Stage.RETROSPECTIVE:
        enter(story, stage.next)


def enter(story: Story, stage: Stage) -> None:
    story.record(StageEntered(stage=stage, visit=story.project.lifecycle.visit + 1))


@when_approved(Kind.RECYCLE)
def recycle(story: Story, decision: Decision) -> None:
    """Back to an earlier stage; what was being decided meanwhile is void."""
    _turn(story, decision, "RECYCLE", Stage(decision.subject.id))


@when_approved(Kind.CANCELLATION)
def cancel(story: Story, decision: Decision) -> None:
    """To the short retrospective that a cancelled project passes, too."""
    _turn(story, decision, "KILL", Stage.RETROSPECTIVE)


def _turn(story: Story, decision: Decision, outcome: Literal["RECYCLE", "KILL"], to: Stage) -> None:
    for other in story.project.open_decisions():
        supersede(story, other, f"{decision.id} sent the project to {to}")
    stage = story.project.stage
    story.record(GatePassed(stage=stage, outcome=outcome, decision=decision.id, to=to))
    if stage is not to:
        enter(story, to)


class CloseProject(Command):
    """End the project once its closing was signed."""

    roles = frozenset({Role.SYSTEM})
    stages = frozenset({Stage.RETROSPECTIVE})
    example = {}

    def decide(self, story: Story) -> None:
        if not story.project.lifecycle.closing_approved:
            raise wrong_state("ClosingNotSigned", "The closing is not signed.", rule="Z10")
        ending: Literal["completed", "cancelled"] = "cancelled" if story.project.lifecycle.cancelling else "completed"
        story.record(ProjectClosed(code=story.project.code, ending=ending))
