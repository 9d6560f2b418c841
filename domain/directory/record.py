"""The state of the directory. Names of people and addresses are not here: they are in the vault.

Source: docs/governance.md, D1 to D5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from domain.keeping.record import Record

STREAM = "directory"


class OrganisationRole(StrEnum):
    """What a person is beyond single projects."""

    PMO = "PMO"
    """The office: sees every project but the confidential ones, delegates for the absent, keeps people's data."""
    AUDITOR = "AUDITOR"
    """Reads what the office reads, and the audit view; changes nothing."""
    ADMINISTRATOR = "ADMINISTRATOR"
    """Keeps directory and installation; has no say in projects and sees no more of them than anybody."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A person of the organisation."""

    since: datetime
    left_at: datetime | None = None
    """When the person was deactivated; None while active."""


@dataclass(frozen=True, slots=True)
class OrganisationTeam:
    """A group of people, such as a department."""

    members: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OrganisationGrant:
    """An organisation role given to a person; in force once a second person stood behind it."""

    id: str
    person: str
    role: OrganisationRole
    by: str
    since: datetime
    confirmed: bool
    ended_at: datetime | None = None

    @property
    def in_force(self) -> bool:
        return self.confirmed and self.ended_at is None


@dataclass(frozen=True, slots=True)
class Directory(Record):
    """Everybody, as of `version`."""

    people: Mapping[str, Entry] = field(default_factory=lambda: MappingProxyType({}))
    teams: Mapping[str, OrganisationTeam] = field(default_factory=lambda: MappingProxyType({}))
    grants: tuple[OrganisationGrant, ...] = ()
    """Every one that ever was, oldest first."""

    def left(self, person: str) -> bool:
        """Whether the person was deactivated."""
        entry = self.people.get(person)
        return entry is not None and entry.left_at is not None

    def roles(self, person: str) -> frozenset[OrganisationRole]:
        """The organisation roles of the person; none for whoever has left."""
        if self.left(person):
            return frozenset()
        return frozenset(g.role for g in self.grants if g.person == person and g.in_force)

    def holders(self, role: OrganisationRole) -> tuple[str, ...]:
        """Who holds the role now, in the order granted."""
        found = (g.person for g in self.grants if g.role is role and g.in_force)
        return tuple(dict.fromkeys(person for person in found if not self.left(person)))

    def teams_of(self, person: str) -> frozenset[str]:
        """The teams of the person; none for whoever has left."""
        if self.left(person):
            return frozenset()
        return frozenset(name for name, team in self.teams.items() if person in team.members)
