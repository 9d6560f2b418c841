"""People who have left the organisation: their seats wait for others, and theirs again once they are back.

Source: docs/governance.md, D6 to D8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.project.counting import awaited, eligible, open_slots
from domain.project.decision import Decision, State
from domain.project.delegation import DelegationEnded
from domain.project.resolution import settle_all
from domain.project.team import Absence, can_be_repaired
from domain.sight import Visibility
from domain.values import Person, Role
from domain.words import word

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

CONCEPT = "role"
MOST_NAMED = 3
"""Decisions that one notice names; of more it says how many."""
MOST_OFFICERS = 200


class HolderLeft(Event):
    """A person was deactivated: the roles stay theirs, and count for nothing until the person is back."""

    allowed_by = "D6"
    en = "{person} has left the organisation and holds no seat here any more"
    zh = "{person} 已离开组织,在本项目中不再占有席位"
    person: str

    def apply(self, project: Project, happened: Happened) -> Project:
        team = project.team
        return project.but(team=replace(team, absences=(*team.absences, Absence(self.person, happened.at))))

    def tells(self, project: Project) -> Iterable[Notice]:
        seats = _passed_on(project, self.person)
        office = caretakers(project)
        for person in dict.fromkeys((*seats, *office)):
            waiting = seats.get(person, ())
            said = [*([_of_the_seats(waiting)] if waiting else []), *([_of_the_roles()] if person in office else [])]
            yield Notice(
                person,
                " ".join([f"{project.code}: {self.person} has left.", *(en for en, _ in said)]),
                "".join([f"{project.code}:{self.person} 已离开组织。", *(zh for _, zh in said)]),
                waiting[0].id if waiting else self.person,
            )


def caretakers(project: Project) -> tuple[str, ...]:
    """Who sees to what people leave behind: the PMO, or the sponsor where there is none."""
    return project.team.holders(Role.PMO) or project.team.holders(Role.SPONSOR)


def _passed_on(project: Project, person: str) -> dict[str, tuple[Decision, ...]]:
    """Whose turn it is, in the seats that were open to somebody who has left, and in which decisions."""
    found: dict[str, tuple[Decision, ...]] = {}
    for decision in project.open_decisions():
        if decision.state is not State.ON_HOLD:
            for heir in dict.fromkeys(_heirs(project, decision, person)):
                found[heir] = (*found.get(heir, ()), decision)
    return found


def _heirs(project: Project, decision: Decision, person: str) -> Iterator[str]:
    team = project.team
    before = team.with_back(person)
    for slot in open_slots(decision, team):
        if person in eligible(decision, slot, before):
            yield from awaited(decision, slot, team, project.today)


def _of_the_seats(decisions: tuple[Decision, ...]) -> tuple[str, str]:
    titles, more = [d.title for d in decisions[:MOST_NAMED]], len(decisions) - MOST_NAMED
    and_more = (f" and {more} more", f"等另外 {more} 项") if more > 0 else ("", "")
    return (
        f"Waits for you: {'; '.join(titles)}{and_more[0]}.",
        f"待你处理:{';'.join(titles)}{and_more[1]}。",
    )


def _of_the_roles() -> tuple[str, str]:
    return "Give their roles to others, or end them.", "请将其角色交给他人或予以结束。"


class HolderReturned(Event):
    """A person is active again: what was not ended meanwhile is theirs as before."""

    allowed_by = "D8"
    en = "{person} is back in the organisation and holds their roles again"
    zh = "{person} 已回到组织,恢复原有角色"
    person: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.but(team=project.team.with_back(self.person))

    def tells(self, project: Project) -> Iterable[Notice]:
        roles = sorted(project.team.roles(self.person))
        if roles:
            en, zh = ", ".join(word(r, "en") for r in roles), "、".join(word(r, "zh") for r in roles)
            yield Notice(self.person, f"{project.code}: you are again {en}.", f"{project.code}:你再次担任{zh}。")


class OfficersCalled(Event):
    """Too few people who decide are left to replace anybody (R6): the organisation's PMO officers were told.

    Of a confidential project nobody outside is: those are told who are left.
    """

    allowed_by = "D7"
    en = "Too few people who decide are left; told: {officers}"
    zh = "可决策的人过少,已通知:{officers}"
    officers: tuple[Person, ...]

    def apply(self, project: Project, happened: Happened) -> Project:
        return project

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in self.officers or project.team.members():
            yield Notice(
                person,
                f"{project.code}: too few people who decide are left to name others. "
                "Let one who left be activated again, so that roles can be handed over.",
                f"{project.code}:可决策的人过少,无法指定他人。请重新启用一位已离开者,以便移交角色。",
            )


class NoteHolderLeft(Command):
    """Take note that a person was deactivated: what waits for them waits for others (D6).

    Nothing happens where the person has nothing here, or it is known already.
    """

    roles = frozenset({Role.SYSTEM})
    while_held = True
    example = {"person": "chen.yu"}
    person: Person
    officers: Annotated[tuple[Person, ...], Field(max_length=MOST_OFFICERS, strict=False)] = ()
    """The organisation's PMO officers, who are told where nobody here can help."""

    def decide(self, story: Story) -> None:
        team = story.project.team
        if self.person in team.away or not team.granted(self.person):
            return
        story.record(HolderLeft(person=self.person))
        for given in story.project.delegations:
            if given.living(story.at) and self.person in {given.delegator, given.delegate}:
                story.record(DelegationEnded(delegation=given.id))
        if not can_be_repaired(story.project.team.pairs()):
            outside = () if story.project.visibility is Visibility.CONFIDENTIAL else self.officers
            story.record(OfficersCalled(officers=tuple(dict.fromkeys(outside))))
        settle_all(story)


class NoteHolderReturned(Command):
    """Take note that a person is active again: the roles not ended meanwhile are theirs as before (D8)."""

    roles = frozenset({Role.SYSTEM})
    while_held = True
    example = {"person": "chen.yu"}
    person: Person

    def decide(self, story: Story) -> None:
        if self.person in story.project.team.away:
            story.record(HolderReturned(person=self.person))
            settle_all(story)
