"""Turning off the way: back to an earlier stage, or out by a short retrospective.

Source: docs/governance.md, P1, P3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from domain.messages import Command, to_data
from domain.project.decision import Decision, Subject
from domain.project.lifecycle import GatePassed, enter
from domain.project.resolution import open_about, open_decision, supersede, when_approved
from domain.refusals import broken, wrong_state
from domain.template import Kind
from domain.values import DECIDING_ROLES, Stage, Text

if TYPE_CHECKING:
    from domain.story import Story


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
    content = {"stage": story.project.stage.value, **to_data(command)}
    subject = Subject.of(kind, str(content.get("to", "project")), content)
    open_decision(story, kind, title[:200], subject, authors=[story.person])


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
