"""The decision: where it is and everything that was said in it.

    OPEN → APPROVED → EFFECTIVE        BLOCKED ↔ OPEN        ON_HOLD → OPEN
      ↘ REJECTED · RETURNED · WITHDRAWN · EXPIRED · LAPSED · SUPERSEDED     APPROVED → REVOKED

Source: docs/governance.md, DR1 to DR20.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.canonical import fingerprint
from domain.project.team import Team
from domain.template import DecisionPolicy, Kind, Slot
from domain.values import Value


class State(StrEnum):
    """Where a decision is. Only APPROVED and EFFECTIVE mean yes."""

    OPEN = "OPEN"
    BLOCKED = "BLOCKED"
    ON_HOLD = "ON_HOLD"
    APPROVED = "APPROVED"
    EFFECTIVE = "EFFECTIVE"
    REJECTED = "REJECTED"
    RETURNED = "RETURNED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"
    LAPSED = "LAPSED"
    SUPERSEDED = "SUPERSEDED"
    REVOKED = "REVOKED"


PENDING = frozenset({State.OPEN, State.BLOCKED, State.ON_HOLD})


class Choice(StrEnum):
    """What a person may say to a decision."""

    APPROVE = "APPROVE"
    REJECT = "REJECT"
    ABSTAIN = "ABSTAIN"
    RECUSE = "RECUSE"
    REQUEST_INFO = "REQUEST_INFO"


class Effect(StrEnum):
    """Whether what was approved has been carried out. Exactly once (DR20)."""

    NONE = "NONE"
    PENDING = "PENDING"
    APPLIED = "APPLIED"
    FAILED = "FAILED"


class Subject(Value):
    """What is decided on, to the byte: `content_hash` is what a signature is bound to."""

    type: str
    id: str
    revision: int
    content_hash: str
    base_plan_version: int | None = None
    content: dict[str, Any] | None = None
    """What is signed, where no event of its own holds it; its fingerprint is `content_hash`."""

    @classmethod
    def of(
        cls, kind: str, name: str, content: dict[str, Any], *, revision: int = 1, base: int | None = None
    ) -> Subject:
        """A subject that carries its content; values are canonical JSON."""
        return cls(
            type=kind.lower(),
            id=name,
            revision=revision,
            content_hash=fingerprint(content).hex(),
            base_plan_version=base,
            content=content,
        )


@dataclass(frozen=True, slots=True)
class Ballot:
    """One person's present vote in one slot."""

    person: str
    principal: str
    slot: str
    choice: Choice
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """An opinion or a fact asked for while a decision is open."""

    id: str
    by: str
    to: str | None
    text: str
    at: datetime
    answer: str | None = None
    stops_clock: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision with everything that was said in it."""

    id: str
    kind: Kind
    title: str
    subject: Subject
    requester: str
    authors: tuple[str, ...]
    last_editor: str | None
    beneficiaries: tuple[str, ...]
    policy: DecisionPolicy
    slots: tuple[Slot, ...]
    authority_row: str | None
    opened_at: datetime
    opening: Team
    """The people as they were when it opened."""
    due_at: datetime
    state: State = State.OPEN
    ballots: tuple[Ballot, ...] = ()
    recused: frozenset[str] = frozenset()
    questions: tuple[Question, ...] = ()
    nudges: int = 0
    nudged: tuple[tuple[str, datetime], ...] = ()
    """Who was nudged, and when."""
    extensions: int = 0
    effect: Effect = Effect.NONE
    effect_note: str | None = None
    reason: str | None = None
    closed_at: datetime | None = None

    @property
    def ref(self) -> str:
        """The name of its clock."""
        return f"decision/{self.id}"

    @property
    def is_open(self) -> bool:
        return self.state in PENDING

    @property
    def waits_for_effect(self) -> bool:
        """Approved, and what was approved is still to be carried out."""
        return self.state is State.APPROVED

    @property
    def in_play(self) -> bool:
        """Something can still come of it: it is open, or its effect is still to come."""
        return self.is_open or self.waits_for_effect

    def slot(self, name: str) -> Slot | None:
        return next((s for s in self.slots if s.name == name), None)

    def ballot(self, person: str, slot: str) -> Ballot | None:
        return next((b for b in self.ballots if b.person == person and b.slot == slot), None)

    def with_ballot(self, ballot: Ballot) -> Decision:
        others = tuple(b for b in self.ballots if (b.person, b.slot) != (ballot.person, ballot.slot))
        return replace(self, ballots=(*others, ballot))

    def with_slot(self, slot: Slot) -> Decision:
        return replace(self, slots=tuple(slot if s.name == slot.name else s for s in self.slots))

    def due(self, at: datetime) -> Decision:
        """The decision with another limit."""
        return replace(self, due_at=at)

    def unanswered(self) -> tuple[Question, ...]:
        """Questions that stop the clock until somebody answers."""
        return tuple(q for q in self.questions if q.stops_clock and q.answer is None)
