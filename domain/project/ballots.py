"""The one vote command, and what a vote may say.

Source: docs/governance.md, DR1 to DR8, DR12, DR14, DR17, DR18.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.counting import (
    barred,
    current_order,
    eligible,
    may_sign_twice,
    open_slots,
    originals,
    satisfied,
    unstaffed,
)
from domain.project.decision import Ballot, Choice, Decision, State
from domain.project.decision_events import invite
from domain.project.presence import check_presence
from domain.project.proxies import check_hand, check_hand_is_free, hand_of
from domain.project.questions import InfoRequested, next_question
from domain.project.resolution import find_open, settle
from domain.refusals import Refused, broken, not_allowed, not_found, stale, wrong_state
from domain.template import Slot
from domain.values import BUSINESS_ROLES, Hash, Person, Personal, Revision, Role, Slug, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "decision"


class VoteCast(Event):
    """A person signed in a slot, for the exact content with this hash."""

    allowed_by = "DR6"
    en = "{actor} said {value} to {decision} in the slot {slot}"
    zh = "{actor} 在 {decision} 的 {slot} 席位表决:{value}"
    decision: str
    slot: str
    person: str
    value: Choice
    reason: str | None
    revision: int
    content_hash: str
    cast_by: str | None = None
    """Whose hand it was, where the person was represented (DR7)."""

    def apply(self, project: Project, happened: Happened) -> Project:
        ballot = Ballot(self.person, self.cast_by or happened.by, self.slot, self.value, self.reason, happened.at)
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

    allowed_by = "DR17"
    en = "{actor} changed their vote on {decision} to {value}"
    zh = "{actor} 将 {decision} 的表决改为{value}"


class VoterRecused(Event):
    """A person stepped aside over a conflict of interest: no longer counted as eligible (DR5)."""

    allowed_by = "DR5"
    en = "{actor} stepped aside from {decision}: {reason}"
    zh = "{actor} 回避 {decision}:{reason}"
    decision: str
    person: str
    reason: Annotated[str, Personal("person")]

    def apply(self, project: Project, happened: Happened) -> Project:
        decision = project.decisions[self.decision]
        kept = tuple(b for b in decision.ballots if b.person != self.person)
        recused = decision.recused | {self.person}
        return project.with_decision(replace(decision, ballots=kept, recused=recused))


class Vote(Command):
    """Sign a decision, for exactly the content with this hash.

    APPROVE, REJECT, ABSTAIN, RECUSE (step aside over a conflict of interest) or REQUEST_INFO (ask the
    requester; the clock stands still). All but APPROVE need a reason. While the decision is open the
    vote may be changed by voting again. With `on_behalf_of` a delegate signs for somebody who is away.
    """

    roles = BUSINESS_ROLES
    delegable = True
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
    reason: Annotated[Text | None, Personal("actor")] = None
    on_behalf_of: Person | None = None

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        self._check_form(story, decision)
        check_hand(story, decision, self.value)
        slot = choose_slot(story, decision, self.slot)
        check_hand_is_free(story, decision, slot)
        check_presence(story, decision)
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
        if self.value is Choice.APPROVE and decision.state is State.OPEN:
            self._check_is_not_missed(story, decision, slot)
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
                cast_by=hand_of(story),
            )
        )

    def _check_is_not_missed(self, story: Story, decision: Decision, slot: Slot) -> None:
        if empty := _left_empty(story, decision, slot):
            raise broken(
                "DR2",
                "NeededElsewhere",
                f"Signed by you in the slot {slot.name}, {decision.id} would have nobody left for {', '.join(empty)}.",
                next_step="Sign in that slot, or let somebody else be named for it.",
            )


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
    if len(mine) > 1:
        mine.sort(key=lambda s: _worth(story, decision, s))
    if own and not (mine and _twice(story, own[0], mine[0])):
        return _checked(story, decision, own[0])
    if mine:
        return _checked(story, decision, mine[0])
    raise _why_not(story, decision)


def _worth(story: Story, decision: Decision, slot: Slot) -> tuple[bool, bool]:
    """Sorts the slots somebody may fill: one that leaves the others fillable first, and one's own before another's."""
    own = story.person in originals(decision, slot, story.project.team)
    return bool(_left_empty(story, decision, slot)), not own


def _left_empty(story: Story, decision: Decision, slot: Slot) -> tuple[str, ...]:
    """The slots that nobody could fill any more if this person signed here: one person fills one slot (DR2)."""
    signed = Ballot(story.person, story.actor.principal, slot.name, Choice.APPROVE, None, story.at)
    return unstaffed(decision.with_ballot(signed), story.project.team, story.today)


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
