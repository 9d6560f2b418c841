"""Who signs a decision may change: co-signers come and go, a seat is handed over.

Source: docs/governance.md, DR15, DR16.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.consulting import check_is_party
from domain.project.decision import Decision, barred, open_slots, originals
from domain.project.decision_events import voters_awaited
from domain.project.resolution import find_open, settle
from domain.refusals import broken, not_allowed, not_found, wrong_state
from domain.template import Origin, Slot
from domain.values import BUSINESS_ROLES, Line, Person, Role, Slug

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story


class SlotsChanged(Event):
    """Co-signers came or went, or a seat was handed over: the slots as they stand now."""

    en = "{actor} changed who signs {decision}: {change} {person}. {reason}"
    zh = "{actor} 调整了 {decision} 的签署人:{change} {person}。{reason}"
    decision: str
    change: Literal["co-signer added", "co-signer removed", "slot transferred"]
    person: str
    reason: str
    slots: tuple[Slot, ...]

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_decision(replace(project.decisions[self.decision], slots=self.slots))

    def tells(self, project: Project) -> Iterable[Notice]:
        decision = project.decisions[self.decision]
        if self.change != "co-signer removed" and self.person in voters_awaited(project, decision):
            yield Notice(
                self.person,
                f"You are asked to sign: {decision.title}",
                f"请你签署:{decision.title}",
                decision.id,
            )


class AddCoSigner(Command):
    """Ask one more person to sign: before the present slots, beside them, or after (DR15). It only adds."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1", "person": "zhao.min", "place": "PARALLEL", "reason": "Legal check"}
    decision: Slug
    person: Person
    place: Literal["BEFORE", "PARALLEL", "AFTER"]
    reason: Line

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        check_is_party(story, decision)
        self._check_person(story, decision)
        turn = open_slots(decision, story.project.team)
        now = turn[0].order if turn else max(s.order for s in decision.slots)
        shift = self.place == "BEFORE"
        order = {"BEFORE": now, "PARALLEL": now, "AFTER": max(s.order for s in decision.slots) + 1}[self.place]
        kept = [self._moved(s, now) if shift else s for s in decision.slots]
        added = Slot(
            name=f"co-signer-{sum(s.origin is Origin.ADHOC for s in kept) + 1}",
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
            raise broken("R4", "AuditorNotApart", f"{self.person} is auditor and signs nothing here.")
        if len(decision.slots) >= 30:
            raise broken("DR15", "TooManySlots", "A decision has at most 30 slots.")
        if any(s.persons and self.person in s.persons for s in decision.slots):
            raise wrong_state("AlreadyCoSigner", f"{self.person} is asked to sign already.", rule="DR15")

    @staticmethod
    def _moved(slot: Slot, now: int) -> Slot:
        return slot.model_copy(update={"order": slot.order + 1}) if slot.order >= now else slot


class RemoveCoSigner(Command):
    """Remove a co-signer who has not voted yet: by whoever added them, or the PMO (DR15)."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1", "slot": "co-signer-1", "reason": "Not needed after all"}
    decision: Slug
    slot: Slug
    reason: Line

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        slot = decision.slot(self.slot)
        if slot is None or slot.origin is not Origin.ADHOC:
            raise not_found("Co-signer", self.slot)
        if story.person != slot.added_by and Role.PMO not in story.project.team.roles(story.person):
            raise not_allowed("Whoever added the co-signer, or the PMO, may remove them.", rule="DR15")
        if any(b.slot == slot.name for b in decision.ballots):
            raise wrong_state("AlreadyVoted", "The co-signer has voted already.", rule="DR15")
        kept = tuple(s for s in decision.slots if s.name != slot.name)
        person = ", ".join(slot.persons or ())
        _change_slots(story, decision, "co-signer removed", person, self.reason, kept)


class TransferSlot(Command):
    """Hand your seat in a decision to somebody else, who is then accountable (DR16)."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1", "slot": "pmo", "to": "zhao.min", "reason": "On leave this week"}
    decision: Slug
    slot: Slug
    to: Person
    reason: Line

    def decide(self, story: Story) -> None:
        decision, team = find_open(story, self.decision), story.project.team
        slot = decision.slot(self.slot)
        if slot is None:
            raise not_found("Slot", self.slot)
        seats = originals(decision, slot, team)
        if story.person not in seats:
            raise not_allowed(f"You hold no seat in the slot {slot.name}.", code="NotYourSeat", rule="DR16")
        if decision.ballot(story.person, slot.name):
            raise wrong_state("AlreadyVoted", "You have signed in this slot.", rule="DR16")
        self._check_successor(story, decision, slot)
        seated = tuple(dict.fromkeys(self.to if p == story.person else p for p in seats))
        moved = slot.model_copy(update={"persons": seated})
        slots = decision.with_slot(moved).slots
        _change_slots(story, decision, "slot transferred", self.to, self.reason, slots)

    def _check_successor(self, story: Story, decision: Decision, slot: Slot) -> None:
        team = story.project.team
        if not team.roles(self.to) & BUSINESS_ROLES:
            raise not_allowed(f"{self.to} may not sign in this project.", code="NotEligible", rule="DR16")
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
    story.record(SlotsChanged(decision=decision.id, change=change, person=person, reason=reason, slots=slots))
    settle(story, decision.id)
