"""The retrospective: two blind evaluations, revealed when both are in, reconciled where far apart.

Source: docs/governance.md, Z1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.lessons import Lesson
from domain.refusals import wrong_state
from domain.values import Personal, Role, Stage, Text, Value

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

Side = Literal["PMO", "PRODUCT_MANAGER"]
SIDES: tuple[Side, Side] = ("PMO", "PRODUCT_MANAGER")
Score = Annotated[int, Field(ge=1, le=5)]


class Scores(Value):
    """1 (poor) to 5 (excellent) in each dimension."""

    goals: Score
    kpis: Score
    resources: Score
    risk: Score
    schedule: Score
    cost: Score
    quality: Score
    cooperation: Score


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One side's view; closed to the other until both are in."""

    side: str
    by: str
    scores: Scores | None
    comment: str


@dataclass(frozen=True, slots=True)
class Retrospective:
    """What the two sides say at the end."""

    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    revealed: bool = False
    differing: tuple[str, ...] = ()
    reconciled: bool = False
    lessons: Mapping[str, Lesson] = field(default_factory=dict)
    closings: int = 0

    @property
    def final(self) -> bool:
        """Z1: both sides are in, and large differences are talked over."""
        return self.revealed and (self.reconciled or not self.differing)


def gaps(first: Scores, second: Scores) -> tuple[str, ...]:
    """The dimensions in which the two sides are two points or more apart."""
    return tuple(name for name in Scores.model_fields if abs(getattr(first, name) - getattr(second, name)) >= 2)


class EvaluationSubmitted(Event):
    """One side has evaluated the project, blind to the other."""

    allowed_by = "Z1"
    en = "{actor} submitted the evaluation of the {side} side"
    zh = "{actor} 提交了 {side} 一方的评价"
    side: Side
    scores: Scores | None
    comment: Annotated[str, Personal("actor")]

    def apply(self, project: Project, happened: Happened) -> Project:
        new = Evaluation(self.side, happened.by, self.scores, self.comment)
        retro = project.retrospective
        return project.but(retrospective=replace(retro, evaluations={**retro.evaluations, self.side: new}))

    def seals(self, project: Project, reader: str) -> bool:
        retro = project.retrospective
        mine = retro.evaluations.get(self.side)
        return not retro.revealed and not (mine and mine.by == reader)


class EvaluationMissing(EvaluationSubmitted):
    """The sponsor records that a side did not evaluate; it is never filled in for them."""

    allowed_by = "Z1"
    en = "{actor} recorded that the {side} side did not evaluate: {comment}"
    zh = "{actor} 记录 {side} 一方未提交评价:{comment}"
    comment: Annotated[str, Personal("absent")]
    absent: tuple[str, ...] = ()
    """Who held the side that did not evaluate."""

    def seals(self, project: Project, reader: str) -> bool:
        return False


class EvaluationsRevealed(Event):
    """Both sides are in and see each other's view."""

    allowed_by = "Z1"
    en = "Both evaluations are revealed; far apart in: {differing}"
    zh = "双方评价已公开;差异较大:{differing}"
    differing: tuple[str, ...]

    def apply(self, project: Project, happened: Happened) -> Project:
        retro = replace(project.retrospective, revealed=True, differing=self.differing)
        return project.but(retrospective=retro)

    def tells(self, project: Project) -> Iterable[Notice]:
        if not self.differing:
            return
        for side in SIDES:
            for person in project.team.holders(Role(side)):
                yield Notice(
                    person,
                    f"{project.code}: talk over where you differ: {', '.join(self.differing)}.",
                    f"{project.code}:请就差异交换意见:{', '.join(self.differing)}。",
                    "evaluation",
                )


class EvaluationReconciled(Event):
    """The two sides have talked over where they differed."""

    allowed_by = "Z1"
    en = "{actor} recorded how the evaluations were reconciled: {outcome}"
    zh = "{actor} 记录了评价差异的处理:{outcome}"
    outcome: Annotated[str, Personal("actor")]

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.but(retrospective=replace(project.retrospective, reconciled=True))


def _side_of(story: Story) -> Side:
    roles = story.project.team.roles(story.person)
    done = story.project.retrospective.evaluations
    own = [s for s in SIDES if Role(s) in roles]
    return next((s for s in own if s not in done), own[0])


class SubmitEvaluation(Command):
    """Evaluate the project for your side. The other side sees it once both are in."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.RETROSPECTIVE})
    blind = True
    example = {
        "scores": dict.fromkeys(Scores.model_fields, 4),
        "comment": "Good work, late supplier",
    }
    scores: Scores
    comment: Annotated[Text, Personal("actor")]

    def decide(self, story: Story) -> None:
        side = _side_of(story)
        if side in story.project.retrospective.evaluations:
            raise wrong_state(
                "AlreadyEvaluated", f"The {side} side has evaluated.", rule="Z1", next_step="Nothing is to be done."
            )
        story.record(EvaluationSubmitted(side=side, scores=self.scores, comment=self.comment))
        _reveal(story)


class RecordMissingEvaluation(Command):
    """Record that a side did not evaluate, so that the project can end (Z1)."""

    roles = frozenset({Role.SPONSOR})
    stages = frozenset({Stage.RETROSPECTIVE})
    example = {"side": "PRODUCT_MANAGER", "reason": "Left the company"}
    side: Side
    reason: Annotated[Text, Personal("actor")]

    def decide(self, story: Story) -> None:
        if self.side in story.project.retrospective.evaluations:
            raise wrong_state(
                "AlreadyEvaluated",
                f"The {self.side} side has evaluated.",
                rule="Z1",
                next_step="Nothing is to be done.",
            )
        absent = story.project.team.holders(Role(self.side))
        story.record(EvaluationMissing(side=self.side, scores=None, comment=self.reason, absent=absent))
        _reveal(story)


def _reveal(story: Story) -> None:
    evaluations = story.project.retrospective.evaluations
    if set(evaluations) == set(SIDES):
        first, second = (evaluations[s].scores for s in SIDES)
        story.record(EvaluationsRevealed(differing=gaps(first, second) if first and second else ()))


class ReconcileEvaluation(Command):
    """Record how the two sides settled where their evaluations are two points or more apart."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.RETROSPECTIVE})
    example = {"outcome": "We agree that risks were seen too late"}
    outcome: Annotated[Text, Personal("actor")]

    def decide(self, story: Story) -> None:
        retro = story.project.retrospective
        if not retro.revealed or retro.final:
            raise wrong_state(
                "NothingToReconcile",
                "The two evaluations are not revealed yet, or there is no difference left to reconcile.",
                rule="Z1",
                next_step="Go on once both sides have evaluated.",
            )
        story.record(EvaluationReconciled(outcome=self.outcome))
