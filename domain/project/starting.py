"""How a project begins: who rides it, what for, under which policy.

Source: docs/governance.md, R4, DR19.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from domain.messages import Command, Event, Happened
from domain.project.team import check_auditor_is_apart, check_can_be_repaired
from domain.project.visibility import AT_THE_START, Teams, VisibilityChanged, check_teams
from domain.refusals import not_allowed, not_found, wrong_state
from domain.sight import Visibility
from domain.template import Policy
from domain.values import Day, Line, Money, Person, Role, Slug, Stage, Text, Value

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "lifecycle"


class People(Value):
    """Who starts in which role."""

    sponsor: Person
    pmo: Person
    product_manager: Person
    members: Annotated[tuple[Person, ...], Field(max_length=200)] = ()
    auditors: Annotated[tuple[Person, ...], Field(max_length=20)] = ()

    def pairs(self) -> tuple[tuple[str, Role], ...]:
        """Every (person, role), deciding roles first."""
        return (
            (self.sponsor, Role.SPONSOR),
            (self.pmo, Role.PMO),
            (self.product_manager, Role.PRODUCT_MANAGER),
            *((p, Role.MEMBER) for p in dict.fromkeys(self.members)),
            *((p, Role.AUDITOR) for p in dict.fromkeys(self.auditors)),
        )


class ProjectStarted(Event):
    """A project exists. It pins the whole policy that it runs under."""

    allowed_by = "P4"
    en = "{actor} started {code}: {title}"
    zh = "{actor} 启动项目 {code}:{title}"
    code: str
    title: str
    purpose: str
    people: People
    budget: Money
    starts_on: date
    finish_by: date
    policy: Policy

    def apply(self, project: Project, happened: Happened) -> Project:
        team = project.team
        for person, role in self.people.pairs():
            team = team.with_grant(person, role, happened.by, happened.at, confirmed=True)
        after = project.but(
            code=self.code,
            title=self.title,
            purpose=self.purpose,
            policy=self.policy,
            starter=happened.by,
            started_at=happened.at,
            team=team,
        )
        return after.with_lifecycle(stage=Stage.KICKOFF, visit=1, entered_at=happened.at)


class StartProject(Command):
    """Start a project: who rides it, what for, with what budget, until when.

    The PMO or the product manager starts it. It begins in KICKOFF under the newest version of the
    process template, which it keeps for its whole life.
    """

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.KICKOFF})
    example = {
        "title": "Member portal",
        "purpose": "Members renew online instead of by phone",
        "people": {
            "sponsor": "sun.lei",
            "pmo": "pei.min",
            "product_manager": "pan.mei",
            "members": ["tao.yun"],
            "auditors": ["an.jing"],
        },
        "budget": {"amount": "80000", "currency": "CNY"},
        "starts_on": "2026-03-02",
        "finish_by": "2026-09-30",
    }
    title: Line
    purpose: Text
    people: People
    budget: Money
    starts_on: Day
    finish_by: Day
    template: Slug = "standard"
    visibility: Annotated[Visibility, Field(strict=False)] = Visibility.OPEN
    """Who sees it besides its own people (V1 to V3)."""
    teams: Teams = ()

    @model_validator(mode="after")
    def _in_order(self) -> StartProject:
        if self.finish_by <= self.starts_on:
            raise ValueError("finish_by must be after starts_on")
        if self.budget.amount <= 0:
            raise ValueError("the budget must be above zero")
        check_teams(self.visibility, self.teams)
        return self

    def decide(self, story: Story) -> None:
        if story.project.exists:
            raise wrong_state(
                "AlreadyStarted", "This project exists already.", next_step="Go on with it, or start another."
            )
        if story.person not in {person for person, role in self.people.pairs() if role in self.roles}:
            raise not_allowed(
                "The PMO or the product manager named in `people` starts a project.",
                code="NotAStarter",
                next_step="Ask one of them, or name yourself.",
            )
        policy = story.templates.get(self.template)
        if policy is None:
            raise not_found("Template", self.template)
        check_auditor_is_apart(story.project.team, self.people.pairs())
        check_can_be_repaired(self.people.pairs())
        shape = ProjectStarted.model_fields.keys() & type(self).model_fields.keys()
        fields = {name: getattr(self, name) for name in shape}
        story.record(ProjectStarted(code=story.code, policy=policy, **fields))
        if self.visibility is not Visibility.OPEN:
            teams = tuple(dict.fromkeys(self.teams))
            story.record(VisibilityChanged(visibility=self.visibility, teams=teams, reason=AT_THE_START))
