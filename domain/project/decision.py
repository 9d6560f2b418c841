"""The decision: state and pure counting. Slots, ballots, quorum, separation of duties, possibility.

    OPEN → APPROVED → EFFECTIVE        BLOCKED ↔ OPEN        ON_HOLD → OPEN
      ↘ REJECTED · RETURNED · WITHDRAWN · EXPIRED · LAPSED · SUPERSEDED     APPROVED → REVOKED

Source: docs/governance.md, DR1 to DR20.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.canonical import fingerprint
from domain.project.team import Team
from domain.template import DecisionPolicy, Duty, Kind, Slot
from domain.values import Role, Value


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
    due_at: datetime
    state: State = State.OPEN
    ballots: tuple[Ballot, ...] = ()
    recused: frozenset[str] = frozenset()
    questions: tuple[Question, ...] = ()
    nudges: int = 0
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


def ceiling_share(count: int, percent: int) -> int:
    """ceil(count × percent / 100) in integers (DR3): 7 people at 35 % are 3."""
    return -(-count * percent // 100)


def barred(decision: Decision, slot: Slot, person: str) -> str | None:
    """Why separation of duties keeps this person from this slot, or None."""
    checks: tuple[tuple[Duty, Iterable[str], str], ...] = (
        (Duty.NOT_AUTHOR, decision.authors, "wrote what is decided here"),
        (Duty.NOT_LAST_EDITOR, [decision.last_editor or ""], "was the last to edit what is decided here"),
        (Duty.NOT_BENEFICIARY, decision.beneficiaries, "gains by this decision"),
    )
    for duty, people, why in checks:
        if duty in slot.separation and person in people:
            return why
    for other in slot.not_same_as:
        if (ballot := decision.ballot(person, other)) and ballot.choice is not Choice.RECUSE:
            return f"has signed in the slot {other}"
    return None


def _allowed(decision: Decision, slot: Slot, people: Iterable[str]) -> tuple[str, ...]:
    free = (p for p in people if p not in decision.recused and barred(decision, slot, p) is None)
    return tuple(dict.fromkeys(free))


def originals(decision: Decision, slot: Slot, team: Team) -> tuple[str, ...]:
    """The people this slot is meant for: named ones, or the role's holders, or their substitutes."""
    if slot.persons is not None:
        return _allowed(decision, slot, slot.persons)
    people = _allowed(decision, slot, team.holders(slot.role))
    if people or not team.holders(slot.role):
        return people
    return _allowed(decision, slot, (p for role in slot.substitutes for p in team.holders(role)))


def eligible(decision: Decision, slot: Slot, team: Team) -> tuple[str, ...]:
    """Everybody who may sign in this slot now (DR6), alternates of an escalation included."""
    extra = (p for role in slot.alternates for p in team.holders(role))
    return _allowed(decision, slot, (*originals(decision, slot, team), *extra))


def needed(decision: Decision, slot: Slot, team: Team) -> int:
    """Approvals that this slot needs: by count or by share of those it is meant for (DR3, DR5)."""
    share = ceiling_share(len(originals(decision, slot, team)), slot.percent)
    return max(slot.min_approvals, share)


def votes(decision: Decision, slot: Slot, *choices: Choice) -> tuple[Ballot, ...]:
    return tuple(b for b in decision.ballots if b.slot == slot.name and b.choice in choices)


def satisfied(decision: Decision, slot: Slot, team: Team) -> bool:
    """Enough approvals, enough turnout, and no rejection where the slot has a veto (DR4)."""
    approvals = len(votes(decision, slot, Choice.APPROVE))
    turnout = approvals + len(votes(decision, slot, Choice.REJECT, Choice.ABSTAIN))
    wanted = ceiling_share(len(originals(decision, slot, team)), slot.turnout_percent)
    vetoed = slot.veto and votes(decision, slot, Choice.REJECT)
    return approvals >= needed(decision, slot, team) and turnout >= wanted and not vetoed


def current_order(decision: Decision, team: Team) -> int | None:
    """The stage inside the decision whose turn it is; None when every slot is satisfied."""
    waiting = [s.order for s in decision.slots if not satisfied(decision, s, team)]
    return min(waiting, default=None)


def open_slots(decision: Decision, team: Team) -> tuple[Slot, ...]:
    """The unsatisfied slots whose turn it is."""
    order = current_order(decision, team)
    return tuple(s for s in decision.slots if s.order == order and not satisfied(decision, s, team))


def approved(decision: Decision, team: Team) -> bool:
    return current_order(decision, team) is None


def vetoed(decision: Decision) -> bool:
    return any(s.veto and votes(decision, s, Choice.REJECT) for s in decision.slots)


def can_be_staffed(decision: Decision, team: Team, at: datetime) -> bool:
    """Whether enough distinct eligible people exist, whatever they voted (else BLOCKED, DR5)."""
    signed = {(b.person, b.slot): True for b in decision.ballots if b.choice is Choice.APPROVE}
    return _fillable(decision, team, at, signed)


def can_still_pass(decision: Decision, team: Team, at: datetime) -> bool:
    """Whether approvals so far and votes still possible can satisfy every slot (else rejected, DR4)."""
    spent = {(b.person, b.slot): b.choice is Choice.APPROVE for b in decision.ballots}
    return _fillable(decision, team, at, spent)


def _fillable(decision: Decision, team: Team, at: datetime, spent: Mapping[tuple[str, str], bool]) -> bool:
    """Seat distinct people (DR2) in every slot: a matching of seats and people."""
    seats = [s for s in decision.slots for _ in range(needed(decision, s, team))]
    choices = [_seatable(decision, s, team, at, spent) for s in seats]
    taken: dict[str, int] = {}

    def seat(index: int, tried: set[str]) -> bool:
        for person in choices[index]:
            if person in tried:
                continue
            tried.add(person)
            if person not in taken or seat(taken[person], tried):
                taken[person] = index
                return True
        return False

    return all(seat(i, set()) for i in range(len(seats)))


def _seatable(
    decision: Decision, slot: Slot, team: Team, at: datetime, spent: Mapping[tuple[str, str], bool]
) -> tuple[str, ...]:
    """Who could fill a seat of this slot; under a solo exception each side of a person counts apart."""
    signed = {person for (person, name), yes in spent.items() if name == slot.name and yes}
    free = {p for p in eligible(decision, slot, team) if not _spent_elsewhere(p, slot, spent, team.solo(at))}
    two_sided = team.solo(at) and slot.role in {Role.PMO, Role.PRODUCT_MANAGER}
    return tuple(f"{p}|{slot.role}" if two_sided else p for p in sorted(signed | free))


def _spent_elsewhere(person: str, slot: Slot, spent: Mapping[tuple[str, str], bool], solo: bool) -> bool:
    """Whether the person has used up the vote: in this slot, or in another one (DR2)."""
    return any(p == person and (name == slot.name or not solo) for p, name in spent)
