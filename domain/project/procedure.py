"""Moves in a decision other than votes: withdraw, send back, revoke, co-sign, transfer, consult, nudge, extend.

Source: docs/governance.md, DR10, DR15 to DR17, DR20.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from domain.clock import Clock, start_clock
from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.ballots import answered
from domain.project.decision import (
    Decision,
    Effect,
    Question,
    State,
    barred,
    eligible,
    open_slots,
    originals,
)
from domain.project.resolution import (
    carry_out,
    clock_shares,
    closed,
    find,
    find_open,
    follow_ending,
    invite,
    settle,
    voters_awaited,
)
from domain.refusals import broken, not_allowed, not_found, wrong_state
from domain.template import Origin, Slot
from domain.values import BUSINESS_ROLES, DECIDING_ROLES, Line, Person, Role, Slug, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story


class DecisionWithdrawn(Event):
    """The requester took the request back."""

    en = "{actor} withdrew {decision}: {reason}"
    zh = "{actor} 撤回 {decision}:{reason}"
    decision: str
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return closed(project, self.decision, State.WITHDRAWN, happened.at, self.reason)


class DecisionReturned(Event):
    """A slot holder sent it back: to the author for a new revision, or to an earlier stage of slots."""

    en = "{actor} sent {decision} back to {target}: {reason}"
    zh = "{actor} 将 {decision} 退回 {target}:{reason}"
    decision: str
    target: str
    to_order: int | None
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        if self.to_order is None:
            return closed(project, self.decision, State.RETURNED, happened.at, self.reason)
        decision = project.decisions[self.decision]
        void = {s.name for s in decision.slots if s.order >= self.to_order}
        kept = tuple(b for b in decision.ballots if b.slot not in void)
        return project.with_decision(replace(decision, ballots=kept))

    def tells(self, project: Project) -> Iterable[Notice]:
        decision = project.decisions[self.decision]
        if self.to_order is not None:
            yield from invite(project, decision)
            return
        for person in dict.fromkeys([decision.requester, *decision.authors]):
            yield Notice(
                person,
                f"{decision.id} was sent back: {self.reason}",
                f"{decision.id} 被退回:{self.reason}",
                decision.id,
            )


class DecisionRevoked(Event):
    """Somebody who had approved took it back before it took effect."""

    en = "{actor} revoked {decision} before it took effect: {reason}"
    zh = "{actor} 在 {decision} 生效前予以撤销:{reason}"
    decision: str
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        after = closed(project, self.decision, State.REVOKED, happened.at, self.reason)
        return after.with_decision(replace(after.decisions[self.decision], effect=Effect.NONE))


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


class ConsultAsked(Event):
    """A signer asks somebody's opinion; the signer stays accountable."""

    en = "{actor} asked {person} for an opinion on {decision}: {question}"
    zh = "{actor} 就 {decision} 征询 {person} 的意见:{question}"
    decision: str
    id: str
    person: str
    question: str

    def apply(self, project: Project, happened: Happened) -> Project:
        decision = project.decisions[self.decision]
        asked = Question(self.id, happened.by, self.person, self.question, happened.at)
        return project.with_decision(replace(decision, questions=(*decision.questions, asked)))

    def tells(self, project: Project) -> Iterable[Notice]:
        yield Notice(
            self.person,
            f"Your opinion is asked on {self.decision}: {self.question}",
            f"请就 {self.decision} 提出意见:{self.question}",
            self.decision,
        )


class ConsultAnswered(Event):
    """The opinion was given."""

    en = "{actor} gave an opinion on {decision}: {answer}"
    zh = "{actor} 就 {decision} 给出意见:{answer}"
    decision: str
    id: str
    answer: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_decision(answered(project.decisions[self.decision], self.id, self.answer))

    def tells(self, project: Project) -> Iterable[Notice]:
        asked = next(q for q in project.decisions[self.decision].questions if q.id == self.id)
        yield Notice(
            asked.by,
            f"An opinion on {self.decision}: {self.answer}",
            f"{self.decision} 收到意见:{self.answer}",
            self.decision,
        )


class ApproversNudged(Event):
    """The requester asked those who have not voted to do so."""

    en = "{actor} nudged {people} about {decision}"
    zh = "{actor} 就 {decision} 催办 {people}"
    decision: str
    people: tuple[str, ...]

    def apply(self, project: Project, happened: Happened) -> Project:
        decision = project.decisions[self.decision]
        return project.with_decision(replace(decision, nudges=decision.nudges + 1))

    def tells(self, project: Project) -> Iterable[Notice]:
        return invite(project, project.decisions[self.decision])


class DeadlineExtended(Event):
    """The PMO gave a decision more working days; its reminders are set anew."""

    en = "{actor} extended {decision} by {days} working days: {reason}"
    zh = "{actor} 将 {decision} 延长 {days} 个工作日:{reason}"
    decision: str
    days: int
    reason: str
    clock: Clock

    def apply(self, project: Project, happened: Happened) -> Project:
        decision = project.decisions[self.decision]
        state = State.OPEN if decision.state is State.ON_HOLD else decision.state
        extended = replace(decision, state=state, due_at=self.clock.due_at, extensions=decision.extensions + 1)
        return project.with_decision(extended).with_clock(decision.ref, self.clock)


def _may_sign(story: Story, decision: Decision) -> tuple[Slot, ...]:
    team = story.project.team
    return tuple(s for s in decision.slots if story.person in eligible(decision, s, team))


def _signer_or_requester(story: Story, decision: Decision) -> None:
    if story.person != decision.requester and not _may_sign(story, decision):
        raise not_allowed(
            f"Only whoever asked for {decision.id} or may sign it can do this.", code="NotAParty", rule="DR15"
        )


class WithdrawDecision(Command):
    """Take back a request for a decision, while it is open (DR17)."""

    roles = BUSINESS_ROLES
    while_held = True
    example = {"decision": "D-1", "reason": "The budget figure was wrong"}
    decision: Slug
    reason: Text

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        if story.person != decision.requester:
            raise not_allowed(
                f"Only {decision.requester}, who asked for {decision.id}, may withdraw it.",
                code="NotTheRequester",
                rule="DR17",
                next_step="If you may sign it, reject it or send it back.",
            )
        story.record(DecisionWithdrawn(decision=decision.id, reason=self.reason))
        follow_ending(story, decision.id)


class SendBack(Command):
    """Send a decision back, with a reason: to its author, or to an earlier stage of slots (DR16)."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1", "reason": "The scope is not clear"}
    decision: Slug
    reason: Text
    to_slot: Slug | None = None
    """A slot of the earlier stage to go back to; without it the author gets it back."""

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        turn = open_slots(decision, story.project.team)
        if not any(story.person in eligible(decision, s, story.project.team) for s in turn):
            raise not_allowed("Whoever may sign now may send it back.", code="NotASigner", rule="DR16")
        target = self._target(decision, turn[0].order)
        story.record(
            DecisionReturned(
                decision=decision.id,
                target=self.to_slot or "the author",
                to_order=target,
                reason=self.reason,
            )
        )
        if target is None:
            follow_ending(story, decision.id)
        else:
            settle(story, decision.id)

    def _target(self, decision: Decision, order: int) -> int | None:
        if self.to_slot is None:
            return None
        slot = decision.slot(self.to_slot)
        if slot is None:
            raise not_found("Slot", self.to_slot)
        if slot.order >= order:
            raise broken("DR16", "NotEarlier", f"The slot {slot.name} is not of an earlier stage.")
        return slot.order


class RevokeDecision(Command):
    """Take back an approval that has not taken effect yet (DR17)."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1", "reason": "New facts came to light"}
    decision: Slug
    reason: Text

    def decide(self, story: Story) -> None:
        decision = find(story, self.decision)
        if decision.state is not State.APPROVED:
            raise wrong_state(
                "NotRevocable",
                f"{decision.id} is {decision.state}; only an approval without effect can be revoked.",
                rule="DR17",
                next_step="What took effect is changed by a new decision.",
            )
        if not any(b.person == story.person for b in decision.ballots):
            raise not_allowed("Only those who voted may revoke.", code="NotAVoter", rule="DR17")
        story.record(DecisionRevoked(decision=decision.id, reason=self.reason))
        follow_ending(story, decision.id)


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
        _signer_or_requester(story, decision)
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


class Consult(Command):
    """Ask a person of the project for an opinion; you stay accountable for your vote (DR16)."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1", "person": "chen.yu", "question": "Can we test this in time?"}
    decision: Slug
    person: Person
    question: Text

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        _signer_or_requester(story, decision)
        if self.person not in story.project.team.members():
            raise not_found("Member", self.person)
        number = f"Q-{len(decision.questions) + 1}"
        story.record(ConsultAsked(decision=decision.id, id=number, person=self.person, question=self.question))


class AnswerConsult(Command):
    """Give the opinion that was asked of you."""

    roles = BUSINESS_ROLES | {Role.AUDITOR}
    example = {"decision": "D-1", "question": "Q-1", "answer": "Yes, with one more tester."}
    decision: Slug
    question: Slug
    answer: Text

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        asked = next((q for q in decision.questions if q.id == self.question and q.answer is None), None)
        if asked is None or asked.to is None:
            raise not_found("Question", self.question)
        if asked.to != story.person:
            raise not_allowed(f"{asked.to} was asked, not you.", rule="DR16")
        story.record(ConsultAnswered(decision=decision.id, id=asked.id, answer=self.answer))


class NudgeApprovers(Command):
    """Remind those who have not voted yet, within the policy's limit."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1"}
    decision: Slug

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        _signer_or_requester(story, decision)
        if decision.nudges >= decision.policy.max_nudges:
            raise broken(
                "DR16",
                "NudgedEnough",
                f"{decision.id} was nudged {decision.nudges} times, which is the limit.",
                next_step="Reminders and escalation go on by themselves.",
            )
        story.record(ApproversNudged(decision=decision.id, people=voters_awaited(story.project, decision)))


class ExtendDeadline(Command):
    """Give a decision more working days, or take up one that is on hold since its time ran out."""

    roles = frozenset({Role.PMO})
    example = {"decision": "D-1", "days": 3, "reason": "Waiting for the supplier's offer"}
    decision: Slug
    days: Annotated[int, Field(ge=1, le=365)]
    reason: Text

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        if not 1 <= self.days <= decision.policy.limit_days:
            raise broken("DR10", "ExtensionTooLong", f"Extend by 1 to {decision.policy.limit_days} working days.")
        if decision.extensions >= decision.policy.max_extensions:
            raise broken("DR10", "ExtendedEnough", f"{decision.id} was extended {decision.extensions} times already.")
        if decision.unanswered():
            raise wrong_state("ClockStopped", "A question is open: the clock stands still anyway.", rule="DR10")
        fresh = start_clock(story.calendar, story.at, self.days, clock_shares(decision.policy))
        story.record(DeadlineExtended(decision=decision.id, days=self.days, reason=self.reason, clock=fresh))


class RetryEffect(Command):
    """Try again now to carry out an approval whose effect failed (DR20)."""

    roles = DECIDING_ROLES
    example = {"decision": "D-1"}
    decision: Slug

    def decide(self, story: Story) -> None:
        decision = find(story, self.decision)
        if decision.effect is not Effect.FAILED or decision.state is not State.APPROVED:
            raise wrong_state("NothingToRetry", f"No effect of {decision.id} has failed.", rule="DR20")
        carry_out(story, decision.id)
