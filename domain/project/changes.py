"""Change requests: what one is and where it stands.

    SUBMITTED → ASSESSING → READY → DECIDING → APPLIED
        ↘ DUPLICATE · WITHDRAWN · DEFERRED · REJECTED · DROPPED      READY/ASSESSING/DECIDING → STALE → ASSESSING

Source: docs/governance.md, X10.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from domain.project.impacts import PlanImpact, ProductImpact
from domain.refusals import not_found, wrong_state
from domain.values import Stage

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CHANGING = frozenset({Stage.EXECUTION, Stage.CHANGE_REVIEW})


class ChangeState(StrEnum):
    """Where a change request is."""

    SUBMITTED = "SUBMITTED"
    ASSESSING = "ASSESSING"
    READY = "READY"
    DECIDING = "DECIDING"
    STALE = "STALE"
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"
    DEFERRED = "DEFERRED"
    WITHDRAWN = "WITHDRAWN"
    DUPLICATE = "DUPLICATE"
    DROPPED = "DROPPED"
    """The project was cancelled first."""


UNDECIDED = frozenset(
    {ChangeState.SUBMITTED, ChangeState.ASSESSING, ChangeState.READY, ChangeState.DECIDING, ChangeState.STALE}
)


@dataclass(frozen=True, slots=True)
class Assessed:
    """An impact with its day and hand."""

    impact: ProductImpact | PlanImpact
    base_plan_version: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """One change request and its whole course (X10: whatever becomes of it, it stays in the log)."""

    id: str
    title: str
    reason: str
    description: str
    options: tuple[str, ...]
    author: str
    content_hash: str
    submitted_at: datetime
    state: ChangeState = ChangeState.SUBMITTED
    product: Assessed | None = None
    plan: Assessed | None = None
    decision: str | None = None
    authority_row: str | None = None
    outcome: str | None = None
    closed_at: datetime | None = None

    @property
    def undecided(self) -> bool:
        return self.state in UNDECIDED

    def ended(self, state: ChangeState, outcome: str, at: datetime) -> ChangeRequest:
        return replace(self, state=state, outcome=outcome, closed_at=at)


def find_change(story: Story, change_id: str) -> ChangeRequest:
    """Raises Refused where there is no such change."""
    change = story.project.changes.get(change_id)
    if change is None:
        raise not_found("Change", change_id)
    return change


def find_undecided(story: Story, change_id: str) -> ChangeRequest:
    """Raises Refused where there is no such change, or where it has its outcome."""
    change = find_change(story, change_id)
    if not change.undecided:
        raise wrong_state(
            "ChangeClosed",
            f"{change_id} is {change.state} ({change.outcome}).",
            rule="X10",
            next_step="Submit another change for what is still wanted.",
        )
    return change


def undecided_changes(project: Project) -> tuple[str, ...]:
    """The changes that still wait for an outcome."""
    return tuple(c.id for c in project.changes.values() if c.undecided)
