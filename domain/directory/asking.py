"""Who may change the directory, and what must hold whoever asks. Source: docs/governance.md, D1 to D5."""

from __future__ import annotations

from domain.directory.record import Directory, Entry, OrganisationRole
from domain.permissions import ADMINISTRATORS, Standing, holds
from domain.refusals import Refused, broken, not_allowed, wrong_state

PROVIDER = "provider."
"""How the names of identity providers begin: an operator has connected them; no person is called so."""
MOST_PEOPLE = 20_000
"""Entries, those who left included."""
MOST_TEAMS = 1_000
APART = {
    OrganisationRole.AUDITOR: frozenset({OrganisationRole.PMO, OrganisationRole.ADMINISTRATOR}),
    OrganisationRole.PMO: frozenset({OrganisationRole.AUDITOR}),
    OrganisationRole.ADMINISTRATOR: frozenset({OrganisationRole.AUDITOR}),
}
"""Which roles a holder of the role may not have (D4)."""


def is_provider(person: str) -> bool:
    """Whether it is an identity provider, not a person."""
    return person.startswith(PROVIDER)


def may_change(record: Directory, person: str) -> bool:
    """Whether it is an administrator, or a provider."""
    return is_provider(person) or holds(ADMINISTRATORS, Standing(organisation=record.roles(person)))


def check_may_change(record: Directory, person: str) -> None:
    """Raises Refused unless an administrator asks, or a provider."""
    if not record.people:
        raise wrong_state(
            "NotFounded",
            "Nobody has founded the directory yet.",
            rule="D1",
            next_step="Found it first: the page of the first run does, and on a development machine `directory found`.",
        )
    if may_change(record, person):
        return
    raise not_allowed(
        "Only an administrator changes the directory.",
        code="NotAdministrator",
        rule="D1",
        next_step="Ask an administrator; the list of roles names them.",
    )


def check_name(person: str) -> None:
    """Raises Refused where a person would be taken for a provider."""
    if is_provider(person):
        raise broken("D1", "ReservedName", f"Names that begin with {PROVIDER} are of identity providers.")


def check_room(record: Directory) -> None:
    """Raises Refused where the directory is full."""
    if len(record.people) >= MOST_PEOPLE:
        raise broken("D1", "DirectoryFull", f"A directory holds at most {MOST_PEOPLE} people.")


def entry(record: Directory, person: str) -> Entry:
    """The person's entry, active or not. Raises Refused where the directory does not know the person."""
    if person not in record.people:
        raise broken(
            "D1", "NotInDirectory", f"The directory does not know {person}.", next_step="Add the person first."
        )
    return record.people[person]


def check_active(record: Directory, person: str) -> None:
    """Raises Refused where the person is unknown or has left."""
    if entry(record, person).left_at is not None:
        raise has_left(person)


def has_left(person: str) -> Refused:
    """The person is in the directory, deactivated."""
    return wrong_state(
        "PersonLeft",
        f"{person} was deactivated.",
        rule="D5",
        next_step="Reactivate the person first.",
    )


def check_administrator_remains(record: Directory, without: str) -> None:
    """Raises Refused where nobody but `without` is administrator."""
    if record.holders(OrganisationRole.ADMINISTRATOR) == (without,):
        raise broken(
            "D5",
            "LastAdministrator",
            f"{without} is the last administrator.",
            next_step="Make somebody else administrator first.",
        )
