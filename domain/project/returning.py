"""Ways back in a decision: withdraw the request, send it back, revoke an approval.

Source: docs/governance.md, DR16, DR17.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.counting import eligible, open_slots
from domain.project.decision import Choice, Decision, State
from domain.project.decision_events import closed, invite, tell_the_end
from domain.project.presence import check_presence
from domain.project.questions import asked
from domain.project.resolution import find, find_open, follow_ending, settle
from domain.refusals import broken, not_allowed, not_found, wrong_state
from domain.titles import title_in
from domain.values import BUSINESS_ROLES, Slug, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "decision"


class DecisionWithdrawn(Event):
    """The requester took the request back."""

    allowed_by = "DR17"
    en = "{actor} withdrew {decision}: {reason}"
    zh = "{actor} 撤回 {decision}:{reason}"
    decision: str
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return closed(project, self.decision, State.WITHDRAWN, happened.at, self.reason)

    def tells(self, project: Project) -> Iterable[Notice]:
        return tell_the_end(project, project.decisions[self.decision], self.reason)


class DecisionReturned(Event):
    """A slot holder sent it back: to the author for a new revision, or to an earlier stage of slots."""

    allowed_by = "DR16"
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
        for person in asked(project, decision):
            yield Notice(
                person,
                f"{decision.id} was sent back to you: {decision.title}. Reason: {self.reason}",
                f"{decision.id} 被退回给你:{title_in(decision.title, 'zh')}。原因:{self.reason}",
                decision.id,
            )


class DecisionRevoked(Event):
    """Somebody who had approved took it back before it took effect."""

    allowed_by = "DR17"
    en = "{actor} revoked {decision} before it took effect: {reason}"
    zh = "{actor} 在 {decision} 生效前予以撤销:{reason}"
    decision: str
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return closed(project, self.decision, State.REVOKED, happened.at, self.reason)

    def tells(self, project: Project) -> Iterable[Notice]:
        return tell_the_end(project, project.decisions[self.decision], self.reason)


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
            raise not_allowed(
                f"Only whoever may sign {decision.id} now may send it back.",
                code="NotASigner",
                rule="DR16",
                next_step="If you asked for it, withdraw it: withdraw-decision.",
            )
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
            raise broken(
                "DR16",
                "NotEarlier",
                f"The slot {slot.name} is not of an earlier stage of this decision.",
                next_step="Name a slot that was signed earlier, or leave `to_slot` out: the author gets it back.",
            )
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
        if not any(b.person == story.person and b.choice is Choice.APPROVE for b in decision.ballots):
            raise not_allowed(
                f"Only those who approved {decision.id} may revoke it.",
                code="NotAVoter",
                rule="DR17",
                next_step="Ask one of them.",
            )
        check_presence(story, decision)
        story.record(DecisionRevoked(decision=decision.id, reason=self.reason))
        follow_ending(story, decision.id)
