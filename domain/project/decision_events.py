"""How a decision opens and ends, as events, and who is told.

Source: docs/governance.md, DR4, DR5, DR9, DR19, DR20.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from domain.clock import Clock
from domain.messages import Event, Happened
from domain.notice import Notice
from domain.project.counting import awaited, open_slots
from domain.project.decision import Decision, Effect, State, Subject
from domain.project.delegation import hands
from domain.template import DecisionPolicy, Kind, Slot
from domain.titles import title_in
from domain.values import Role
from domain.words import word

if TYPE_CHECKING:
    from domain.project.aggregate import Project

CONCEPT = "decision"


def closed(project: Project, decision_id: str, state: State, at: datetime, reason: str | None) -> Project:
    """The project after a decision has ended in `state`: its clock stops for good."""
    decision = project.decisions[decision_id]
    ended = replace(decision, state=state, closed_at=at, reason=reason, effect=Effect.NONE)
    return project.with_decision(ended).with_clock(decision.ref, None)


def voters_awaited(project: Project, decision: Decision) -> tuple[str, ...]:
    """Who may sign now and has not yet, each once; nobody while it is on hold."""
    if decision.state is State.ON_HOLD or not decision.is_open:
        return ()
    team, today = project.team, project.today
    people = (p for s in open_slots(decision, team) for p in awaited(decision, s, team, today))
    return tuple(dict.fromkeys(people))


def represented_by(project: Project, decision: Decision, person: str) -> tuple[str, ...]:
    """Who may give this person's vote now, and has none given in this decision yet."""
    assert project.changed_at is not None
    voted = {p for b in decision.ballots for p in (b.person, b.principal)} | decision.recused
    return tuple(h for h in hands(project, person, decision.kind, project.changed_at) if h not in voted)


def invite(project: Project, decision: Decision, people: Collection[str] | None = None) -> Iterable[Notice]:
    """The notices that ask people for their vote: these people, or everybody who has not voted."""
    due = project.clocks[decision.ref].due_at if decision.ref in project.clocks else None
    for person in voters_awaited(project, decision):
        if people is not None and person not in people:
            continue
        yield Notice(
            person, f"Please decide: {decision.title}", f"请表决:{title_in(decision.title, 'zh')}", decision.id, due
        )
        for hand in represented_by(project, decision, person):
            yield Notice(
                hand,
                f"Please decide for {person}: {decision.title}",
                f"请代 {person} 表决:{title_in(decision.title, 'zh')}",
                decision.id,
                due,
            )


class DecisionOpened(Event):
    """People are asked to decide; slots and policy are frozen as they stand now (DR19)."""

    allowed_by = "DR19"
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
        decision = Decision(
            id=self.decision, opened_at=happened.at, opening=project.team, due_at=self.clock.due_at, **fields
        )
        return project.with_decision(decision).with_clock(decision.ref, self.clock)

    def tells(self, project: Project) -> Iterable[Notice]:
        return invite(project, project.decisions[self.decision])


def tell_the_end(project: Project, decision: Decision, reason: str | None) -> Iterable[Notice]:
    """The notices that say what became of a decision, to whoever asked for it or signed it."""
    why_en, why_zh = (f" Reason: {reason}", f" 原因:{reason}") if reason else ("", "")
    for person in dict.fromkeys([decision.requester, *(b.person for b in decision.ballots)]):
        if person in project.team.members():
            yield Notice(
                person,
                f"{decision.id} is {word(decision.state, 'en')}: {decision.title}.{why_en}",
                f"{decision.id} {word(decision.state, 'zh')}:{title_in(decision.title, 'zh')}。{why_zh}",
                decision.id,
            )


class _Ended(Event):
    """Shared by the events that end a decision for its requester to hear."""

    en = ""
    zh = ""
    decision: str
    reason: str | None = None

    def tells(self, project: Project) -> Iterable[Notice]:
        return tell_the_end(project, project.decisions[self.decision], self.reason)


class DecisionApproved(_Ended):
    """Every slot of every stage is satisfied."""

    allowed_by = "DR4"
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

    allowed_by = "DR4"
    en = "{decision} is rejected: {reason}"
    zh = "{decision} 被否决:{reason}"

    def apply(self, project: Project, happened: Happened) -> Project:
        return closed(project, self.decision, State.REJECTED, happened.at, self.reason)


class DecisionSuperseded(_Ended):
    """What was decided on has changed: every vote is void (DR9)."""

    allowed_by = "DR9"
    en = "{decision} is superseded, its votes are void: {reason}"
    zh = "{decision} 已被取代,已投的票作废:{reason}"
    changed: tuple[str, ...] = ()

    def apply(self, project: Project, happened: Happened) -> Project:
        return closed(project, self.decision, State.SUPERSEDED, happened.at, self.reason)


class SubjectAnnotated(Event):
    """A field that the policy calls non-material was edited: votes stand (DR9)."""

    allowed_by = "DR9"
    en = "{actor} annotated what {decision} decides: {changed}"
    zh = "{actor} 补充了 {decision} 的非实质内容:{changed}"
    decision: str
    changed: tuple[str, ...]

    def apply(self, project: Project, happened: Happened) -> Project:
        return project


class DecisionBlocked(Event):
    """Not enough eligible people are left: it waits for repair and never passes by itself (DR5)."""

    allowed_by = "DR5"
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

    allowed_by = "DR5"
    en = "{decision} is open again"
    zh = "{decision} 恢复进行"
    decision: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_decision(replace(project.decisions[self.decision], state=State.OPEN))

    def tells(self, project: Project) -> Iterable[Notice]:
        return invite(project, project.decisions[self.decision])


class DecisionEffectApplied(Event):
    """What was approved is carried out, once (DR20)."""

    allowed_by = "DR20"
    en = "{decision} took effect"
    zh = "{decision} 已生效"
    decision: str

    def apply(self, project: Project, happened: Happened) -> Project:
        done = replace(project.decisions[self.decision], state=State.EFFECTIVE, effect=Effect.APPLIED, effect_note=None)
        return project.with_decision(done).with_clock(done.ref, None)


class DecisionEffectFailed(Event):
    """What was approved could not be carried out; it is tried again and blocks what depends on it."""

    allowed_by = "DR20"
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
