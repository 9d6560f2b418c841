"""The plan: milestones and budget, baselined by signature. A baseline never changes but by an approved change.

Source: docs/governance.md, S4, X7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.decision import Decision, Subject
from domain.project.resolution import check_signed, make_room, open_about, open_decision, when_approved
from domain.project.revising import differing, revise, signed_hash
from domain.refusals import broken, wrong_state
from domain.template import Kind
from domain.values import Day, Line, Money, Role, Slug, Stage, Text, Value

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story


class Milestone(Value):
    """Something reached on a day."""

    id: Slug
    name: Line
    due: Day


class PlanContent(Value):
    """What a plan version says; all of it but `remarks` is signed."""

    milestones: Annotated[tuple[Milestone, ...], Field(min_length=1, max_length=200)]
    budget: Money
    remarks: Text | None = None

    @model_validator(mode="after")
    def _costs_something(self) -> PlanContent:
        if self.budget.amount <= 0:
            raise ValueError("the budget must be above zero")
        return self


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan on the table and the baseline in force."""

    version: int = 0
    """The newest version, proposed or baselined."""
    proposal: PlanContent | None = None
    content_hash: str | None = None
    baseline_version: int = 0
    baseline: PlanContent | None = None
    reached: Mapping[str, date] = field(default_factory=dict)
    """Milestone → the day on which it was reached."""


class PlanProposed(Event):
    """A plan is on the table."""

    allowed_by = "S4"
    en = "{actor} proposed plan version {version}"
    zh = "{actor} 提出计划第 {version} 版"
    version: int
    content: PlanContent
    content_hash: str

    def apply(self, project: Project, happened: Happened) -> Project:
        plan = replace(project.plan, version=self.version, proposal=self.content, content_hash=self.content_hash)
        return project.but(plan=plan)


class PlanBaselined(Event):
    """A plan version is the baseline: signed, or the exact outcome of an approved change."""

    allowed_by = "S4"
    en = "Plan version {version} is the baseline ({source})"
    zh = "计划第 {version} 版成为基线({source})"
    version: int
    content: PlanContent
    source: str
    """The decision or change that it comes from."""

    def apply(self, project: Project, happened: Happened) -> Project:
        plan = replace(
            project.plan,
            version=self.version,
            proposal=None,
            content_hash=None,
            baseline=self.content,
            baseline_version=self.version,
        )
        return project.but(plan=plan)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.members():
            yield Notice(
                person,
                f"{project.code}: plan version {self.version} is the baseline.",
                f"{project.code}:计划第 {self.version} 版成为基线。",
                "plan",
            )


class ProposePlan(Command):
    """Put a plan of milestones and budget on the table and ask both sides to sign it as the baseline."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.EXECUTION})
    example = {
        "content": {
            "milestones": [
                {"id": "M1", "name": "Design agreed", "due": "2026-04-30"},
                {"id": "M2", "name": "Launch", "due": "2026-08-31"},
            ],
            "budget": {"amount": "80000", "currency": "CNY"},
        }
    }
    content: PlanContent

    def decide(self, story: Story) -> None:
        plan = story.project.plan
        if plan.baseline is not None:
            raise broken(
                "X7",
                "Baselined",
                "The plan is baselined: it changes by an approved change only.",
                next_step='Submit a change, e.g. submit-change {"title": "Adjust the plan", …}.',
            )
        self._check(story)
        make_room(story, Kind.BASELINE)
        changed = differing(plan.proposal, self.content) if plan.proposal else ()
        pending = open_about(story.project, Kind.BASELINE)
        if pending and not changed:
            raise wrong_state(
                "NothingChanged",
                f"The proposal says exactly this already: {pending.id}.",
                next_step="Sign it, or change something.",
            )
        signed = signed_hash(self.content, story.project.rules.decisions[Kind.BASELINE].non_material)
        same = pending is not None and signed == plan.content_hash
        version = plan.version if same else plan.version + 1
        story.record(PlanProposed(version=version, content=self.content, content_hash=signed))
        revise(story, Kind.BASELINE, "plan", changed, same=same)
        if not same:
            self._ask(story, version, signed)

    def _check(self, story: Story) -> None:
        ids = [m.id for m in self.content.milestones]
        if len(set(ids)) != len(ids):
            raise broken("S4", "NameTwice", "Milestone ids must differ.", next_step="Rename one.")
        charter = story.project.charter.adopted
        if charter is None:
            return
        if self.content.budget.currency != charter.budget.currency:
            raise broken(
                "S4",
                "OtherCurrency",
                f"The charter's budget is in {charter.budget.currency}, the plan's in {self.content.budget.currency}.",
                next_step=f"Write the plan's budget in {charter.budget.currency}.",
            )
        if self.content.budget.amount > charter.budget.amount:
            raise broken(
                "S4",
                "OverBudget",
                f"The plan needs {self.content.budget.amount}, the charter grants {charter.budget.amount}.",
                next_step="Lower the budget, or send the project back to kickoff for a new charter.",
            )

    def _ask(self, story: Story, version: int, signed: str) -> None:
        open_decision(
            story,
            Kind.BASELINE,
            f"Plan baseline of {story.project.code}, version {version}",
            Subject(type="plan", id="plan", revision=version, content_hash=signed),
            authors=[story.person],
            last_editor=story.person,
            stake=self.content.budget,
        )


@when_approved(Kind.BASELINE)
def baseline_plan(story: Story, decision: Decision) -> None:
    """The signed version is the baseline."""
    content = story.project.plan.proposal
    check_signed(decision, story.project.plan.content_hash)
    assert content is not None
    story.record(PlanBaselined(version=decision.subject.revision, content=content, source=decision.id))


def shifted(content: PlanContent, moves: Mapping[str, date], budget: Money) -> PlanContent:
    """The plan with some milestones on other days and another budget: exactly the approved delta."""
    milestones = tuple(m.model_copy(update={"due": moves[m.id]}) if m.id in moves else m for m in content.milestones)
    return content.model_copy(update={"milestones": milestones, "budget": budget})
