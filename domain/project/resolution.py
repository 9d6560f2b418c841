"""How a decision opens, is settled after every move, takes effect once, or ends without.

Source: docs/governance.md, DR4, DR5, DR9, DR19, DR20.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

from domain.clock import reminders, start_clock
from domain.project.counting import approved, can_still_pass, unstaffed, vetoed
from domain.project.decision import Decision, Effect, State, Subject
from domain.project.decision_events import (
    DecisionApproved,
    DecisionBlocked,
    DecisionEffectApplied,
    DecisionEffectFailed,
    DecisionOpened,
    DecisionRejected,
    DecisionSuperseded,
    DecisionUnblocked,
)
from domain.refusals import not_found, stale, wrong_state
from domain.template import DecisionPolicy, Kind, OnTimeout, Slot
from domain.values import Money

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

Consequence = Callable[["Story", Decision], None]
EFFECTS: dict[Kind, Consequence] = {}
ENDINGS: dict[Kind, Consequence] = {}


def when_approved(kind: Kind) -> Callable[[Consequence], Consequence]:
    """What an approval of this kind brings about. May raise Refused: the effect then has failed."""

    def register(consequence: Consequence) -> Consequence:
        EFFECTS[kind] = consequence
        return consequence

    return register


def when_ended(kind: Kind) -> Callable[[Consequence], Consequence]:
    """What follows where a decision of this kind ends without approval."""

    def register(consequence: Consequence) -> Consequence:
        ENDINGS[kind] = consequence
        return consequence

    return register


def find(story: Story, decision_id: str) -> Decision:
    """Raises Refused where there is no such decision."""
    decision = story.project.decisions.get(decision_id)
    if decision is None:
        raise not_found("Decision", decision_id)
    return decision


def find_open(story: Story, decision_id: str) -> Decision:
    """Raises Refused (DR12) where the decision is over."""
    decision = find(story, decision_id)
    if not decision.is_open:
        raise wrong_state(
            "DecisionClosed",
            f"{decision_id} is {decision.state}; it takes no more votes or moves.",
            rule="DR12",
            next_step="Look at its result; a new decision has to be proposed to change it.",
        )
    return decision


def clock_shares(policy: DecisionPolicy) -> dict[str, Fraction]:
    """The marks of a decision's clock as shares of its limit. None of them approves (DR10)."""
    shares = reminders(policy.remind_percent)
    if policy.acknowledgement:
        return shares | {"lapse": Fraction(1)}
    if policy.on_timeout is OnTimeout.EXPIRE:
        return shares | {"expire": Fraction(1)}
    if policy.on_timeout is OnTimeout.HOLD:
        return shares | {"hold": Fraction(1)}
    step = Fraction(policy.escalation_step_percent, 100)
    levels = len(policy.escalation)
    shares |= {f"escalate-{i}": 1 + i * step for i in range(1, levels + 1)}
    return shares | {"expire": 1 + (levels + 1) * step}


def _at_stake(slots: Iterable[Slot], stake: Money | None) -> tuple[Slot, ...]:
    """Slots with their thresholds looked up; amounts of another currency count as above (safe side)."""

    def applies(slot: Slot) -> bool:
        limit = slot.only_above
        if limit is None:
            return True
        if stake is None:
            return False
        return stake.currency != limit.currency or stake.amount > limit.amount

    return tuple(slot for slot in slots if applies(slot))


def open_decision(
    story: Story,
    kind: Kind,
    title: str,
    subject: Subject,
    *,
    authors: Iterable[str],
    last_editor: str | None = None,
    slots: Iterable[Slot] | None = None,
    authority_row: str | None = None,
    stake: Money | None = None,
) -> None:
    """Ask the people of this kind's slots to decide on `subject`."""
    policy = story.project.rules.decisions[kind]
    decision_id = f"D-{len(story.project.decisions) + 1}"
    story.record(
        DecisionOpened(
            decision=decision_id,
            kind=kind,
            title=title,
            subject=subject,
            requester=story.person,
            authors=tuple(dict.fromkeys(authors)),
            last_editor=last_editor,
            policy=policy,
            slots=_at_stake(policy.slots if slots is None else slots, stake),
            authority_row=authority_row,
            clock=start_clock(story.calendar, story.at, policy.limit_days, clock_shares(policy)),
        )
    )
    settle(story, decision_id)


def settle(story: Story, decision_id: str) -> None:
    """Look what the decision amounts to now, and record it. On hold nothing moves."""
    decision, team = story.project.decisions[decision_id], story.project.team
    if not decision.is_open or decision.state is State.ON_HOLD:
        return
    if approved(decision, team):
        _approve(story, decision)
    elif vetoed(decision):
        _reject(story, decision, "a veto was cast")
    elif can_still_pass(decision, team, story.today):
        if decision.state is State.BLOCKED:
            story.record(DecisionUnblocked(decision=decision_id))
    elif slots := unstaffed(decision, team, story.today):
        _block(story, decision, slots)
    else:
        _reject(story, decision, "the approvals needed can no longer be reached")


def settle_all(story: Story) -> None:
    """Settle every open decision, after the team has changed."""
    for decision in story.project.open_decisions():
        settle(story, decision.id)


def _approve(story: Story, decision: Decision) -> None:
    delay = decision.policy.effect_delay_days
    wait = start_clock(story.calendar, story.at, delay, {"effect": Fraction(1)}) if delay else None
    yes = sum(b.choice == "APPROVE" for b in decision.ballots)
    story.record(DecisionApproved(decision=decision.id, approvals=yes, effect_clock=wait))
    if not delay:
        carry_out(story, decision.id)


def _reject(story: Story, decision: Decision, why: str) -> None:
    story.record(DecisionRejected(decision=decision.id, reason=why))
    follow_ending(story, decision.id)


def _block(story: Story, decision: Decision, slots: tuple[str, ...]) -> None:
    if decision.state is not State.BLOCKED:
        story.record(DecisionBlocked(decision=decision.id, slots=slots))


def carry_out(story: Story, decision_id: str) -> None:
    """Apply the effect whole, or record that it failed and when it is tried again (DR20)."""
    decision = story.project.decisions[decision_id]

    def effect() -> None:
        story.record(DecisionEffectApplied(decision=decision_id))
        EFFECTS[decision.kind](story, decision)

    if refusal := story.attempt(effect):
        retry = start_clock(story.calendar, story.at, 1, {"effect": Fraction(1)})
        story.record(DecisionEffectFailed(decision=decision_id, reason=refusal.detail, rule=refusal.rule, clock=retry))


def follow_ending(story: Story, decision_id: str) -> None:
    """What follows from an end without approval."""
    decision = story.project.decisions[decision_id]
    if decision.kind in ENDINGS:
        ENDINGS[decision.kind](story, decision)


def supersede(story: Story, decision: Decision, why: str, changed: Iterable[str] = ()) -> None:
    """End a decision in play whose subject has changed or is gone; votes are void, no effect will come of it."""
    story.record(DecisionSuperseded(decision=decision.id, reason=why, changed=tuple(changed)))
    follow_ending(story, decision.id)


def open_about(project: Project, kind: Kind, subject_id: str | None = None) -> Decision | None:
    """The open decision of this kind (about this subject), if there is one."""
    return next((d for d in in_play_about(project, kind, subject_id) if d.is_open), None)


def in_play_about(project: Project, kind: Kind, subject_id: str | None = None) -> tuple[Decision, ...]:
    """The decisions of this kind (about this subject) of which something can still come."""
    return tuple(
        d for d in project.decisions_in_play() if d.kind is kind and (subject_id is None or d.subject.id == subject_id)
    )


def make_room(story: Story, kind: Kind, subject_id: str | None = None) -> None:
    """Before something is asked anew: what was approved and waits for its day stands in the way (DR20);
    an approval that could not take effect makes room for the new one."""
    for decision in in_play_about(story.project, kind, subject_id):
        if decision.effect is Effect.PENDING:
            raise wrong_state(
                "EffectPending",
                f"{decision.id} is approved and takes effect soon: {decision.title}",
                rule="DR20",
                next_step="Wait for it, or let somebody who approved it revoke it: revoke-decision.",
            )
        if decision.effect is Effect.FAILED:
            supersede(story, decision, "it could not take effect and was asked for anew")


def check_signed(decision: Decision, content_hash: str | None) -> None:
    """DR8 once more before the effect: what is carried out is what was signed."""
    if decision.subject.content_hash != content_hash:
        raise stale(
            "StaleSubject",
            f"{decision.id} approved other content than what stands there now.",
            rule="DR8",
            next_step="Ask for a decision on the present content.",
        )
