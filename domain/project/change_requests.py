"""Asking for a change: submit, triage, defer, withdraw.

Source: docs/governance.md, X9, X10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from domain.canonical import fingerprint
from domain.messages import Command, to_data
from domain.project.change_events import ChangeDeferred, ChangeSubmitted, ChangeTriaged, ChangeWithdrawn
from domain.project.changes import CHANGING, ChangeState, find_change, find_undecided
from domain.project.resolution import in_play_about, supersede
from domain.refusals import broken, not_allowed, wrong_state
from domain.template import Kind
from domain.values import BUSINESS_ROLES, Day, Line, Role, Slug, Text

if TYPE_CHECKING:
    from domain.story import Story


MOST_CHANGES = 500
FREE_TO_ASK_AGAIN = frozenset({ChangeState.WITHDRAWN, ChangeState.DUPLICATE, ChangeState.DROPPED})
"""Nobody decided on the content of these (X9)."""


class SubmitChange(Command):
    """Ask for a change of what was agreed or planned, with at least two options, do nothing among them."""

    roles = BUSINESS_ROLES
    stages = CHANGING
    example = {
        "title": "Add card payment",
        "reason": "update",
        "description": "Members ask for it",
        "options": ["Do nothing", "Add it in August"],
    }
    title: Line
    reason: Literal["corrective", "preventive", "defect", "update"]
    description: Text
    options: Annotated[tuple[Line, ...], Field(min_length=2, max_length=10)]
    new_evidence: Text | None = None

    def decide(self, story: Story) -> None:
        if story.project.plan.baseline is None:
            raise wrong_state(
                "NoBaseline", "There is no plan baseline to change yet.", next_step="Propose the plan first."
            )
        if len(story.project.changes) >= MOST_CHANGES:
            raise broken("X10", "TooManyChanges", f"A project keeps at most {MOST_CHANGES} changes.")
        content = {k: v for k, v in to_data(self).items() if k != "new_evidence"}
        signed = fingerprint(content).hex()
        self._check_not_again(story, signed)
        fields = {n: getattr(self, n) for n in type(self).model_fields}
        story.record(ChangeSubmitted(change=f"C-{len(story.project.changes) + 1}", content_hash=signed, **fields))

    def _check_not_again(self, story: Story, signed: str) -> None:
        days = story.project.rules.changes.resubmit_after_days
        for old in story.project.changes.values():
            if old.content_hash != signed:
                continue
            if old.undecided:
                raise wrong_state(
                    "AlreadySubmitted",
                    f"{old.id} says exactly this already and is {old.state}.",
                    rule="X9",
                    next_step=f"Follow {old.id}.",
                )
            if old.state in FREE_TO_ASK_AGAIN:
                continue
            again = story.calendar.add_days(old.closed_at or story.at, days)
            if story.at < again and self.new_evidence is None:
                raise broken(
                    "X9",
                    "DecidedBefore",
                    f"{old.id} asked for exactly this and is {old.state}.",
                    next_step=f"Give `new_evidence`, or wait until {again:%Y-%m-%d}.",
                )


class TriageChange(Command):
    """Say what class of change it is: NORMAL goes on to assessment, DUPLICATE ends here."""

    roles = frozenset({Role.PMO})
    stages = CHANGING
    example = {"change": "C-1", "change_class": "NORMAL"}
    change: Slug
    change_class: Literal["NORMAL", "DUPLICATE"]
    duplicate_of: Slug | None = None

    @model_validator(mode="after")
    def _names_the_other(self) -> TriageChange:
        if (self.change_class == "DUPLICATE") != (self.duplicate_of is not None):
            raise ValueError("a DUPLICATE names the other change in duplicate_of, and only it does")
        return self

    def decide(self, story: Story) -> None:
        change = find_undecided(story, self.change)
        if change.state is not ChangeState.SUBMITTED:
            raise wrong_state(
                "AlreadyTriaged",
                f"{change.id} is {change.state} already.",
                next_step="Withdraw, defer or decide it.",
            )
        if self.duplicate_of is not None:
            other = find_change(story, self.duplicate_of)
            if other.id == change.id:
                raise broken(
                    "X10", "DuplicateOfItself", "A change is not a duplicate of itself.", next_step="Name the other."
                )
        fields = {n: getattr(self, n) for n in type(self).model_fields}
        story.record(ChangeTriaged(**fields))


class DeferChange(Command):
    """Carry a change over beyond this project, with a reason and a day to look at it again."""

    roles = frozenset({Role.PMO})
    stages = CHANGING
    example = {"change": "C-1", "until": "2027-01-15", "reason": "After the launch"}
    change: Slug
    until: Day
    reason: Text

    def decide(self, story: Story) -> None:
        change = find_undecided(story, self.change)
        if change.state is ChangeState.DECIDING:
            raise wrong_state(
                "BeingDecided",
                f"{change.id} is being decided: {change.decision}.",
                next_step="Let it be decided, withdrawn or revoked first.",
            )
        if self.until <= story.today:
            raise broken(
                "X9",
                "DayOutOfRange",
                "The day to look at it again must be after today.",
                next_step="Choose a later day.",
            )
        story.record(ChangeDeferred(change=change.id, until=self.until, reason=self.reason))


class WithdrawChange(Command):
    """Take back a change that you submitted, while it is undecided."""

    roles = BUSINESS_ROLES
    stages = CHANGING
    example = {"change": "C-1", "reason": "Solved otherwise"}
    change: Slug
    reason: Text

    def decide(self, story: Story) -> None:
        change = find_undecided(story, self.change)
        if story.person != change.author:
            raise not_allowed(
                f"Only {change.author}, who submitted {change.id}, may withdraw it.",
                code="NotTheAuthor",
                rule="X10",
            )
        pending = in_play_about(story.project, Kind.CHANGE, change.id)
        story.record(ChangeWithdrawn(change=change.id, reason=self.reason))
        for decision in pending:
            supersede(story, decision, f"{change.id} was withdrawn")
