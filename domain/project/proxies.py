"""What a vote for somebody else must keep to: one human, one signature, and separation of duties for both.

Source: docs/governance.md, DR7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.project.counting import barred, lent
from domain.project.decision import Choice, Decision
from domain.project.delegation import hands
from domain.refusals import Refused, not_allowed, wrong_state
from domain.template import Slot
from domain.values import BUSINESS_ROLES

if TYPE_CHECKING:
    from domain.story import Story


def hand_of(story: Story) -> str | None:
    """Who signs, where it is not the person whose vote it is."""
    actor = story.actor
    return actor.principal if actor.on_behalf_of and actor.on_behalf_of != actor.principal else None


def check_hand(story: Story, decision: Decision, value: Choice) -> None:
    """Whether this hand may give this person's vote. Raises Refused."""
    hand = hand_of(story)
    refusal = _not_oneself(decision, story.person) if hand is None else _not_for(story, decision, value, hand)
    if refusal:
        raise refusal


def check_hand_is_free(story: Story, decision: Decision, slot: Slot) -> None:
    """Whether separation of duties lets this hand sign in the slot. Raises Refused."""
    hand = hand_of(story)
    why = barred(decision, slot, hand) if hand else None
    if why:
        raise not_allowed(
            f"{hand} {why}: who may not sign in the slot {slot.name} may not do so for another.",
            code="SeparationOfDuties",
            rule="DR7",
            next_step="Somebody else has to fill this slot.",
        )


def _not_oneself(decision: Decision, person: str) -> Refused | None:
    """Why a person may not vote in their own name: they have signed for another, or another for them."""
    if lent(decision, person):
        return _once(decision, person)
    other = next((b for b in decision.ballots if b.person == person != b.principal), None)
    if other is None:
        return None
    return wrong_state(
        "SignedByDelegate",
        f"{other.principal} has signed {decision.id} for you; that vote stands.",
        rule="DR7",
        next_step=f"Ask {other.principal} to change it while the decision is open.",
    )


def _not_for(story: Story, decision: Decision, value: Choice, hand: str) -> Refused | None:
    person, project = story.person, story.project
    if hand not in hands(project, person, decision.kind, story.at):
        return not_allowed(
            f"{person} has not delegated decisions of the kind {decision.kind} to {hand}.",
            code="NoDelegation",
            rule="DR7",
            next_step=f"Ask {person} for a delegation that covers it.",
        )
    if not project.team.roles(hand) & BUSINESS_ROLES:
        return not_allowed(f"{hand} has no role in this project that may sign.", code="NotEligible", rule="DR7")
    if value is Choice.RECUSE:
        return not_allowed(
            f"Only {person} can step aside from {decision.id}.",
            code="OnlyOneself",
            rule="DR7",
            next_step="Abstain for them, with the reason.",
        )
    if any(b.person == person == b.principal for b in decision.ballots):
        return wrong_state(
            "VotedInPerson",
            f"{person} has voted on {decision.id} in person: the delegate's right is closed.",
            rule="DR7",
            next_step="Nothing is to be done.",
        )
    return _spent(decision, person, hand)


def _spent(decision: Decision, person: str, hand: str) -> Refused | None:
    """Why this hand has nothing left to give in the decision."""
    if hand in decision.recused:
        return not_allowed(
            f"{hand} stepped aside from {decision.id}.", code="Recused", rule="DR7", next_step="Let somebody else sign."
        )
    if any(hand in (b.person, b.principal) and b.person != person for b in decision.ballots):
        return _once(decision, hand)
    return None


def _once(decision: Decision, hand: str) -> Refused:
    return not_allowed(
        f"{hand} has signed {decision.id} already, for themselves or for another: one human signs once.",
        code="OneSlotEach",
        rule="DR7",
        next_step="Another person has to sign.",
    )
