"""Teams: groups of people, such as departments. Projects may be open to a team (domain/sight.py).

Source: docs/governance.md, D1.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from domain.directory.asking import MOST_TEAMS, check_may_change, entry
from domain.directory.record import Directory, OrganisationTeam
from domain.keeping.record import KeepingCommand, KeepingEvent, _KeepingEvent
from domain.messages import Happened
from domain.refusals import broken, wrong_state
from domain.values import Person, Slug

CONCEPT = "directory"
Several = Annotated[tuple[Person, ...], Field(min_length=1, max_length=200, strict=False)]
"""1 to 200 people."""


def with_members(record: Directory, team: str, members: frozenset[str]) -> Directory:
    """The directory with these members of the team."""
    return record.but(teams=MappingProxyType({**record.teams, team: OrganisationTeam(members)}))


class TeamMade(_KeepingEvent):
    """There is a new team, with nobody in it."""

    allowed_by = "D1"
    en = "{actor} made the team {team}"
    zh = "{actor} 建立了团队 {team}"
    team: Slug

    def turn(self, record: Directory, happened: Happened) -> Directory:
        return with_members(record, self.team, frozenset())


class TeamJoined(_KeepingEvent):
    """People became members of a team."""

    allowed_by = "D1"
    en = "{actor} added {people} to the team {team}"
    zh = "{actor} 将 {people} 加入团队 {team}"
    team: Slug
    people: Several

    def turn(self, record: Directory, happened: Happened) -> Directory:
        return with_members(record, self.team, record.teams[self.team].members | set(self.people))


class TeamLeft(_KeepingEvent):
    """People are no longer members of a team."""

    allowed_by = "D1"
    en = "{actor} removed {people} from the team {team}"
    zh = "{actor} 将 {people} 移出团队 {team}"
    team: Slug
    people: Several

    def turn(self, record: Directory, happened: Happened) -> Directory:
        return with_members(record, self.team, record.teams[self.team].members - set(self.people))


class TeamDissolved(_KeepingEvent):
    """The team is no more; what was open to it alone is open to nobody through it."""

    allowed_by = "D1"
    en = "{actor} dissolved the team {team}"
    zh = "{actor} 解散了团队 {team}"
    team: Slug

    def turn(self, record: Directory, happened: Happened) -> Directory:
        teams = {name: team for name, team in record.teams.items() if name != self.team}
        return record.but(teams=MappingProxyType(teams))


class MakeTeam(KeepingCommand):
    """Make a team, with nobody in it yet."""

    example = {"team": "sales"}
    team: Slug

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        if self.team in record.teams:
            raise wrong_state("TeamExists", f"There is a team {self.team}.", next_step="Add people to it.")
        return made(record, self.team)


class AddToTeam(KeepingCommand):
    """Add people of the directory to a team, up to 200 at once. Members stay members."""

    example = {"team": "sales", "people": ["li.wei"]}
    team: Slug
    people: Several

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        members = members_of(record, self.team)
        for somebody in self.people:
            entry(record, somebody)
        return joined(self.team, [p for p in dict.fromkeys(self.people) if p not in members])


class RemoveFromTeam(KeepingCommand):
    """Remove people from a team, up to 200 at once. Who is no member is passed over."""

    example = {"team": "sales", "people": ["li.wei"]}
    team: Slug
    people: Several

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        members = members_of(record, self.team)
        gone = tuple(p for p in dict.fromkeys(self.people) if p in members)
        return [TeamLeft(team=self.team, people=gone)] if gone else []


class DissolveTeam(KeepingCommand):
    """End a team. Its people stay in the directory."""

    example = {"team": "sales"}
    team: Slug

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        members_of(record, self.team)
        return [TeamDissolved(team=self.team)]


def made(record: Directory, team: str) -> list[KeepingEvent]:
    """What makes the team be there; nothing where it is. Raises Refused where there are too many."""
    if team in record.teams:
        return []
    if len(record.teams) >= MOST_TEAMS:
        raise broken("D1", "TooManyTeams", f"A directory has at most {MOST_TEAMS} teams.")
    return [TeamMade(team=team)]


def joined(team: str, people: list[str]) -> list[KeepingEvent]:
    """What makes these people members, at most 200 an event."""
    return [TeamJoined(team=team, people=tuple(people[i : i + 200])) for i in range(0, len(people), 200)]


def members_of(record: Directory, team: str) -> frozenset[str]:
    """Everybody in the team, those who left included. Raises Refused where there is no such team."""
    if team not in record.teams:
        raise broken("D1", "NoSuchTeam", f"There is no team {team}.", next_step="Make it first, or name another.")
    return record.teams[team].members
