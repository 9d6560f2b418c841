"""How a decision opens, is settled after every move, takes effect once, or ends without.

Source: docs/governance.md, DR4, DR5, DR9, DR19, DR20.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from domain.clock import Clock, reminders, start_clock
from domain.messages import Event, Happened
from domain.notice import Notice
from domain.project.decision import (
    Decision,
    Effect,
    State,
    Subject,
    approved,
    can_be_staffed,
    can_still_pass,
    eligible,
    open_slots,
    vetoed,
)
from domain.refusals import not_found, wrong_state
from domain.template import DecisionPolicy, Kind, OnTimeout, Slot
from domain.values import Money, Role

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


def closed(project: Project, decision_id: str, state: State, at: datetime, reason: str | None) -> Project:
    """The project after a decision has ended in `state`: its clock stops for good."""
    decision = project.decisions[decision_id]
    ended = replace(decision, state=state, closed_at=at, reason=reason)
    return project.with_decision(ended).with_clock(decision.ref, None)


def voters_awaited(project: Project, decision: Decision) -> tuple[str, ...]:
    """Who may sign now and has not said anything yet, each once."""
    voted = {b.person for b in decision.ballots}
    people = (p for s in open_slots(decision, project.team) for p in eligible(decision, s, project.team))
    return tuple(dict.fromkeys(p for p in people if p not in voted))


def invite(project: Project, decision: Decision) -> Iterable[Notice]:
    """The notices that ask people for their vote."""
    due = project.clocks[decision.ref].due_at if decision.ref in project.clocks else None
    for person in voters_awaited(project, decision):
        yield Notice(person, f"Please decide: {decision.title}", f"请表决:{decision.title}", decision.id, due)


class DecisionOpened(Event):
    """People are asked to decide; slots and policy are frozen as they stand now (DR19)."""

    en = "{actor} opened {decision} ({kind}): {title}"
    zh = "{actor} 发起决策 {decision}({kind}):{title}"
    decision: str
    kind: Kind
    title: str
    subject: Subject
    requester: str
    authors: tuple[str, ...]
    last_editor: str | None
    beneficiaries: tuple[str, ...] = ()
    policy: DecisionPolicy
    slots: tuple[Slot, ...]
    authority_row: str | None = None
    clock: Clock

    def apply(self, project: Project, happened: Happened) -> Project:
        fields = {name: getattr(self, name) for name in type(self).model_fields if name not in {"decision", "clock"}}
        decision = Decision(id=self.decision, opened_at=happened.at, due_at=self.clock.due_at, **fields)
        return project.with_decision(decision).with_clock(decision.ref, self.clock)

    def tells(self, project: Project) -> Iterable[Notice]:
        return invite(project, project.decisions[self.decision])


class _Ended(Event):
    """Shared by the events that end a decision for its requester to hear."""

    en = ""
    zh = ""
    decision: str
    reason: str | None = None

    def tells(self, project: Project) -> Iterable[Notice]:
        decision = project.decisions[self.decision]
        told = dict.fromkeys([decision.requester, *(b.person for b in decision.ballots)])
        for person in told:
            yield Notice(
                person,
                f"{decision.id} is {decision.state}: {decision.title}",
                f"{decision.id} 结果为 {decision.state}:{decision.title}",
                decision.id,
            )


class DecisionApproved(_Ended):
    """Every slot of every stage is satisfied."""

    en = "{decision} is approved"
    zh = "{decision} 已通过"
    approvals: int
    effect_clock: Clock | None = None

    def apply(self, project: Project, happened: Happened) -> Project:
        after = closed(project, self.decision, State.APPROVED, happened.at, None)
        decision = replace(after.decisions[self.decision], effect=Effect.PENDING)
        return after.with_decision(decision).with_clock(decision.ref, self.effect_clock)


class DecisionRejected(_Ended):
    """A veto, or approvals that can no longer be reached (DR4)."""

    en = "{decision} is rejected: {reason}"
    zh = "{decision} 被否决:{reason}"

    def apply(self, project: Project, happened: Happened) -> Project:
        return closed(project, self.decision, State.REJECTED, happened.at, self.reason)


class DecisionSuperseded(_Ended):
    """What was decided on has changed: every vote is void (DR9)."""

    en = "{decision} is superseded, its votes are void: {reason}"
    zh = "{decision} 已被取代,已投的票作废:{reason}"
    changed: tuple[str, ...] = ()

    def apply(self, project: Project, happened: Happened) -> Project:
        return closed(project, self.decision, State.SUPERSEDED, happened.at, self.reason)


class SubjectAnnotated(Event):
    """A field that the policy calls non-material was edited: votes stand (DR9)."""

    en = "{actor} annotated what {decision} decides: {changed}"
    zh = "{actor} 补充了 {decision} 的非实质内容:{changed}"
    decision: str
    changed: tuple[str, ...]

    def apply(self, project: Project, happened: Happened) -> Project:
        return project


class DecisionBlocked(Event):
    """Not enough eligible people are left: it waits for repair and never passes by itself (DR5)."""

    en = "{decision} is blocked: not enough people may sign {slots}"
    zh = "{decision} 受阻:{slots} 可签署的人不足"
    decision: str
    slots: tuple[str, ...]

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_decision(replace(project.decisions[self.decision], state=State.BLOCKED))

    def tells(self, project: Project) -> Iterable[Notice]:
        people = project.team.holders(Role.PMO) + project.team.holders(Role.SPONSOR)
        for person in dict.fromkeys(people):
            yield Notice(
                person,
                f"{self.decision} is blocked: name people who may sign {', '.join(self.slots)}.",
                f"{self.decision} 受阻:请指定可签署 {', '.join(self.slots)} 的人。",
                self.decision,
            )


class DecisionUnblocked(Event):
    """Enough eligible people exist again."""

    en = "{decision} is open again"
    zh = "{decision} 恢复进行"
    decision: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_decision(replace(project.decisions[self.decision], state=State.OPEN))

    def tells(self, project: Project) -> Iterable[Notice]:
        return invite(project, project.decisions[self.decision])


class DecisionEffectApplied(Event):
    """What was approved is carried out, once (DR20)."""

    en = "{decision} took effect"
    zh = "{decision} 已生效"
    decision: str

    def apply(self, project: Project, happened: Happened) -> Project:
        done = replace(project.decisions[self.decision], state=State.EFFECTIVE, effect=Effect.APPLIED, effect_note=None)
        return project.with_decision(done).with_clock(done.ref, None)


class DecisionEffectFailed(Event):
    """What was approved could not be carried out; it is tried again and blocks what depends on it."""

    en = "{decision} could not take effect: {reason}"
    zh = "{decision} 未能生效:{reason}"
    decision: str
    reason: str
    rule: str | None
    clock: Clock

    def apply(self, project: Project, happened: Happened) -> Project:
        failed = replace(project.decisions[self.decision], effect=Effect.FAILED, effect_note=self.reason)
        return project.with_decision(failed).with_clock(failed.ref, self.clock)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.holders(Role.PMO):
            yield Notice(
                person,
                f"{self.decision} was approved but could not take effect: {self.reason}",
                f"{self.decision} 已通过但未能生效:{self.reason}",
                self.decision,
            )


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
    """Look what the decision amounts to now, and record it."""
    decision, team = story.project.decisions[decision_id], story.project.team
    if not decision.is_open:
        return
    if approved(decision, team):
        _approve(story, decision)
    elif vetoed(decision):
        _reject(story, decision, "a veto was cast")
    elif not can_be_staffed(decision, team, story.at):
        _block(story, decision)
    elif not can_still_pass(decision, team, story.at):
        _reject(story, decision, "the approvals needed can no longer be reached")
    elif decision.state is State.BLOCKED:
        story.record(DecisionUnblocked(decision=decision_id))


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


def _block(story: Story, decision: Decision) -> None:
    if decision.state is not State.BLOCKED:
        waiting = tuple(s.name for s in open_slots(decision, story.project.team))
        story.record(DecisionBlocked(decision=decision.id, slots=waiting))


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
    """End an open decision whose subject has changed; votes are void."""
    story.record(DecisionSuperseded(decision=decision.id, reason=why, changed=tuple(changed)))
    follow_ending(story, decision.id)


def open_about(project: Project, kind: Kind, subject_id: str | None = None) -> Decision | None:
    """The open decision of this kind (about this subject), if there is one."""
    fits = (
        d for d in project.open_decisions() if d.kind is kind and (subject_id is None or d.subject.id == subject_id)
    )
    return next(fits, None)
