"""A directory that a test has made up, where nobody has to be asked."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from domain.directory.record import (
    STREAM,
    Directory,
    Entry,
    OrganisationGrant,
    OrganisationRole,
    OrganisationTeam,
)

SINCE = datetime(2026, 3, 2, tzinfo=UTC)
FOUNDER = "root.admin"


class FixedRoster:
    """Always the same directory; the door asks it: `behind.door.sight.roster`."""

    def __init__(self, known: Directory) -> None:
        self.known = known

    async def directory(self) -> Directory:
        return self.known

    def forget(self) -> None:
        """Nothing else is to be known."""


def directory_of(
    roles: Mapping[str, Iterable[str]],
    teams: Mapping[str, Iterable[str]] = MappingProxyType({}),
    left: Iterable[str] = (),
) -> Directory:
    """These people with these roles in force, `{"an.jing": ["AUDITOR"], "li.wei": []}`; `left` were deactivated."""
    gone = set(left)
    named = {*roles, *gone, *(person for members in teams.values() for person in members)}
    given = [(person, OrganisationRole(role)) for person, each in roles.items() for role in each]
    return Directory(
        STREAM,
        version=1,
        changed_at=SINCE,
        people={person: Entry(SINCE, SINCE if person in gone else None) for person in sorted(named)},
        teams={name: OrganisationTeam(frozenset(members)) for name, members in teams.items()},
        grants=tuple(
            OrganisationGrant(f"R-{number}", person, role, FOUNDER, SINCE, confirmed=True)
            for number, (person, role) in enumerate(given, 1)
        ),
    )
