"""What time does to a decision: reminds, escalates, holds, expires, carries out. It never approves.

Source: docs/governance.md, DR10, DR11, DR20.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from domain.clock import Clock, start_clock
from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.counting import satisfied
from domain.project.decision import Decision, Effect, State
from domain.project.decision_events import closed, invite, tell_the_end
from domain.project.passing import when_due
from domain.project.resolution import carry_out, clock_shares, find, find_open, follow_ending, settle
from domain.refusals import broken, wrong_state
from domain.titles import title_in
from domain.values import DECIDING_ROLES, Role, Slug, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "decision"


class DecisionReminderDue(Event):
    """A share of the time to decide has passed; those who have not voted are reminded."""

    allowed_by = "DR10"
    en = "{percent} % of the time for {decision} has passed"
    zh = "{decision} 的期限已过 {percent} %"
    decision: str
    percent: int

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.without_mark(f"decision/{self.decision}", f"remind-{self.percent}")

    def tells(self, project: Project) -> Iterable[Notice]:
        return invite(project, project.decisions[self.decision])


class DecisionEscalated(Event):
    """Time ran out: the holders of one more role may sign as well; nobody is removed."""

    allowed_by = "DR10"
    en = "{decision} is escalated to {role} (level {level})"
    zh = "{decision} 升级至{role}(第 {level} 级)"
    decision: str
    level: int
    role: Role

    def apply(self, project: Project, happened: Happened) -> Project:
        decision = project.decisions[self.decision]

        def opened(slot_name: str) -> tuple[Role, ...]:
            slot = decision.slot(slot_name)
            assert slot is not None
            if satisfied(decision, slot, project.team) or self.role in {slot.role, *slot.alternates}:
                return slot.alternates
            return (*slot.alternates, self.role)

        slots = tuple(s.model_copy(update={"alternates": opened(s.name)}) for s in decision.slots)
        after = project.with_decision(replace(decision, slots=slots))
        return after.without_mark(decision.ref, f"escalate-{self.level}")

    def tells(self, project: Project) -> Iterable[Notice]:
        decision = project.decisions[self.decision]
        for person in project.team.holders(self.role):
            yield Notice(
                person,
                f"Overdue and escalated to you: {decision.title}",
                f"已逾期并升级给你:{title_in(decision.title, 'zh')}",
                decision.id,
                decision.due_at,
            )


class DecisionHeld(Event):
    """Time ran out and the policy says hold: nothing moves until the PMO extends the deadline."""

    allowed_by = "DR10"
    en = "{decision} is on hold: its time ran out"
    zh = "{decision} 超期,已暂停"
    decision: str

    def apply(self, project: Project, happened: Happened) -> Project:
        held = replace(project.decisions[self.decision], state=State.ON_HOLD)
        return project.with_decision(held).with_clock(held.ref, None)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.holders(Role.PMO):
            yield Notice(
                person,
                f"{self.decision} is on hold: extend its deadline or let it be withdrawn.",
                f"{self.decision} 已暂停:请延长期限或撤回。",
                self.decision,
            )


class DecisionExpired(Event):
    """Time ran out. Silence never approves."""

    allowed_by = "DR10"
    en = "{decision} expired: nobody may take silence for approval"
    zh = "{decision} 已过期:沉默不代表同意"
    decision: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return closed(project, self.decision, State.EXPIRED, happened.at, "time ran out")

    def tells(self, project: Project) -> Iterable[Notice]:
        decision = project.decisions[self.decision]
        return tell_the_end(project, decision, decision.reason)


class DecisionLapsed(Event):
    """An acknowledgement was not given in time: recorded as not acknowledged."""

    allowed_by = "DR10"
    en = "{decision} lapsed: not acknowledged"
    zh = "{decision} 逾期未确认"
    decision: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return closed(project, self.decision, State.LAPSED, happened.at, "not acknowledged")

    def tells(self, project: Project) -> Iterable[Notice]:
        decision = project.decisions[self.decision]
        return tell_the_end(project, decision, decision.reason)


class DeadlineExtended(Event):
    """The PMO gave a decision more working days; its reminders are set anew."""

    allowed_by = "DR10"
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

    def tells(self, project: Project) -> Iterable[Notice]:
        return invite(project, project.decisions[self.decision])


@when_due("decision")
def decision_due(story: Story, decision_id: str, mark: str) -> None:
    """One mark of a decision's clock has passed."""
    decision = story.project.decisions[decision_id]
    verb, _, number = mark.partition("-")
    if verb == "remind":
        story.record(DecisionReminderDue(decision=decision_id, percent=int(number)))
    elif verb == "escalate":
        _escalate(story, decision, int(number))
    elif verb == "effect":
        carry_out(story, decision_id)
    else:
        _run_out(story, decision_id, verb)


def _escalate(story: Story, decision: Decision, level: int) -> None:
    role = decision.policy.escalation[level - 1]
    story.record(DecisionEscalated(decision=decision.id, level=level, role=role))
    settle(story, decision.id)


def _run_out(story: Story, decision_id: str, how: str) -> None:
    outcomes: dict[str, Callable[..., Event]] = {
        "expire": DecisionExpired,
        "lapse": DecisionLapsed,
        "hold": DecisionHeld,
    }
    story.record(outcomes[how](decision=decision_id))
    if how != "hold":
        follow_ending(story, decision_id)


class ExtendDeadline(Command):
    """Give a decision more working days, or take up one that is on hold since its time ran out."""

    roles = frozenset({Role.PMO})
    example = {"decision": "D-1", "days": 3, "reason": "Waiting for the supplier's offer"}
    decision: Slug
    days: Annotated[int, Field(ge=1, le=365)]
    reason: Text

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        if self.days > decision.policy.limit_days:
            raise broken(
                "DR10",
                "ExtensionTooLong",
                f"{decision.id} can be extended by 1 to {decision.policy.limit_days} working days at a time.",
                next_step="Choose fewer days.",
            )
        if decision.extensions >= decision.policy.max_extensions:
            raise broken(
                "DR10",
                "ExtendedEnough",
                f"{decision.id} was extended {decision.extensions} times, which is the limit.",
                next_step="Let it be decided, or let its requester withdraw it and ask anew.",
            )
        if decision.unanswered():
            raise wrong_state(
                "ClockStopped",
                f"A question on {decision.id} is open: its clock stands still anyway.",
                rule="DR10",
                next_step="Answer the question: answer-info.",
            )
        left = Fraction(story.calendar.between(story.at, decision.due_at), story.calendar.minutes_per_day)
        fresh = start_clock(story.calendar, story.at, left + self.days, clock_shares(decision.policy))
        story.record(DeadlineExtended(decision=decision.id, days=self.days, reason=self.reason, clock=fresh))
        settle(story, decision.id)


class RetryEffect(Command):
    """Try again now to carry out an approval whose effect failed (DR20)."""

    roles = DECIDING_ROLES
    example = {"decision": "D-1"}
    decision: Slug

    def decide(self, story: Story) -> None:
        decision = find(story, self.decision)
        if decision.effect is not Effect.FAILED or decision.state is not State.APPROVED:
            raise wrong_state(
                "NothingToRetry",
                f"{decision.id} is {decision.state}; no effect of it has failed.",
                rule="DR20",
                next_step="Nothing is to be done.",
            )
        carry_out(story, decision.id)
