"""Who signs a decision may change: co-signers come and go, a seat is handed over.

Source: docs/governance.md, DR15, DR16, D7.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Annotated, Literal

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.consulting import check_is_party
from domain.project.counting import barred, open_slots, originals, unstaffed
from domain.project.decision import Decision
from domain.project.decision_events import voters_awaited
from domain.project.leaving import caretakers
from domain.project.resolution import find_open, settle
from domain.refusals import broken, not_allowed, not_found, wrong_state
from domain.template import Origin, Slot
from domain.titles import title_in
from domain.values import BUSINESS_ROLES, Line, Person, Personal, Role, Slug

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "decision"
MOST_SLOTS = 30


class SlotsChanged(Event):
    """Co-signers came or went, or a seat was handed over: the slots as they stand now."""

    allowed_by = "DR15"
    en = "{actor} changed who signs {decision}: {change} {person}. {reason}"
    zh = "{actor} 调整了 {decision} 的签署人:{change} {person}。{reason}"
    decision: str
    change: Literal["co-signer added", "co-signer removed", "slot transferred"]
    person: str
    reason: Annotated[str, Personal("actor", "person")]
    slots: tuple[Slot, ...]

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_decision(replace(project.decisions[self.decision], slots=self.slots))

    def tells(self, project: Project) -> Iterable[Notice]:
        decision = project.decisions[self.decision]
        if self.change != "co-signer removed" and self.person in voters_awaited(project, decision):
            yield Notice(
                self.person,
                f"You are asked to sign: {decision.title}",
                f"请你签署:{title_in(decision.title, 'zh')}",
                decision.id,
            )


class AddCoSigner(Command):
    """Ask one more person to sign: before the present slots, beside them, or after (DR15). It only adds."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1", "person": "zhao.min", "place": "PARALLEL", "reason": "Legal check"}
    decision: Slug
    person: Person
    place: Literal["BEFORE", "PARALLEL", "AFTER"]
    reason: Annotated[Line, Personal("actor", "person")]

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        check_is_party(story, decision)
        self._check_person(story, decision)
        turn = open_slots(decision, story.project.team)
        slots = _dense(decision.slots)
        now = next(s.order for s in slots if s.name == turn[0].name)
        order = {"BEFORE": now, "PARALLEL": now, "AFTER": max(s.order for s in slots) + 1}[self.place]
        kept = [self._moved(s, now) if self.place == "BEFORE" else s for s in slots]
        added = Slot(
            name=_free_name(decision),
            role=Role.MEMBER,
            order=order,
            origin=Origin.ADHOC,
            persons=(self.person,),
            added_by=story.person,
        )
        _change_slots(story, decision, "co-signer added", self.person, self.reason, (*kept, added))

    def _check_person(self, story: Story, decision: Decision) -> None:
        if self.person not in story.project.team.members():
            raise not_found("Member", self.person)
        if Role.AUDITOR in story.project.team.roles(self.person):
            raise broken(
                "R4",
                "AuditorNotApart",
                f"{self.person} is auditor and signs nothing here.",
                next_step="Ask for an opinion instead: consult.",
            )
        if len(decision.slots) >= MOST_SLOTS:
            raise broken(
                "DR15",
                "TooManySlots",
                f"A decision has at most {MOST_SLOTS} slots.",
                next_step="Ask for an opinion instead: consult.",
            )
        if any(s.persons and self.person in s.persons for s in decision.slots):
            raise wrong_state(
                "AlreadyCoSigner",
                f"{self.person} is asked to sign {decision.id} already.",
                rule="DR15",
                next_step=f"Remind {self.person}: nudge-approvers.",
            )

    @staticmethod
    def _moved(slot: Slot, now: int) -> Slot:
        return slot.model_copy(update={"order": slot.order + 1}) if slot.order >= now else slot


class RemoveCoSigner(Command):
    """Remove a co-signer who has not voted yet: by whoever added them, or the PMO (DR15)."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1", "slot": "co-signer-1", "reason": "Not needed after all"}
    decision: Slug
    slot: Slug
    reason: Annotated[Line, Personal("actor")]

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        slot = decision.slot(self.slot)
        if slot is None or slot.origin is not Origin.ADHOC:
            raise not_found("CoSigner", self.slot)
        if story.person != slot.added_by and Role.PMO not in story.project.team.roles(story.person):
            raise not_allowed(
                f"Only {slot.added_by}, who added the co-signer, or the PMO may remove them.",
                code="NotTheAdder",
                rule="DR15",
                next_step=f"Ask {slot.added_by} or the PMO.",
            )
        if any(b.slot == slot.name for b in decision.ballots):
            raise wrong_state(
                "AlreadyVoted",
                f"The co-signer {slot.name} has voted already.",
                rule="DR15",
                next_step="The vote stands; the co-signer may change it.",
            )
        kept = tuple(s for s in decision.slots if s.name != slot.name)
        person = ", ".join(slot.persons or ())
        _change_slots(story, decision, "co-signer removed", person, self.reason, kept)


class TransferSlot(Command):
    """Hand your seat in a decision to somebody else, who is then accountable (DR16).

    The PMO hands on the seat that was given by name to somebody who has left the organisation (D7).
    """

    roles = BUSINESS_ROLES
    example = {"decision": "D-1", "slot": "pmo", "to": "zhao.min", "reason": "On leave this week"}
    decision: Slug
    slot: Slug
    to: Person
    reason: Annotated[Line, Personal("actor", "to")]

    def decide(self, story: Story) -> None:
        decision, team = find_open(story, self.decision), story.project.team
        slot = decision.slot(self.slot)
        if slot is None:
            raise not_found("Slot", self.slot)
        seats = originals(decision, slot, team)
        vacant = bool(team.away & set(slot.persons or ())) and story.person in caretakers(story.project)
        if story.person not in seats and not vacant:
            raise not_allowed(
                f"You hold no seat in the slot {slot.name} of {decision.id}.",
                code="NotYourSeat",
                rule="DR16",
                next_step=f"Ask one of those who do: {', '.join(seats) or 'nobody at present'}.",
            )
        if decision.ballot(story.person, slot.name):
            raise wrong_state(
                "AlreadyVoted",
                f"You have signed {decision.id} in the slot {slot.name}.",
                rule="DR16",
                next_step="Change your vote instead, while the decision is open.",
            )
        self._check_successor(story, decision, slot)
        handed = story.person if story.person in seats else None
        seated = [self.to if p == handed else p for p in seats] + ([] if handed else [self.to])
        moved = slot.model_copy(update={"persons": tuple(dict.fromkeys(seated))})
        slots = decision.with_slot(moved).slots
        _change_slots(story, decision, "slot transferred", self.to, self.reason, slots)

    def _check_successor(self, story: Story, decision: Decision, slot: Slot) -> None:
        team = story.project.team
        if not team.roles(self.to) & BUSINESS_ROLES:
            raise not_allowed(
                f"{self.to} has no role in this project that may sign.",
                code="NotEligible",
                rule="DR16",
                next_step="Give them a role first: assign-role.",
            )
        if self.to in originals(decision, slot, team):
            raise wrong_state(
                "AlreadySeated",
                f"{self.to} holds a seat in the slot {slot.name} already.",
                rule="DR16",
                next_step="Choose somebody else, or let them sign.",
            )
        if why := barred(decision, slot, self.to):
            raise not_allowed(
                f"{self.to} {why}.", code="SeparationOfDuties", rule="DR16", next_step="Choose somebody else."
            )


def _change_slots(
    story: Story,
    decision: Decision,
    change: Literal["co-signer added", "co-signer removed", "slot transferred"],
    person: str,
    reason: str,
    slots: tuple[Slot, ...],
) -> None:
    changed = SlotsChanged(decision=decision.id, change=change, person=person, reason=reason, slots=_dense(slots))
    before = unstaffed(decision, story.project.team, story.today)
    story.record(changed)
    after = unstaffed(story.project.decisions[decision.id], story.project.team, story.today)
    if after and not before:
        raise broken(
            "DR2",
            "NeededElsewhere",
            f"With {person} there, nobody could fill {', '.join(after)} of {decision.id}: one person fills one slot.",
            next_step="Choose somebody who is not needed in another slot.",
        )
    settle(story, decision.id)


def _dense(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """The same slots in the same order, counted 0, 1, 2 …, so that coming and going leaves no gaps."""
    rank = {order: i for i, order in enumerate(sorted({s.order for s in slots}))}
    return tuple(s.model_copy(update={"order": rank[s.order]}) for s in slots)


def _free_name(decision: Decision) -> str:
    taken = {s.name for s in decision.slots}
    return next(name for n in count(1) if (name := f"co-signer-{n}") not in taken)
