"""The way of a project: five stages, a gate behind each, and the end.

    KICKOFF → KPI_AGREEMENT → EXECUTION → CHANGE_REVIEW → RETROSPECTIVE → CLOSED

Each gate is a decision: approved means go. Source: docs/governance.md, P1, P2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.decision import Decision
from domain.project.resolution import in_play_about, supersede
from domain.refusals import wrong_state
from domain.template import Kind
from domain.values import Role, Stage
from domain.words import word

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "lifecycle"
GATES: dict[Kind, Stage] = {
    Kind.CHARTER: Stage.KICKOFF,
    Kind.AGREEMENT: Stage.KPI_AGREEMENT,
    Kind.COMPLETION: Stage.EXECUTION,
    Kind.ACCEPTANCE: Stage.CHANGE_REVIEW,
    Kind.CLOSING: Stage.RETROSPECTIVE,
}
"""Which decision opens the gate behind which stage."""


class StageEntered(Event):
    """The project is in another stage; clocks of the stage before have ended."""

    allowed_by = "P1"
    en = "The project entered {stage}"
    zh = "项目进入{stage}阶段"
    stage: Stage
    visit: int

    def apply(self, project: Project, happened: Happened) -> Project:
        ended = ("stage/", "check-in/", "kpi/")
        clocks = {ref: c for ref, c in project.clocks.items() if not ref.startswith(ended)}
        after = project.but(clocks=clocks, check_ins=project.check_ins.suspended())
        return after.with_lifecycle(stage=self.stage, visit=self.visit, entered_at=happened.at)


class GatePassed(Event):
    """The gate behind a stage was decided: GO, RECYCLE to an earlier stage, or KILL."""

    allowed_by = "P1"
    en = "The gate of {stage} was decided by {decision}: {outcome}"
    zh = "{stage}阶段门由 {decision} 决定:{outcome}"
    stage: Stage
    outcome: Literal["GO", "RECYCLE", "KILL"]
    decision: str
    to: Stage

    def apply(self, project: Project, happened: Happened) -> Project:
        closing = self.stage is Stage.RETROSPECTIVE and self.outcome == "GO"
        cancelling = project.lifecycle.cancelling or self.outcome == "KILL"
        return project.with_lifecycle(closing_approved=closing, cancelling=cancelling)


class ProjectClosed(Event):
    """The end: completed, or cancelled in good order."""

    allowed_by = "Z10"
    en = "{code} is closed: {ending}"
    zh = "项目 {code} 关闭:{ending}"
    code: str
    ending: Literal["completed", "cancelled"]

    def apply(self, project: Project, happened: Happened) -> Project:
        after = project.but(clocks={})
        return after.with_lifecycle(stage=Stage.CLOSED, ended_at=happened.at, ending=self.ending)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.members():
            yield Notice(
                person, f"{self.code} is closed: {self.ending}.", f"{self.code} 已关闭:{word(self.ending, 'zh')}。"
            )


def pass_gate(story: Story, decision: Decision) -> None:
    """The gate of the present stage is passed: the next stage begins (the last one is left by closing)."""
    stage = GATES[decision.kind]
    if story.project.stage is not stage:
        raise wrong_state(
            "OtherStage",
            f"{decision.id} decides the gate behind {stage}; the project is in {story.project.stage}.",
            rule="P1",
        )
    for other in in_play_about(story.project, Kind.RECYCLE):
        supersede(story, other, f"the project has left {stage} by {decision.id}")
    story.record(GatePassed(stage=stage, outcome="GO", decision=decision.id, to=stage.next))
    if stage is not Stage.RETROSPECTIVE:
        enter(story, stage.next)


def enter(story: Story, stage: Stage) -> None:
    story.record(StageEntered(stage=stage, visit=story.project.lifecycle.visit + 1))


def check_not_signed(project: Project) -> None:
    """Z10: once the closing is signed, the way of the project is decided."""
    if project.lifecycle.closing_approved:
        raise wrong_state(
            "ClosingSigned",
            f"The closing of {project.code} is signed; it closes by itself.",
            rule="Z10",
            next_step="Nothing is to be done.",
        )


class CloseProject(Command):
    """End the project once its closing was signed."""

    roles = frozenset({Role.SYSTEM})
    stages = frozenset({Stage.RETROSPECTIVE})
    example = {}

    def decide(self, story: Story) -> None:
        if not story.project.lifecycle.closing_approved:
            raise wrong_state(
                "ClosingNotSigned",
                "The closing is not signed by the PMO, the product manager and the sponsor.",
                rule="Z10",
                next_step="Propose the closing and sign it.",
            )
        ending: Literal["completed", "cancelled"] = "cancelled" if story.project.lifecycle.cancelling else "completed"
        story.record(ProjectClosed(code=story.project.code, ending=ending))
