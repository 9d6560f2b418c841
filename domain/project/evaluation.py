"""The retrospective: two blind evaluations, lessons, a summary; and the gates that end a project's work.

Source: docs/governance.md, Z1, Z3, Z9, Z10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from domain.canonical import fingerprint
from domain.messages import Command, Event, Happened, to_data
from domain.notice import Notice
from domain.project.changes import undecided_changes
from domain.project.decision import Decision, Effect, State, Subject
from domain.project.lifecycle import pass_gate
from domain.project.resolution import open_about, open_decision, supersede, when_approved
from domain.refusals import Refused, broken, not_allowed, not_found, wrong_state
from domain.template import Kind
from domain.values import BUSINESS_ROLES, DECIDING_ROLES, Line, Role, Slug, Stage, Text, Value

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
class Lesson:
    """Something learnt, with its evidence; it counts once the other side has confirmed it."""

    id: str
    text: str
    evidence: str
    by: str
    validated_by: str | None = None


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

    en = "{actor} submitted the evaluation of the {side} side"
    zh = "{actor} 提交了 {side} 一方的评价"
    side: Side
    scores: Scores | None
    comment: str

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

    en = "{actor} recorded that the {side} side did not evaluate: {comment}"
    zh = "{actor} 记录 {side} 一方未提交评价:{comment}"

    def seals(self, project: Project, reader: str) -> bool:
        return False


class EvaluationsRevealed(Event):
    """Both sides are in and see each other's view."""

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

    en = "{actor} recorded how the evaluations were reconciled: {outcome}"
    zh = "{actor} 记录了评价差异的处理:{outcome}"
    outcome: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.but(retrospective=replace(project.retrospective, reconciled=True))


class LessonCaptured(Event):
    """Something was learnt."""

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

    en = "{actor} confirmed {lesson}"
    zh = "{actor} 确认经验 {lesson}"
    lesson: str

    def apply(self, project: Project, happened: Happened) -> Project:
        lesson = replace(project.retrospective.lessons[self.lesson], validated_by=happened.by)
        return _with_lesson(project, lesson)


def _with_lesson(project: Project, lesson: Lesson) -> Project:
    retro = project.retrospective
    return project.but(retrospective=replace(retro, lessons={**retro.lessons, lesson.id: lesson}))


class ClosingProposed(Event):
    """A summary of results, problems and improvements is on the table."""

    en = "{actor} proposed to close: {results}"
    zh = "{actor} 提议结项:{results}"
    results: str
    problems: str
    improvements: str
    no_lessons_because: str | None
    content_hash: str

    def apply(self, project: Project, happened: Happened) -> Project:
        retro = replace(project.retrospective, closings=project.retrospective.closings + 1)
        return project.but(retrospective=retro)


def _side_of(story: Story) -> Side:
    roles = story.project.team.roles(story.person)
    done = story.project.retrospective.evaluations
    own = [s for s in SIDES if Role(s) in roles]
    return next((s for s in own if s not in done), own[0])


class SubmitEvaluation(Command):
    """Evaluate the project for your side. The other side sees it once both are in."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.RETROSPECTIVE})
    example = {
        "scores": dict.fromkeys(Scores.model_fields, 4),
        "comment": "Good work, late supplier",
    }
    scores: Scores
    comment: Text

    def decide(self, story: Story) -> None:
        side = _side_of(story)
        if side in story.project.retrospective.evaluations:
            raise wrong_state("AlreadyEvaluated", f"The {side} side has evaluated.", rule="Z1")
        story.record(EvaluationSubmitted(side=side, scores=self.scores, comment=self.comment))
        _reveal(story)


class RecordMissingEvaluation(Command):
    """Record that a side did not evaluate, so that the project can end (Z1)."""

    roles = frozenset({Role.SPONSOR})
    stages = frozenset({Stage.RETROSPECTIVE})
    example = {"side": "PRODUCT_MANAGER", "reason": "Left the company"}
    side: Side
    reason: Text

    def decide(self, story: Story) -> None:
        if self.side in story.project.retrospective.evaluations:
            raise wrong_state("AlreadyEvaluated", f"The {self.side} side has evaluated.", rule="Z1")
        story.record(EvaluationMissing(side=self.side, scores=None, comment=self.reason))
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
    outcome: Text

    def decide(self, story: Story) -> None:
        retro = story.project.retrospective
        if not retro.revealed or retro.final:
            raise wrong_state("NothingToReconcile", "There is nothing to reconcile.", rule="Z1")
        story.record(EvaluationReconciled(outcome=self.outcome))


class CaptureLesson(Command):
    """Write down something learnt, with its evidence."""

    roles = BUSINESS_ROLES
    example = {"text": "Test the provider's sandbox early", "evidence": "Two weeks lost in May"}
    text: Text
    evidence: Text

    def decide(self, story: Story) -> None:
        lessons = story.project.retrospective.lessons
        if len(lessons) >= 500:
            raise broken("Z9", "TooManyLessons", "A project keeps at most 500 lessons.")
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
            raise wrong_state("AlreadyValidated", f"{lesson.id} is confirmed.")
        if lesson.by == story.person:
            raise not_allowed("Somebody else confirms your lesson.", code="OwnLesson", rule="Z9")
        story.record(LessonValidated(lesson=lesson.id))


class ProposeCompletion(Command):
    """Ask for the gate behind execution: the planned work is done."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.EXECUTION})
    example = {"summary": "Portal launched", "deliverables": ["Portal", "Training"]}
    summary: Text
    deliverables: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)]

    def decide(self, story: Story) -> None:
        if story.project.plan.baseline is None:
            raise broken("P2", "NoBaseline", "There is no plan baseline.", next_step="Propose and sign the plan.")
        propose(story, Kind.COMPLETION, f"Completion of {story.project.code}", self)


class ProposeAcceptance(Command):
    """Ask for the gate behind change review: every change is settled, the deliverables are accepted."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.CHANGE_REVIEW})
    example = {"accepted": ["Portal", "Training"], "reconciliation": "Within budget, two weeks late"}
    accepted: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)]
    reconciliation: Text

    def decide(self, story: Story) -> None:
        if waiting := undecided_changes(story.project):
            raise broken(
                "Z3",
                "ChangesUndecided",
                f"{', '.join(waiting)} still wait for an outcome.",
                next_step="Decide, defer or withdraw them.",
            )
        propose(story, Kind.ACCEPTANCE, f"Acceptance of {story.project.code}", self)


class ProposeClosing(Command):
    """Ask for the last gate with a summary of results, problems and improvements (Z10).

    Both evaluations are final (Z1), no other decision is open (Z3), and a lesson is confirmed or the
    summary says why there is none (Z9).
    """

    roles = DECIDING_ROLES
    stages = frozenset({Stage.RETROSPECTIVE})
    example = {
        "results": "Nine of ten members renew online",
        "problems": "The provider was late",
        "improvements": "Test sandboxes early",
    }
    results: Text
    problems: Text
    improvements: Text
    no_lessons_because: Text | None = None

    def decide(self, story: Story) -> None:
        if failing := closing_obstacles(story.project, self.no_lessons_because):
            rule, detail = failing[0]
            raise Refused(
                "NotReadyToClose",
                " ".join(f"{r}: {d}" for r, d in failing),
                rule=rule,
                next_step=detail,
                errors=tuple({"pointer": "", "code": r, "message": d} for r, d in failing),
            )
        fields = {n: getattr(self, n) for n in type(self).model_fields}
        signed = fingerprint(to_data(self)).hex()
        story.record(ClosingProposed(content_hash=signed, **fields))
        propose(story, Kind.CLOSING, f"Closing of {story.project.code}", self)


def closing_obstacles(project: Project, no_lessons_because: str | None) -> list[tuple[str, str]]:
    """The closing rules that do not hold yet, with what to do about each."""
    retro = project.retrospective
    open_ones = [d.id for d in project.open_decisions() if d.kind is not Kind.CLOSING]
    unfinished = [d.id for d in project.decisions.values() if _effect_open(d)]
    validated = any(lesson.validated_by for lesson in retro.lessons.values())
    rules = (
        ("Z1", retro.final, "Both sides evaluate, and large differences are reconciled."),
        ("Z3", not open_ones and not unfinished, f"Settle {', '.join(open_ones + unfinished)} first."),
        ("Z9", validated or bool(no_lessons_because), "Confirm a lesson, or say why there is none."),
    )
    return [(rule, todo) for rule, holds, todo in rules if not holds]


def _effect_open(decision: Decision) -> bool:
    return decision.state is State.APPROVED and decision.effect in {Effect.PENDING, Effect.FAILED}


def propose(story: Story, kind: Kind, title: str, command: Command) -> None:
    """Open a gate's decision on exactly what the command says; a new text supersedes the open one."""
    signed = fingerprint(to_data(command)).hex()
    pending = open_about(story.project, kind)
    if pending and pending.subject.content_hash == signed:
        raise wrong_state("AlreadyProposed", f"{pending.id} asks for exactly this already.")
    if pending:
        supersede(story, pending, "it was proposed anew")
    revision = 1 + sum(d.kind is kind for d in story.project.decisions.values())
    subject = Subject(type=kind.lower(), id=kind.lower(), revision=revision, content_hash=signed)
    open_decision(story, kind, title, subject, authors=[story.person], last_editor=story.person)


@when_approved(Kind.COMPLETION)
def complete(story: Story, decision: Decision) -> None:
    """The gate behind execution is passed."""
    pass_gate(story, decision)


@when_approved(Kind.ACCEPTANCE)
def accept(story: Story, decision: Decision) -> None:
    """The gate behind change review is passed, unless a change came up meanwhile."""
    if waiting := undecided_changes(story.project):
        raise broken("Z3", "ChangesUndecided", f"{', '.join(waiting)} came up meanwhile.")
    pass_gate(story, decision)


@when_approved(Kind.CLOSING)
def sign_closing(story: Story, decision: Decision) -> None:
    """The closing is signed; the lifecycle closes the project."""
    pass_gate(story, decision)
