"""The gates behind execution, change review and retrospective: what is signed there.

Source: docs/governance.md, P2, Z1, Z3, Z9, Z10.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from domain.canonical import fingerprint
from domain.messages import Command, Event, Happened, to_data
from domain.project.changes import undecided_changes
from domain.project.decision import Decision, Subject
from domain.project.lifecycle import check_not_signed, pass_gate
from domain.project.resolution import make_room, open_about, open_decision, supersede, when_approved
from domain.refusals import Refused, broken, wrong_state
from domain.template import Kind
from domain.values import DECIDING_ROLES, Line, Role, Stage, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "lifecycle"


class ClosingProposed(Event):
    """A summary of results, problems and improvements is on the table."""

    allowed_by = "Z10"
    en = "{actor} proposed to close: {results}"
    zh = "{actor} 提议结项:{results}"
    results: str
    problems: str
    improvements: str
    no_lessons_because: str | None
    content_hash: str

    def apply(self, project: Project, happened: Happened) -> Project:
        retro = replace(project.retrospective, closings=project.retrospective.closings + 1)
        return project.but(retrospective=retro)


class ProposeCompletion(Command):
    """Ask for the gate behind execution: the planned work is done."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.EXECUTION})
    example = {"summary": "Portal launched", "deliverables": ["Portal", "Training"]}
    summary: Text
    deliverables: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)]

    def decide(self, story: Story) -> None:
        if story.project.plan.baseline is None:
            raise broken(
                "P2", "NoBaseline", "There is no plan baseline.", next_step="Propose and sign the plan: propose-plan."
            )
        propose(story, Kind.COMPLETION, f"Completion of {story.project.code}", self)


class ProposeAcceptance(Command):
    """Ask for the gate behind change review: every change is settled, the deliverables are accepted."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.CHANGE_REVIEW})
    example = {"accepted": ["Portal", "Training"], "reconciliation": "Within budget, two weeks late"}
    accepted: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)]
    reconciliation: Text

    def decide(self, story: Story) -> None:
        check_changes_are_settled(story.project)
        propose(story, Kind.ACCEPTANCE, f"Acceptance of {story.project.code}", self)


class ProposeClosing(Command):
    """Ask for the last gate with a summary of results, problems and improvements (Z10).

    Both evaluations are final (Z1), no other decision is open (Z3), and a lesson is confirmed or the
    summary says why there is none (Z9).
    """

    roles = DECIDING_ROLES
    stages = frozenset({Stage.RETROSPECTIVE})
    example = {
        "results": "Nine of ten members renew online",
        "problems": "The provider was late",
        "improvements": "Test sandboxes early",
    }
    results: Text
    problems: Text
    improvements: Text
    no_lessons_because: Text | None = None

    def decide(self, story: Story) -> None:
        check_not_signed(story.project)
        if failing := closing_obstacles(story.project, self.no_lessons_because):
            rule, detail = failing[0]
            raise Refused(
                "NotReadyToClose",
                " ".join(f"{r}: {d}" for r, d in failing),
                rule=rule,
                next_step=detail,
                errors=tuple({"pointer": "", "code": r, "message": d} for r, d in failing),
            )
        fields = {n: getattr(self, n) for n in type(self).model_fields}
        signed = fingerprint(to_data(self)).hex()
        story.record(ClosingProposed(content_hash=signed, **fields))
        propose(story, Kind.CLOSING, f"Closing of {story.project.code}", self)


def closing_obstacles(project: Project, no_lessons_because: str | None) -> list[tuple[str, str]]:
    """The closing rules that do not hold yet, with what to do about each."""
    retro = project.retrospective
    others = [d.id for d in project.decisions_in_play() if d.kind is not Kind.CLOSING]
    validated = any(lesson.validated_by for lesson in retro.lessons.values())
    rules = (
        ("Z1", retro.final, "Both sides evaluate, and large differences are reconciled."),
        ("Z3", not others, f"Settle {', '.join(others)} first."),
        ("Z9", validated or bool(no_lessons_because), "Confirm a lesson, or say why there is none."),
    )
    return [(rule, todo) for rule, holds, todo in rules if not holds]


def check_changes_are_settled(project: Project) -> None:
    """Z3: no change waits for an outcome."""
    if waiting := undecided_changes(project):
        raise broken(
            "Z3",
            "ChangesUndecided",
            f"{', '.join(waiting)} still wait for an outcome.",
            next_step="Decide, defer or withdraw them.",
        )


def propose(story: Story, kind: Kind, title: str, command: Command) -> None:
    """Open a gate's decision on exactly what the command says; a new text supersedes the open one."""
    make_room(story, kind)
    revision = 1 + sum(d.kind is kind for d in story.project.decisions.values())
    subject = Subject.of(kind, kind.lower(), to_data(command), revision=revision)
    pending = open_about(story.project, kind)
    if pending and pending.subject.content_hash == subject.content_hash:
        raise wrong_state("AlreadyProposed", f"{pending.id} asks for exactly this already.", next_step="Sign it: vote.")
    if pending:
        supersede(story, pending, "it was proposed anew")
    open_decision(story, kind, title, subject, authors=[story.person], last_editor=story.person)


@when_approved(Kind.COMPLETION)
def complete(story: Story, decision: Decision) -> None:
    """The gate behind execution is passed."""
    pass_gate(story, decision)


@when_approved(Kind.ACCEPTANCE)
def accept(story: Story, decision: Decision) -> None:
    """The gate behind change review is passed, unless a change came up meanwhile."""
    check_changes_are_settled(story.project)
    pass_gate(story, decision)


@when_approved(Kind.CLOSING)
def sign_closing(story: Story, decision: Decision) -> None:
    """The closing is signed: nothing else is decided any more, and the lifecycle closes the project."""
    for other in story.project.decisions_in_play():
        supersede(story, other, f"the closing was signed by {decision.id}")
    pass_gate(story, decision)
