"""The one vote command, and what a vote may say.

Source: docs/governance.md, DR1 to DR8, DR12, DR14, DR17, DR18.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from domain.clock import Clock
from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.counting import barred, current_order, eligible, may_sign_twice, open_slots, satisfied
from domain.project.decision import Ballot, Choice, Decision, Question, State
from domain.project.decision_events import invite
from domain.project.resolution import find_open, settle
from domain.refusals import Refused, broken, not_allowed, not_found, stale, wrong_state
from domain.template import Slot
from domain.values import BUSINESS_ROLES, Hash, Revision, Role, Slug, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story


MOST_QUESTIONS = 100


class VoteCast(Event):
    """A person signed in a slot, for the exact content with this hash."""

    en = "{actor} said {value} to {decision} in the slot {slot}"
    zh = "{actor} 在 {decision} 的 {slot} 席位表决:{value}"
    decision: str
    slot: str
    person: str
    value: Choice
    reason: str | None
    revision: int
    content_hash: str

    def apply(self, project: Project, happened: Happened) -> Project:
        ballot = Ballot(self.person, happened.by, self.slot, self.value, self.reason, happened.at)
        return project.with_decision(project.decisions[self.decision].with_ballot(ballot))

    def tells(self, project: Project) -> Iterable[Notice]:
        """The people of the next stage inside the decision, once this vote has opened it."""
        decision = project.decisions[self.decision]
        slot, order = decision.slot(self.slot), current_order(decision, project.team)
        if decision.is_open and slot and order is not None and order > slot.order:
            return invite(project, decision)
        return ()


class VoteChanged(VoteCast):
    """A person changed their vote while the decision was open; both votes stay in the history (DR17)."""

    en = "{actor} changed their vote on {decision} to {value}"
    zh = "{actor} 将 {decision} 的表决改为 {value}"


class VoterRecused(Event):
    """A person stepped aside over a conflict of interest: no longer counted as eligible (DR5)."""

    en = "{actor} stepped aside from {decision}: {reason}"
    zh = "{actor} 回避 {decision}:{reason}"
    decision: str
    person: str
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        decision = project.decisions[self.decision]
        kept = tuple(b for b in decision.ballots if b.person != self.person)
        recused = decision.recused | {self.person}
        return project.with_decision(replace(decision, ballots=kept, recused=recused))


class InfoRequested(Event):
    """A voter needs an answer first; the clock stands still until it comes."""

    en = "{actor} asked about {decision}: {question}"
    zh = "{actor} 就 {decision} 提问:{question}"
    decision: str
    id: str
    question: str

    def apply(self, project: Project, happened: Happened) -> Project:
        decision = project.decisions[self.decision]
        asked = Question(self.id, happened.by, None, self.question, happened.at, stops_clock=True)
        after = project.with_decision(replace(decision, questions=(*decision.questions, asked)))
        running = after.clocks.get(decision.ref)
        return after.with_clock(decision.ref, running.paused(happened.at)) if running else after

    def tells(self, project: Project) -> Iterable[Notice]:
        decision = project.decisions[self.decision]
        for person in asked(project, decision):
            yield Notice(
                person,
                f"A question on {decision.id} waits for your answer: {self.question}",
                f"{decision.id} 有问题待你答复:{self.question}",
                decision.id,
            )


class InfoProvided(Event):
    """The question is answered; the clock goes on once no question is open."""

    en = "{actor} answered a question on {decision}: {answer}"
    zh = "{actor} 答复了 {decision} 的问题:{answer}"
    decision: str
    id: str
    answer: str
    clock: Clock | None
    """The clock with its new instants, where it goes on."""

    def apply(self, project: Project, happened: Happened) -> Project:
        decision = answered(project.decisions[self.decision], self.id, self.answer)
        after = project.with_decision(decision)
        if self.clock is None:
            return after
        return after.with_decision(decision.due(self.clock.due_at)).with_clock(decision.ref, self.clock)

    def tells(self, project: Project) -> Iterable[Notice]:
        decision = project.decisions[self.decision]
        asked = next(q for q in decision.questions if q.id == self.id)
        yield Notice(
            asked.by,
            f"Your question on {decision.id} is answered: {self.answer}",
            f"你就 {decision.id} 的提问已获答复:{self.answer}",
            decision.id,
        )


def next_question(decision: Decision) -> str:
    """The id of the next question. Raises Refused where there are enough."""
    if len(decision.questions) >= MOST_QUESTIONS:
        raise broken(
            "DR16",
            "AskedEnough",
            f"{decision.id} has {MOST_QUESTIONS} questions, which is the limit.",
            next_step="Decide on what was answered, or send it back.",
        )
    return f"Q-{len(decision.questions) + 1}"


def answered(decision: Decision, question_id: str, answer: str) -> Decision:
    """The decision with one question answered."""
    questions = tuple(replace(q, answer=answer) if q.id == question_id else q for q in decision.questions)
    return replace(decision, questions=questions)


class Vote(Command):
    """Sign a decision, for exactly the content with this hash.

    APPROVE, REJECT, ABSTAIN, RECUSE (step aside over a conflict of interest) or REQUEST_INFO (ask the
    requester; the clock stands still). All but APPROVE need a reason. While the decision is open the
    vote may be changed by voting again.
    """

    roles = BUSINESS_ROLES
    example = {
        "decision": "D-1",
        "value": "APPROVE",
        "revision": 1,
        "content_hash": "0" * 64,
    }
    decision: Slug
    value: Choice
    revision: Revision
    content_hash: Hash
    slot: Slug | None = None
    reason: Text | None = None

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        self._check_form(story, decision)
        slot = choose_slot(story, decision, self.slot)
        if self.value is Choice.RECUSE:
            story.record(VoterRecused(decision=decision.id, person=story.person, reason=self.reason or ""))
        elif self.value is Choice.REQUEST_INFO:
            number = next_question(decision)
            story.record(InfoRequested(decision=decision.id, id=number, question=self.reason or ""))
        else:
            self._cast(story, decision, slot)
        settle(story, decision.id)

    def _check_form(self, story: Story, decision: Decision) -> None:
        if decision.state is State.ON_HOLD:
            raise wrong_state(
                "DecisionOnHold",
                f"{decision.id} is on hold since its time ran out.",
                next_step="Ask the PMO to extend the deadline.",
            )
        if (self.revision, self.content_hash) != (decision.subject.revision, decision.subject.content_hash):
            raise stale(
                "StaleSubject",
                f"You signed other content than {decision.id} is about (revision {decision.subject.revision}).",
                rule="DR8",
                next_step="Read the present content and sign its hash.",
            )
        if self.value is not Choice.APPROVE and self.reason is None:
            raise broken("DR5", "ReasonMissing", f"{self.value} needs a reason.", next_step="Add `reason`.")
        if story.actor.client == "bulk" and decision.policy.no_bulk:
            raise not_allowed(f"{decision.id} must be decided by itself, not in bulk.", code="NoBulk", rule="DR18")

    def _cast(self, story: Story, decision: Decision, slot: Slot) -> None:
        before = decision.ballot(story.person, slot.name)
        if before and before.choice is self.value:
            raise wrong_state(
                "AlreadyVoted",
                f"You said {self.value} to {decision.id} before.",
                rule="DR2",
                next_step="Nothing is to be done, unless you want to say something else.",
            )
        kind = VoteChanged if before else VoteCast
        story.record(
            kind(
                decision=decision.id,
                slot=slot.name,
                person=story.person,
                value=self.value,
                reason=self.reason,
                revision=self.revision,
                content_hash=self.content_hash,
            )
        )


class AnswerInfo(Command):
    """Answer a voter's question; the decision's clock goes on."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1", "question": "Q-1", "answer": "The budget covers it."}
    decision: Slug
    question: Slug
    answer: Text

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        asked = next((q for q in decision.unanswered() if q.id == self.question), None)
        if asked is None:
            raise not_found("Question", self.question)
        if story.person not in answerers(story.project, decision):
            raise not_allowed(
                f"Whoever asked for {decision.id}, wrote its subject, or the PMO answers.",
                code="NotAsked",
                next_step=f"Ask {decision.requester} to answer.",
            )
        story.record(
            InfoProvided(
                decision=decision.id,
                id=asked.id,
                answer=self.answer,
                clock=_going_on(story, decision) if len(decision.unanswered()) == 1 else None,
            )
        )


def answerers(project: Project, decision: Decision) -> tuple[str, ...]:
    """Who may answer a voter's question: requester, authors, and the PMO, since the former may have left."""
    return tuple(dict.fromkeys((*asked(project, decision), *project.team.holders(Role.PMO))))


def asked(project: Project, decision: Decision) -> tuple[str, ...]:
    """Of whom an answer is expected: requester and authors; the PMO where all of them have left."""
    people = [p for p in dict.fromkeys((decision.requester, *decision.authors)) if p in project.team.members()]
    return tuple(people) or project.team.holders(Role.PMO)


def _going_on(story: Story, decision: Decision) -> Clock | None:
    stopped = story.project.clocks.get(decision.ref)
    if stopped is None or stopped.paused_at is None:
        return None
    return stopped.resumed(story.calendar, stopped.paused_at, story.at)


def choose_slot(story: Story, decision: Decision, wanted: str | None) -> Slot:
    """The slot in which this person signs. Raises Refused with the reason why there is none."""
    if wanted is not None:
        slot = decision.slot(wanted)
        if slot is None:
            raise not_found("Slot", wanted)
        return _checked(story, decision, slot)
    own = [s for s in decision.slots if decision.ballot(story.person, s.name)]
    turn = open_slots(decision, story.project.team)
    mine = [s for s in turn if story.person in eligible(decision, s, story.project.team)]
    if own and not (mine and _twice(story, own[0], mine[0])):
        return _checked(story, decision, own[0])
    if mine:
        return _checked(story, decision, mine[0])
    raise _why_not(story, decision)


def _checked(story: Story, decision: Decision, slot: Slot) -> Slot:
    team, person = story.project.team, story.person
    own = decision.ballot(person, slot.name)
    if not own and person not in eligible(decision, slot, team):
        raise _why_not(story, decision, (slot,))
    for other in decision.slots:
        if other.name != slot.name and decision.ballot(person, other.name) and not _twice(story, other, slot):
            raise not_allowed(
                f"You have signed {decision.id} in the slot {other.name}; one person fills one slot.",
                code="OneSlotEach",
                rule="DR2",
                next_step="Another person has to fill the other slot.",
            )
    order = current_order(decision, team)
    if not own and order is not None and slot.order > order:
        raise wrong_state(
            "NotYourTurn",
            f"The slot {slot.name} of {decision.id} opens when the earlier ones are satisfied.",
            next_step="You are told as soon as it is your turn.",
        )
    return slot


def _twice(story: Story, first: Slot, second: Slot) -> bool:
    return may_sign_twice(story.project.team, story.person, first, second, story.today)


def _why_not(story: Story, decision: Decision, slots: Iterable[Slot] | None = None) -> Refused:
    team, person = story.project.team, story.person
    of_role = [s for s in slots or decision.slots if _is_meant(s, person, team.roles(person))]
    for slot in of_role:
        if person in decision.recused:
            return not_allowed(
                f"You stepped aside from {decision.id}.",
                code="Recused",
                rule="DR5",
                next_step="The others decide; nothing is asked of you.",
            )
        if why := barred(decision, slot, person):
            return not_allowed(
                f"You may not sign {decision.id} in the slot {slot.name}: {person} {why}.",
                code="SeparationOfDuties",
                rule="X5" if decision.kind == "CHANGE" else "DR2",
                next_step="Somebody else has to fill this slot.",
            )
        if satisfied(decision, slot, team):
            return wrong_state(
                "SlotFilled",
                f"The slot {slot.name} of {decision.id} is filled.",
                next_step="Nothing is asked of you; the decision waits for its other slots.",
            )
        if person not in eligible(decision, slot, team):
            return _granted_late(decision, slot, person)
    if of_role:
        return wrong_state(
            "NotYourTurn",
            f"{decision.id} waits for an earlier stage.",
            next_step="You are told as soon as it is your turn.",
        )
    return not_allowed(
        f"{decision.id} asks for {', '.join(sorted({s.role for s in decision.slots}))}; you are not among them.",
        code="NotEligible",
        rule="DR6",
        next_step="A signer or the requester may ask for your signature with add-co-signer.",
    )


def _is_meant(slot: Slot, person: str, roles: frozenset[Role]) -> bool:
    """Whether the slot asks for this person, as far as roles and names tell."""
    if slot.persons is not None:
        return person in slot.persons or bool(roles & set(slot.alternates))
    return bool(roles & {slot.role, *slot.substitutes, *slot.alternates})


def _granted_late(decision: Decision, slot: Slot, person: str) -> Refused:
    """DR6: nobody gets a vote in an open decision by the hand of one other person."""
    return not_allowed(
        f"{person} does not count in the slot {slot.name} of {decision.id}: the role was given after it opened "
        f"without a second person, or the slot is meant for others first.",
        code="NotEligible",
        rule="DR6",
        next_step="A signer or the requester may ask for your signature with add-co-signer.",
    )
