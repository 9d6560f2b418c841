"""Who may see a project at all.

Source: docs/governance.md, V1 to V4.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from domain.directory.record import OrganisationRole

SEE_TEAMS = frozenset({OrganisationRole.PMO, OrganisationRole.AUDITOR})
"""Organisation roles that see what its teams alone see otherwise."""
OFFICE = "organisation"
"""The key of whoever holds one of them."""


class Visibility(StrEnum):
    """Who sees a project that holds no role in it."""

    OPEN = "OPEN"
    """Everybody who is signed in."""
    TEAM = "TEAM"
    """The teams that it names, the PMO and the auditors of the organisation."""
    CONFIDENTIAL = "CONFIDENTIAL"
    """Nobody else."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who reads, with what the directory says of them."""

    person: str
    roles: frozenset[OrganisationRole] = frozenset()
    teams: frozenset[str] = frozenset()

    @property
    def sees_teams(self) -> bool:
        """Whether projects of every team are open to them."""
        return bool(self.roles & SEE_TEAMS)

    @property
    def keys(self) -> list[str]:
        """By what projects that are not open are open to them: a project is seen whose `locks` have one of these."""
        office = [OFFICE] if self.sees_teams else []
        return [_of_person(self.person), *office, *(_of_team(team) for team in sorted(self.teams))]


def sees(reader: Reader, visibility: Visibility, teams: Collection[str], *, holds_role: bool) -> bool:
    """Whether the project exists for this reader."""
    if holds_role or visibility is Visibility.OPEN:
        return True
    return visibility is Visibility.TEAM and (reader.sees_teams or bool(reader.teams & set(teams)))


def locks(visibility: Visibility, teams: Iterable[str], people: Iterable[str]) -> tuple[str, ...] | None:
    """The same the other way round: the keys that open a project in which these people hold a place; None: any."""
    if visibility is Visibility.OPEN:
        return None
    wider = [OFFICE, *(_of_team(team) for team in sorted(teams))] if visibility is Visibility.TEAM else []
    return (*wider, *(_of_person(person) for person in sorted(people)))


def _of_person(person: str) -> str:
    return f"person/{person}"


def _of_team(team: str) -> str:
    return f"team/{team}"
