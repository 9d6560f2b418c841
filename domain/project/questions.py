"""A voter needs an answer first: questions stop a decision's clock until they are answered.

Source: docs/governance.md, section 2.0.4, REQUEST_INFO.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from domain.clock import Clock
from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.decision import Decision, Question
from domain.project.resolution import find_open
from domain.refusals import broken, not_allowed, not_found
from domain.values import BUSINESS_ROLES, Role, Slug, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "decision"
MOST_QUESTIONS = 100


class InfoRequested(Event):
    """A voter needs an answer first; the clock stands still until it comes."""

    allowed_by = "DR5"
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

    allowed_by = "DR5"
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
