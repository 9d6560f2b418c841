"""Turning off the way: back to an earlier stage, or out by a short retrospective.

Source: docs/governance.md, P1, P3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from domain.messages import Command, to_data
from domain.project.change_events import ChangeBecameStale, ChangeDropped
from domain.project.changes import undecided_changes
from domain.project.decision import Decision, Subject
from domain.project.lifecycle import GatePassed, check_not_signed, enter
from domain.project.resolution import make_room, open_about, open_decision, supersede, when_approved
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
            raise broken(
                "P1",
                "NotEarlier",
                f"{self.to} does not come before {story.project.stage}, where the project is.",
                next_step="Name an earlier stage.",
            )
        _propose_turn(story, Kind.RECYCLE, f"Back to {self.to}: {self.reason}", self)


class ProposeCancellation(Command):
    """Ask for a decision to cancel the project; it still passes a short retrospective (P3)."""

    roles = DECIDING_ROLES
    example = {"reason": "The market has gone"}
    reason: Text

    def decide(self, story: Story) -> None:
        if story.project.lifecycle.cancelling:
            raise wrong_state(
                "AlreadyCancelled",
                "The project is cancelled already and in its short retrospective.",
                rule="P3",
                next_step="Evaluate it and propose its closing.",
            )
        _propose_turn(story, Kind.CANCELLATION, f"Cancel: {self.reason}", self)


def _propose_turn(story: Story, kind: Kind, title: str, command: Command) -> None:
    check_not_signed(story.project)
    if pending := open_about(story.project, kind):
        raise wrong_state(
            "AlreadyProposed",
            f"{pending.id} is open already: {pending.title}",
            next_step="Sign it, or let its requester withdraw it first.",
        )
    make_room(story, kind)
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
    for other in story.project.decisions_in_play():
        supersede(story, other, f"{decision.id} sent the project to {to}")
    for change in undecided_changes(story.project):
        _release(story, change, decision, to)
    stage = story.project.stage
    story.record(GatePassed(stage=stage, outcome=outcome, decision=decision.id, to=to))
    if stage is not to:
        enter(story, to)


def _release(story: Story, change_id: str, decision: Decision, to: Stage) -> None:
    """A cancelled project changes no more (X10: it stays in the log); before a new agreement it is assessed anew."""
    change, version = story.project.changes[change_id], story.project.plan.baseline_version
    why = f"{decision.id} sent the project to {to}"
    if decision.kind is Kind.CANCELLATION:
        story.record(ChangeDropped(change=change.id, reason=why))
    elif to.comes_before(Stage.EXECUTION) and (change.product or change.plan):
        story.record(ChangeBecameStale(change=change.id, base_from=version, base_to=version, reason=why))
