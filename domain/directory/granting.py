"""Organisation roles: granted by one, in force once a second person stood behind it.

Source: docs/governance.md, D2 to D5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from domain.directory.asking import (
    APART,
    check_active,
    check_administrator_remains,
    check_may_change,
    is_provider,
)
from domain.directory.record import Directory, OrganisationGrant, OrganisationRole
from domain.keeping.record import KeepingCommand, KeepingEvent, _KeepingEvent
from domain.messages import Happened
from domain.refusals import broken, not_allowed, wrong_state
from domain.values import Person

CONCEPT = "directory"
Second = Literal["second person awaited", "the only administrator", "mapping of the provider"]
"""Who stands behind a grant beside whoever gave it."""
AWAITED: Second = "second person awaited"
ALONE: Second = "the only administrator"
MAPPED: Second = "mapping of the provider"
GrantId = Annotated[str, StringConstraints(pattern=r"^R-[1-9][0-9]{0,8}$")]
"""`R-1`, `R-2` …: in the order granted."""
Granted = Annotated[OrganisationRole, Field(strict=False)]


def _turned(record: Directory, grant: str, change: Callable[[OrganisationGrant], OrganisationGrant]) -> Directory:
    return record.but(grants=tuple(change(g) if g.id == grant else g for g in record.grants))


class OrganisationRoleGranted(_KeepingEvent):
    """Somebody was given an organisation role; in force at once unless a second person is awaited."""

    allowed_by = "D2"
    en = "{actor} granted {person} the role {role} of the organisation ({second}, {grant})"
    zh = "{actor} 授予 {person} 组织角色「{role}」({second},{grant})"
    grant: GrantId
    person: Person
    role: Granted
    second: Second

    def turn(self, record: Directory, happened: Happened) -> Directory:
        in_force = self.second != AWAITED
        grant = OrganisationGrant(self.grant, self.person, self.role, happened.by, happened.at, in_force)
        return record.but(grants=(*record.grants, grant))


class OrganisationRoleConfirmed(_KeepingEvent):
    """A second administrator stands behind the grant: it is in force."""

    allowed_by = "D2"
    en = "{actor} confirmed that {person} is {role} of the organisation, as {granted_by} granted ({grant})"
    zh = "{actor} 确认 {granted_by} 授予 {person} 的组织角色「{role}」({grant})"
    grant: GrantId
    person: Person
    role: Granted
    granted_by: Person

    def turn(self, record: Directory, happened: Happened) -> Directory:
        return _turned(record, self.grant, lambda g: replace(g, confirmed=True))


class OrganisationRoleEnded(_KeepingEvent):
    """Somebody no longer has an organisation role, or is not going to get it."""

    allowed_by = "D5"
    en = "{actor} ended the role {role} of {person} in the organisation ({grant})"
    zh = "{actor} 结束了 {person} 的组织角色「{role}」({grant})"
    grant: GrantId
    person: Person
    role: Granted

    def turn(self, record: Directory, happened: Happened) -> Directory:
        return _turned(record, self.grant, lambda g: replace(g, ended_at=happened.at))


class GrantOrganisationRole(KeepingCommand):
    """Give somebody of the directory an organisation role; a second administrator has to confirm it."""

    example = {"person": "li.wei", "role": "PMO"}
    person: Person
    role: Granted

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        if any(g.role is self.role for g in open_grants(record, self.person)):
            raise wrong_state(
                "AlreadyGranted",
                f"{self.person} was granted this role before.",
                rule="D2",
                next_step="Look at the list of roles: it is in force, or a second administrator is to confirm it.",
            )
        return granted(record, self.person, self.role, person)


class ConfirmOrganisationRole(KeepingCommand):
    """Stand behind a grant as a second administrator, neither its giver nor its receiver: it is in force."""

    example = {"grant": "R-2"}
    grant: GrantId

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        grant = grant_of(record, self.grant)
        if grant.confirmed:
            raise wrong_state("AlreadyInForce", f"{grant.id} is in force.", next_step="Nothing is to be done.")
        if is_provider(person) or person == grant.by:
            raise not_allowed(
                "Whoever granted a role cannot be the second person who confirms it.",
                code="SecondPersonNeeded",
                rule="D2",
                next_step="Ask another administrator to confirm it.",
            )
        _check_not_oneself(grant.person, person)
        return [OrganisationRoleConfirmed(grant=grant.id, person=grant.person, role=grant.role, granted_by=grant.by)]


class EndOrganisationRole(KeepingCommand):
    """End a grant, in force or still to be confirmed."""

    example = {"grant": "R-2"}
    grant: GrantId

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        grant = grant_of(record, self.grant)
        if is_provider(person) and grant.by != person:
            raise not_allowed("A provider ends only what it has granted.", code="NotItsGrant", rule="D2")
        if grant.confirmed and grant.role is OrganisationRole.ADMINISTRATOR:
            check_administrator_remains(record, grant.person)
        return [OrganisationRoleEnded(grant=grant.id, person=grant.person, role=grant.role)]


def open_grants(record: Directory, person: str) -> list[OrganisationGrant]:
    """The person's grants that have not ended, confirmed or not."""
    return [g for g in record.grants if g.person == person and g.ended_at is None]


def granted(record: Directory, person: str, role: OrganisationRole, by: str) -> list[KeepingEvent]:
    """What gives the person the role. Raises Refused where they have left, are `by`, or have a role apart from it."""
    check_active(record, person)
    _check_not_oneself(person, by)
    for other in open_grants(record, person):
        if other.role in APART[role]:
            raise broken(
                "D4",
                "RolesApart",
                f"{person} is {other.role} ({other.id}): an auditor holds no other role of the organisation.",
                next_step="End that role first, or grant it to somebody else.",
            )
    return [
        OrganisationRoleGranted(
            grant=f"R-{len(record.grants) + 1}", person=person, role=role, second=_second(record, by)
        )
    ]


def grant_of(record: Directory, grant: str) -> OrganisationGrant:
    """The grant, not ended. Raises Refused where there is none of that name, or it has ended."""
    found = next((g for g in record.grants if g.id == grant), None)
    if found is None:
        raise broken("D2", "NoSuchGrant", f"There is no grant {grant}.", next_step="Look at the list of roles.")
    if found.ended_at is not None:
        raise wrong_state("GrantEnded", f"{grant} has ended.", rule="D2", next_step="Grant the role anew.")
    return found


def _second(record: Directory, by: str) -> Second:
    if is_provider(by):
        return MAPPED
    return ALONE if record.holders(OrganisationRole.ADMINISTRATOR) == (by,) else AWAITED


def _check_not_oneself(receiver: str, asker: str) -> None:
    if receiver == asker:
        raise not_allowed(
            "Nobody grants or confirms a role to themselves.",
            code="NotYourself",
            rule="D4",
            next_step="Ask another administrator.",
        )
