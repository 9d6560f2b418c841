"""Counting a decision: who may sign, how many must, what is satisfied, what is still possible. Pure.

Source: docs/governance.md, DR2 to DR6, R3, X5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import product

from domain.project.decision import Ballot, Choice, Decision
from domain.project.team import Team
from domain.template import Duty, Slot
from domain.values import BUSINESS_ROLES, Role

SIDES = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
MOST_TORN = 6
"""A solo exception is for one person; for more than these the ways are not tried out one by one."""
Spent = Mapping[tuple[str, str], bool]
"""(person, slot) → whether the vote given there still fills a seat of that slot."""


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
    if not (slot.separation or slot.not_same_as or decision.recused):
        return tuple(dict.fromkeys(people))
    free = (p for p in people if p not in decision.recused and barred(decision, slot, p) is None)
    return tuple(dict.fromkeys(free))


def lent(decision: Decision, person: str) -> bool:
    """Whether this person has signed here for another: then not once more for themselves (DR7)."""
    return any(b.principal == person != b.person for b in decision.ballots)


def originals(decision: Decision, slot: Slot, team: Team) -> tuple[str, ...]:
    """The people this slot is meant for: named ones, or the role's holders, or their substitutes."""
    if slot.persons is not None:
        return _allowed(decision, slot, (p for p in slot.persons if team.roles(p) & BUSINESS_ROLES))
    holders = team.electors(slot.role, decision.opening)
    people = _allowed(decision, slot, holders)
    if people or not holders:
        return people
    return _allowed(decision, slot, (p for r in slot.substitutes for p in team.electors(r, decision.opening)))


def eligible(decision: Decision, slot: Slot, team: Team) -> tuple[str, ...]:
    """Everybody who may sign in this slot now (DR6), alternates of an escalation included."""
    extra = (p for role in slot.alternates for p in team.electors(role, decision.opening))
    return _allowed(decision, slot, (*originals(decision, slot, team), *extra))


def _electorate(decision: Decision, slot: Slot, team: Team) -> int:
    """Of how many a share is taken: ending somebody's role makes no quorum smaller (R5)."""
    gone = () if slot.persons is not None else team.left(slot.role, decision.opening)
    return len(dict.fromkeys((*originals(decision, slot, team), *_allowed(decision, slot, gone))))


def needed(decision: Decision, slot: Slot, team: Team) -> int:
    """Approvals that this slot needs: by count or by share of those it is meant for (DR3, DR5)."""
    return max(slot.min_approvals, _share(decision, slot, team, slot.percent))


def _share(decision: Decision, slot: Slot, team: Team, percent: int) -> int:
    return ceiling_share(_electorate(decision, slot, team), percent) if percent else 0


def votes(decision: Decision, slot: Slot, *choices: Choice) -> tuple[Ballot, ...]:
    return tuple(b for b in decision.ballots if b.slot == slot.name and b.choice in choices)


def satisfied(decision: Decision, slot: Slot, team: Team) -> bool:
    """Enough approvals, enough turnout, and no rejection where the slot has a veto (DR4)."""
    approvals = len(votes(decision, slot, Choice.APPROVE))
    turnout = approvals + len(votes(decision, slot, Choice.REJECT, Choice.ABSTAIN))
    wanted = _share(decision, slot, team, slot.turnout_percent)
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


def may_sign_twice(team: Team, person: str, first: Slot, second: Slot, today: date) -> bool:
    """R3: under a live solo exception whoever holds both sides may sign for both."""
    return team.solo(today) and {first.role, second.role} == SIDES and team.roles(person) >= SIDES


def awaited(decision: Decision, slot: Slot, team: Team, today: date) -> tuple[str, ...]:
    """Who may sign in this slot and has neither done so nor spent the vote elsewhere."""

    def free(person: str) -> bool:
        own = [decision.slot(b.slot) for b in decision.ballots if b.person == person]
        fresh = all(s and s.name != slot.name and may_sign_twice(team, person, s, slot, today) for s in own)
        return fresh and not lent(decision, person)

    return tuple(p for p in eligible(decision, slot, team) if free(p))


def unstaffed(decision: Decision, team: Team, today: date) -> tuple[str, ...]:
    """The slots for which not enough distinct eligible people exist, whatever they voted (else BLOCKED, DR5)."""
    return _unfilled(decision, team, today, {(b.person, b.slot): True for b in decision.ballots if _yes(b)})


def can_still_pass(decision: Decision, team: Team, today: date) -> bool:
    """Whether approvals so far and votes still possible can satisfy every slot (else rejected, DR4)."""
    return not _unfilled(decision, team, today, {(b.person, b.slot): _yes(b) for b in decision.ballots})


def _yes(ballot: Ballot) -> bool:
    return ballot.choice is Choice.APPROVE


def _unfilled(decision: Decision, team: Team, today: date, spent: Spent) -> tuple[str, ...]:
    """Seat distinct people (DR2) in every slot; gives the slots with a seat that stays empty."""
    seats = [s for s in decision.slots for _ in range(needed(decision, s, team))]
    free = [_free(decision, s, team, today, spent) for s in seats]
    signed = [[p for (p, name), yes in spent.items() if name == s.name and yes] for s in seats]
    best: tuple[str, ...] | None = None
    for two_sided in _doubles(seats, free, team, today):
        choices = [
            [*(f"{p}@{s.name}" for p in sign), *_names(s, people, two_sided)]
            for s, people, sign in zip(seats, free, signed, strict=True)
        ]
        empty = tuple(dict.fromkeys(seats[i].name for i in _empty_seats(choices)))
        if best is None or len(empty) < len(best):
            best = empty
    return best or ()


def _free(decision: Decision, slot: Slot, team: Team, today: date, spent: Spent) -> tuple[str, ...]:
    """Who could still fill a seat of this slot: has used up the vote neither here nor in another slot."""
    used = [(person, decision.slot(name)) for person, name in spent]

    def free(person: str) -> bool:
        own = [s for p, s in used if p == person and s]
        fresh = all(s.name != slot.name and may_sign_twice(team, person, s, slot, today) for s in own)
        return fresh and not lent(decision, person)

    return tuple(p for p in eligible(decision, slot, team) if free(p))


def _doubles(seats: list[Slot], free: list[tuple[str, ...]], team: Team, today: date) -> Iterable[frozenset[str]]:
    """Each way in which holders of both sides use a solo exception: sign for both sides, or once anywhere."""
    if not team.solo(today):
        return [frozenset()]
    both = sorted({p for people in free for p in people if team.roles(p) >= SIDES})
    elsewhere = {p for s, people in zip(seats, free, strict=True) for p in people if s.role not in SIDES}
    always = frozenset(p for p in both if p not in elsewhere)
    torn = [p for p in both if p in elsewhere][:MOST_TORN]
    ways = product((True, False), repeat=len(torn))
    return [always | {p for p, double in zip(torn, way, strict=True) if double} for way in ways]


def _names(slot: Slot, people: Iterable[str], two_sided: frozenset[str]) -> list[str]:
    """People as the matching knows them: who signs for both sides counts once a side, and nowhere else."""
    sides = slot.role in SIDES
    return [f"{p}|{slot.role}" if p in two_sided else p for p in people if sides or p not in two_sided]


def _empty_seats(choices: list[list[str]]) -> list[int]:
    """The seats left over by a largest matching of seats and people."""
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

    return [index for index in range(len(choices)) if not seat(index, set())]
