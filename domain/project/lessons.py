"""Lessons: something learnt, with its evidence, confirmed by somebody else.

Source: docs/governance.md, Z9.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domain.messages import Command, Event, Happened
from domain.refusals import broken, not_allowed, not_found, wrong_state
from domain.values import BUSINESS_ROLES, Role, Slug, Text

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "lesson"


@dataclass(frozen=True, slots=True)
class Lesson:
    """Something learnt, with its evidence; it counts once the other side has confirmed it."""

    id: str
    text: str
    evidence: str
    by: str
    validated_by: str | None = None


class LessonCaptured(Event):
    """Something was learnt."""

    allowed_by = "Z9"
    en = "{actor} captured {lesson}: {text}"
    zh = "{actor} 记录经验 {lesson}:{text}"
    lesson: str
    text: str
    evidence: str

    def apply(self, project: Project, happened: Happened) -> Project:
        new = Lesson(self.lesson, self.text, self.evidence, happened.by)
        return _with_lesson(project, new)


class LessonValidated(Event):
    """Somebody else confirmed a lesson."""

    allowed_by = "Z9"
    en = "{actor} confirmed {lesson}"
    zh = "{actor} 确认经验 {lesson}"
    lesson: str

    def apply(self, project: Project, happened: Happened) -> Project:
        lesson = replace(project.retrospective.lessons[self.lesson], validated_by=happened.by)
        return _with_lesson(project, lesson)


def _with_lesson(project: Project, lesson: Lesson) -> Project:
    retro = project.retrospective
    return project.but(retrospective=replace(retro, lessons={**retro.lessons, lesson.id: lesson}))


class CaptureLesson(Command):
    """Write down something learnt, with its evidence."""

    roles = BUSINESS_ROLES
    example = {"text": "Test the provider's sandbox early", "evidence": "Two weeks lost in May"}
    text: Text
    evidence: Text

    def decide(self, story: Story) -> None:
        lessons = story.project.retrospective.lessons
        if len(lessons) >= 500:
            raise broken(
                "Z9", "TooManyLessons", "A project keeps at most 500 lessons.", next_step="Confirm those that matter."
            )
        number = f"L-{len(lessons) + 1}"
        story.record(LessonCaptured(lesson=number, text=self.text, evidence=self.evidence))


class ValidateLesson(Command):
    """Confirm a lesson that somebody else wrote down."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    example = {"lesson": "L-1"}
    lesson: Slug

    def decide(self, story: Story) -> None:
        lesson = story.project.retrospective.lessons.get(self.lesson)
        if lesson is None:
            raise not_found("Lesson", self.lesson)
        if lesson.validated_by:
            raise wrong_state(
                "AlreadyValidated",
                f"{lesson.id} is confirmed by {lesson.validated_by} already.",
                next_step="Nothing is to be done.",
            )
        if lesson.by == story.person:
            raise not_allowed(
                f"You wrote {lesson.id}; somebody else confirms it.",
                code="OwnLesson",
                rule="Z9",
                next_step="Ask the PMO or the product manager.",
            )
        story.record(LessonValidated(lesson=lesson.id))
