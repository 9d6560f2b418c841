"""Asking around in a decision: opinions, and a nudge for those who have not voted.

Source: docs/governance.md, DR16.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from domain.calendar import CalendarPolicy, calendar
from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.counting import eligible
from domain.project.decision import Decision, Question
from domain.project.decision_events import invite, voters_awaited
from domain.project.questions import answered, next_question
from domain.project.resolution import find_open
from domain.refusals import broken, not_allowed, not_found, wrong_state
from domain.template import Slot
from domain.values import BUSINESS_ROLES, Person, Role, Slug, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "decision"


class ConsultAsked(Event):
    """A signer asks somebody's opinion; the signer stays accountable."""

    allowed_by = "DR16"
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

    allowed_by = "DR16"
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

    allowed_by = "DR16"
    en = "{actor} nudged {people} about {decision}"
    zh = "{actor} 就 {decision} 催办 {people}"
    decision: str
    people: tuple[str, ...]

    def apply(self, project: Project, happened: Happened) -> Project:
        decision = project.decisions[self.decision]
        nudged = (*decision.nudged, *((person, happened.at) for person in self.people))
        return project.with_decision(replace(decision, nudges=decision.nudges + 1, nudged=nudged))

    def tells(self, project: Project) -> Iterable[Notice]:
        return invite(project, project.decisions[self.decision], self.people)


def _may_sign(story: Story, decision: Decision) -> tuple[Slot, ...]:
    team = story.project.team
    return tuple(s for s in decision.slots if story.person in eligible(decision, s, team))


def check_is_party(story: Story, decision: Decision) -> None:
    if story.person != decision.requester and not _may_sign(story, decision):
        raise not_allowed(
            f"Only whoever asked for {decision.id} or may sign it can do this.",
            code="NotAParty",
            rule="DR15",
            next_step=f"Ask {decision.requester}, who asked for it.",
        )


class Consult(Command):
    """Ask a person of the project for an opinion; you stay accountable for your vote (DR16)."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1", "person": "chen.yu", "question": "Can we test this in time?"}
    decision: Slug
    person: Person
    question: Text

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        check_is_party(story, decision)
        if self.person not in story.project.team.members():
            raise not_found("Member", self.person)
        number = next_question(decision)
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
            raise not_allowed(
                f"{asked.to} was asked, not you.",
                code="NotAsked",
                rule="DR16",
                next_step=f"Tell {asked.to} what you think.",
            )
        story.record(ConsultAnswered(decision=decision.id, id=asked.id, answer=self.answer))


def _nudged_today(story: Story, decision: Decision, person: str) -> bool:
    """Whether the person had as many nudges as a working day may bring."""
    policy = story.project.rules.calendar
    today = _working_day(policy, story.at)
    had = [at for whom, at in decision.nudged if whom == person and _working_day(policy, at) == today]
    return len(had) >= decision.policy.nudges_a_day


def _working_day(policy: CalendarPolicy, at: datetime) -> date:
    """The working day that an instant counts to: after closing, and on days off, the next one."""
    return calendar(policy).next_opening(at).astimezone(ZoneInfo(policy.timezone)).date()


class NudgeApprovers(Command):
    """Remind those who have not voted yet, each once a working day (N3), within the policy's limit."""

    roles = BUSINESS_ROLES
    example = {"decision": "D-1"}
    decision: Slug

    def decide(self, story: Story) -> None:
        decision = find_open(story, self.decision)
        check_is_party(story, decision)
        if decision.nudges >= decision.policy.max_nudges:
            raise broken(
                "DR16",
                "NudgedEnough",
                f"{decision.id} was nudged {decision.nudges} times, which is the limit.",
                next_step="Reminders and escalation go on by themselves.",
            )
        people = voters_awaited(story.project, decision)
        if not people:
            raise wrong_state(
                "NobodyAwaited",
                f"{decision.id} is {decision.state} and waits for nobody's vote at present.",
                next_step="Where it is blocked or on hold, ask the PMO to name people or to extend the deadline.",
            )
        today = tuple(person for person in people if not _nudged_today(story, decision, person))
        if not today:
            raise broken(
                "N3",
                "NudgedToday",
                f"{', '.join(people)} had a nudge about {decision.id} on this working day, which is the limit.",
                next_step="Nudge again on the next working day.",
            )
        story.record(ApproversNudged(decision=decision.id, people=today))
