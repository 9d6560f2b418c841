"""The charter: purpose, scope, people in roles, RACI, budget, dates. Left by the first gate.

Source: docs/governance.md, R1 to R5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.decision import Decision, Subject
from domain.project.lifecycle import pass_gate
from domain.project.resolution import check_signed, make_room, open_about, open_decision, settle_all, when_approved
from domain.project.revising import differing, revise, signed_hash
from domain.project.team import (
    ProjectRole,
    check_auditor_is_apart,
    check_can_be_repaired,
    check_is_here,
    check_two_sides,
)
from domain.refusals import broken, stale, wrong_state
from domain.template import Kind
from domain.values import DECIDING_ROLES, Day, Line, Money, Person, Revision, Role, Stage, Text, Value

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

Letter = Literal["R", "A", "C", "I"]


class Assignment(Value):
    """A person in a role."""

    person: Person
    role: ProjectRole


class Raci(Value):
    """Who is responsible, accountable, consulted or informed in one activity."""

    activity: Line
    role: ProjectRole
    letter: Letter


class CharterContent(Value):
    """What the charter says; all of it but `remarks` is signed."""

    purpose: Text
    scope: Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)]
    out_of_scope: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    assignments: Annotated[tuple[Assignment, ...], Field(min_length=3, max_length=250)]
    raci: Annotated[tuple[Raci, ...], Field(min_length=2, max_length=500)]
    budget: Money
    starts_on: Day
    finish_by: Day
    risks: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    remarks: Text | None = None

    @model_validator(mode="after")
    def _in_order(self) -> CharterContent:
        if self.finish_by <= self.starts_on:
            raise ValueError("finish_by must be after starts_on")
        if self.budget.amount <= 0:
            raise ValueError("the budget must be above zero")
        return self

    def holders(self, role: Role) -> tuple[str, ...]:
        return tuple(a.person for a in self.assignments if a.role == role)

    def pairs(self) -> tuple[tuple[str, Role], ...]:
        """Every (person, role) that the charter names."""
        return tuple((a.person, Role(a.role)) for a in self.assignments)


@dataclass(frozen=True, slots=True)
class Charter:
    """The draft in work and the charter in force."""

    revision: int = 0
    draft: CharterContent | None = None
    content_hash: str | None = None
    author: str | None = None
    last_editor: str | None = None
    adopted_revision: int = 0
    adopted: CharterContent | None = None


class CharterDrafted(Event):
    """The charter has a new draft."""

    allowed_by = "DR9"
    en = "{actor} drafted revision {revision} of the charter"
    zh = "{actor} 起草章程第 {revision} 版"
    revision: int
    content: CharterContent
    content_hash: str

    def apply(self, project: Project, happened: Happened) -> Project:
        charter = replace(
            project.charter,
            revision=self.revision,
            draft=self.content,
            content_hash=self.content_hash,
            author=project.charter.author or happened.by,
            last_editor=happened.by,
        )
        return project.but(charter=charter)


class CharterAdopted(Event):
    """The charter is in force: the people it names hold their roles, confirmed by its signatures."""

    allowed_by = "R6"
    en = "The charter is in force (revision {revision})"
    zh = "章程生效(第 {revision} 版)"
    revision: int

    def apply(self, project: Project, happened: Happened) -> Project:
        content = project.charter.draft
        assert content is not None
        named = content.pairs()
        team = project.team
        for grant in team.grants:
            if grant.ended_at is None and not (grant.confirmed and (grant.person, grant.role) in named):
                team = team.without(grant.person, grant.role, happened.at)
        for person, role in named:
            if role not in team.granted(person):
                team = team.with_grant(person, role, happened.by, happened.at, confirmed=True, seconded=True)
        charter = replace(project.charter, adopted=content, adopted_revision=self.revision, author=None)
        return project.but(team=team, charter=charter)

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.members():
            yield Notice(
                person,
                f"{project.code}: the charter is in force.",
                f"{project.code}:章程已生效。",
                "charter",
            )


class DraftCharter(Command):
    """Write the charter, or a new version of it. Editing while it is being signed voids the signatures."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.KICKOFF})
    example = {
        "content": {
            "purpose": "Members renew online instead of by phone",
            "scope": ["Renewal", "Payment"],
            "out_of_scope": ["New memberships"],
            "assignments": [
                {"person": "sun.lei", "role": "SPONSOR"},
                {"person": "pei.min", "role": "PMO"},
                {"person": "pan.mei", "role": "PRODUCT_MANAGER"},
                {"person": "tao.yun", "role": "MEMBER"},
                {"person": "an.jing", "role": "AUDITOR"},
            ],
            "raci": [
                {"activity": "Plan", "role": "PMO", "letter": "A"},
                {"activity": "Plan", "role": "MEMBER", "letter": "R"},
                {"activity": "Scope", "role": "PRODUCT_MANAGER", "letter": "A"},
                {"activity": "Scope", "role": "PRODUCT_MANAGER", "letter": "R"},
            ],
            "budget": {"amount": "80000", "currency": "CNY"},
            "starts_on": "2026-03-02",
            "finish_by": "2026-09-30",
            "risks": ["The payment provider is late"],
        }
    }
    content: CharterContent

    def decide(self, story: Story) -> None:
        charter = story.project.charter
        unsigned = story.project.rules.decisions[Kind.CHARTER].non_material
        signed = signed_hash(self.content, unsigned)
        changed = differing(charter.draft, self.content) if charter.draft else ()
        if charter.draft is not None and not changed:
            raise wrong_state(
                "NothingChanged",
                "The draft of the charter says exactly this already.",
                next_step=f"Ask for its signatures: propose-charter with revision {charter.revision}.",
            )
        same = signed == charter.content_hash
        revision = charter.revision if same else charter.revision + 1
        story.record(CharterDrafted(revision=revision, content=self.content, content_hash=signed))
        revise(story, Kind.CHARTER, "charter", changed, same=same)


class ProposeCharter(Command):
    """Ask for the signatures that put the charter in force and open the first gate."""

    roles = frozenset({Role.PMO, Role.PRODUCT_MANAGER})
    stages = frozenset({Stage.KICKOFF})
    example = {"revision": 1}
    revision: Revision

    def decide(self, story: Story) -> None:
        charter = story.project.charter
        if charter.draft is None or charter.content_hash is None:
            raise wrong_state("NoDraft", "There is no charter yet.", next_step="Draft it first: draft-charter.")
        if self.revision != charter.revision:
            raise stale(
                "StaleRevision",
                f"The charter is at revision {charter.revision}, not {self.revision}.",
                rule="DR8",
                next_step="Read the present revision, then propose that one.",
            )
        if pending := open_about(story.project, Kind.CHARTER):
            raise wrong_state(
                "AlreadyProposed", f"The charter is being signed already: {pending.id}.", next_step="Sign it: vote."
            )
        make_room(story, Kind.CHARTER)
        check_charter(story, charter.draft)
        for person, _ in charter.draft.pairs():
            check_is_here(story.project.team, person)
        subject = Subject(type="charter", id="charter", revision=charter.revision, content_hash=charter.content_hash)
        open_decision(
            story,
            Kind.CHARTER,
            f"Charter of {story.project.code}, revision {charter.revision}",
            subject,
            authors=[charter.author or story.person],
            last_editor=charter.last_editor,
            stake=charter.draft.budget,
        )


def check_charter(story: Story, content: CharterContent) -> None:
    """R1 to R4 on a draft, and a person in each role that decides."""
    check_raci(content.raci)
    for role in sorted(DECIDING_ROLES):
        if not content.holders(role):
            raise broken("R1", "RoleVacant", f"Nobody is {role} in this charter.", next_step="Name somebody.")
    check_two_sides(story.project.team, content.holders(Role.PMO), content.holders(Role.PRODUCT_MANAGER), story.today)
    check_auditor_is_apart(story.project.team, content.pairs())
    check_can_be_repaired(pair for pair in content.pairs() if pair[0] not in story.project.team.away)


def check_raci(rows: Iterable[Raci]) -> None:
    """R1: each activity has exactly one A and at least one R. R2: members and auditors hold no A."""
    accountable: Counter[str] = Counter()
    responsible: Counter[str] = Counter()
    activities: dict[str, None] = {}
    for row in rows:
        activities[row.activity] = None
        accountable[row.activity] += row.letter == "A"
        responsible[row.activity] += row.letter == "R"
        if row.letter == "A" and row.role in {Role.MEMBER, Role.AUDITOR}:
            raise broken(
                "R2",
                "NotAccountable",
                f"{row.role} cannot be accountable for {row.activity}.",
                next_step="Give the A to the sponsor, the PMO or the product manager.",
            )
    for activity in activities:
        if accountable[activity] != 1 or responsible[activity] < 1:
            raise broken(
                "R1",
                "RaciIncomplete",
                f"{activity} has {accountable[activity]} accountable and {responsible[activity]} responsible.",
                next_step="Give it exactly one A and at least one R.",
            )


@when_approved(Kind.CHARTER)
def adopt_charter(story: Story, decision: Decision) -> None:
    """The charter is in force and the first gate is passed."""

    charter = story.project.charter
    check_signed(decision, charter.content_hash)
    assert charter.draft is not None
    check_charter(story, charter.draft)
    story.record(CharterAdopted(revision=decision.subject.revision))
    pass_gate(story, decision)
    settle_all(story)
