"""People come and go: founding the directory, adding, deactivating, reactivating.

Source: docs/governance.md, D1, D4 and D5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from domain.directory.asking import (
    check_administrator_remains,
    check_may_change,
    check_name,
    check_room,
    entry,
    has_left,
)
from domain.directory.record import Directory, Entry, OrganisationGrant, OrganisationRole
from domain.keeping.record import KeepingCommand, KeepingEvent, _KeepingEvent
from domain.messages import Happened
from domain.refusals import wrong_state
from domain.values import Person

CONCEPT = "directory"
LeavingBasis = Literal["left the organisation", "long absence", "account at risk", "told by the provider"]
"""Why somebody is deactivated; words to choose from, since a reason in free words would be personal."""
FIRST = "R-1"
"""The founder's grant."""


def with_entry(record: Directory, person: str, kept: Entry) -> Directory:
    """The directory with this entry of the person."""
    people: Mapping[str, Entry] = MappingProxyType({**record.people, person: kept})
    return record.but(people=people)


class DirectoryFounded(_KeepingEvent):
    """The first person is in the directory, and is its administrator."""

    allowed_by = "D1"
    en = "{actor} founded the directory; {person} is its first administrator"
    zh = "{actor} 建立了组织目录,{person} 为首位管理员"
    person: Person

    def turn(self, record: Directory, happened: Happened) -> Directory:
        role = OrganisationRole.ADMINISTRATOR
        grant = OrganisationGrant(FIRST, self.person, role, happened.by, happened.at, confirmed=True)
        return with_entry(record, self.person, Entry(happened.at)).but(grants=(grant,))


class PersonAdded(_KeepingEvent):
    """A person belongs to the organisation."""

    allowed_by = "D1"
    en = "{actor} added {person} to the directory"
    zh = "{actor} 将 {person} 加入组织目录"
    person: Person

    def turn(self, record: Directory, happened: Happened) -> Directory:
        return with_entry(record, self.person, Entry(happened.at))


class PersonInvited(_KeepingEvent):
    """Somebody was given a link that signs the person in once: whoever opens it first acts in that name."""

    allowed_by = "D1"
    en = "{actor} made a link that signs {person} in once"
    zh = "{actor} 为 {person} 生成了一次性登录链接"
    person: Person

    def turn(self, record: Directory, happened: Happened) -> Directory:
        return record


class PersonDeactivated(_KeepingEvent):
    """A person can no longer sign in or act; every organisation role of theirs has ended with it."""

    allowed_by = "D5"
    en = "{actor} deactivated {person} ({basis}); their organisation roles ended"
    zh = "{actor} 停用了 {person}({basis}),其组织角色随之结束"
    person: Person
    basis: LeavingBasis

    def turn(self, record: Directory, happened: Happened) -> Directory:
        grants = tuple(
            replace(g, ended_at=happened.at) if g.person == self.person and g.ended_at is None else g
            for g in record.grants
        )
        left = replace(record.people[self.person], left_at=happened.at)
        return with_entry(record, self.person, left).but(grants=grants)


class PersonReactivated(_KeepingEvent):
    """A person who had left is back: a member of the same teams, without any organisation role."""

    allowed_by = "D5"
    en = "{actor} reactivated {person}"
    zh = "{actor} 重新启用了 {person}"
    person: Person

    def turn(self, record: Directory, happened: Happened) -> Directory:
        return with_entry(record, self.person, replace(record.people[self.person], left_at=None))


class FoundDirectory(KeepingCommand):
    """Found the directory: whoever does is its first person and administrator. Only while it is empty."""

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_name(person)
        if record.people:
            raise wrong_state(
                "AlreadyFounded",
                "The directory was founded before.",
                rule="D1",
                next_step="Ask an administrator to add you; the list of roles names them.",
            )
        return [DirectoryFounded(person=person)]


class AddPerson(KeepingCommand):
    """Add a person to the directory. Who is there already stays as they are."""

    example = {"person": "li.wei"}
    person: Person

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        return added(record, self.person)


class InvitePerson(KeepingCommand):
    """Add a person where the directory does not know them, and note that a link was made that signs them in."""

    example = {"person": "li.wei"}
    person: Person

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        return [*added(record, self.person), PersonInvited(person=self.person)]


class DeactivatePerson(KeepingCommand):
    """Let a person no longer sign in or act, at once; their organisation roles end."""

    example = {"person": "li.wei", "basis": "left the organisation"}
    person: Person
    basis: LeavingBasis

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        if entry(record, self.person).left_at is not None:
            return []
        check_administrator_remains(record, self.person)
        return [PersonDeactivated(person=self.person, basis=self.basis)]


class ReactivatePerson(KeepingCommand):
    """Let a person who was deactivated sign in and act again; roles have to be granted anew."""

    example = {"person": "li.wei"}
    person: Person

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        gone = entry(record, self.person).left_at is not None
        return [PersonReactivated(person=self.person)] if gone else []


def added(record: Directory, person: str) -> list[KeepingEvent]:
    """What makes the person belong; nothing where they do. Raises Refused where they have left."""
    known = record.people.get(person)
    if known is None:
        check_name(person)
        check_room(record)
        return [PersonAdded(person=person)]
    if known.left_at is not None:
        raise has_left(person)
    return []
