"""Who sees the project, and who holds a place in it and therefore always does.

Source: docs/governance.md, V1 to V4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.refusals import wrong_state
from domain.sight import Reader, Visibility, locks, sees
from domain.values import DECIDING_ROLES, Line, Role, Slug
from domain.words import word

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

MOST_TEAMS = 20
AT_THE_START = "named at the start"
WHOM = {
    Visibility.OPEN: ("everybody", "所有人"),
    Visibility.TEAM: ("its teams", "指定团队"),
    Visibility.CONFIDENTIAL: ("its own people alone", "仅项目人员"),
}
"""Whom a project is visible to, in English and Chinese."""
Teams = Annotated[tuple[Slug, ...], Field(max_length=MOST_TEAMS, strict=False)]
"""Teams of the directory; one that is not there opens nothing."""


def holds_place(project: Project, person: str) -> bool:
    """Whether the person is one of the project's own, whom it is always visible to."""
    return bool(project.team.roles(person)) or person in _others(project)


def places(project: Project) -> frozenset[str]:
    """Everybody who holds a place."""
    return frozenset((*project.team.members(), *_others(project)))


def seen_by(project: Project, reader: Reader) -> bool:
    """Whether the project exists for the reader."""
    held = holds_place(project, reader.person)
    return sees(reader, project.visibility, project.teams, holds_role=held)


def locks_of(project: Project) -> tuple[str, ...] | None:
    """The keys that open the project, see `Reader.keys`; None where it is open to everybody."""
    if project.visibility is Visibility.OPEN:
        return None
    return locks(project.visibility, project.teams, places(project))


def _others(project: Project) -> Iterator[str]:
    """Who holds a place without a role in force: in it waits, signs for somebody, or is asked in an open decision."""
    yield from (grant.person for grant in project.team.grants if grant.ended_at is None)
    if project.changed_at is not None:
        yield from (d.delegate for d in project.delegations if d.living(project.changed_at))
    for decision in project.open_decisions():
        yield from (person for slot in decision.slots for person in slot.persons or ())
        yield from (q.to for q in decision.questions if q.to is not None and q.answer is None)


def check_teams(visibility: Visibility, teams: tuple[str, ...]) -> None:
    """Raises ValueError where teams are named that see nothing by it, or none where somebody should."""
    if (visibility is Visibility.TEAM) != bool(teams):
        raise ValueError("teams go with the visibility TEAM, and it with at least one")


class VisibilityChanged(Event):
    """From now on the project is visible to others: to everybody, to teams, or to its own people alone."""

    allowed_by = "V1"
    en = "{actor} made the project visible to {visibility} ({teams}): {reason}"
    zh = "{actor} 将项目可见范围设为{visibility}({teams}):{reason}"
    visibility: Visibility
    teams: tuple[Slug, ...]
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.but(visibility=self.visibility, teams=self.teams)

    def tells(self, project: Project) -> Iterable[Notice]:
        en, zh = WHOM[self.visibility]
        people = (person for role in Role if role in DECIDING_ROLES for person in project.team.holders(role))
        for person in dict.fromkeys(people):
            yield Notice(person, f"{project.code} is visible to {en} now.", f"{project.code} 现对{zh}可见。")

    def sentence(self, language: str, actor: str) -> str:
        """In words of its own: what is open to everybody is called as open decisions are, which reads as nonsense."""
        chinese = language.startswith("zh")
        return (self.zh if chinese else self.en).format(
            actor=actor,
            visibility=WHOM[self.visibility][chinese],
            teams=("、" if chinese else ", ").join(self.teams) or "–",
            reason=word(self.reason, language),
        )


class ChangeVisibility(Command):
    """Say who sees the project besides its own people: everybody, teams, or nobody (V1 to V3).

    For whoever does not see it, it does not exist: neither its state nor anything that ever happened in it.
    """

    roles = frozenset({Role.SPONSOR, Role.PMO})
    while_held = True
    example = {"visibility": "CONFIDENTIAL", "reason": "An acquisition is being prepared"}
    visibility: Annotated[Visibility, Field(strict=False)]
    teams: Teams = ()
    reason: Line

    @model_validator(mode="after")
    def _fitting(self) -> ChangeVisibility:
        check_teams(self.visibility, self.teams)
        return self

    def decide(self, story: Story) -> None:
        teams = tuple(dict.fromkeys(self.teams))
        if (self.visibility, set(teams)) == (story.project.visibility, set(story.project.teams)):
            raise wrong_state(
                "VisibleAlready", "The project is visible to exactly these already.", next_step="Nothing is to be done."
            )
        story.record(VisibilityChanged(visibility=self.visibility, teams=teams, reason=self.reason))
