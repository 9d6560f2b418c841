"""The people of a project and the roles they hold: assigned, confirmed by a second person, ended.

Source: docs/governance.md, R3 to R6, DR6, D6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from domain.messages import Event, Happened
from domain.notice import Notice
from domain.refusals import broken
from domain.values import DECIDING_ROLES, Personal, Role
from domain.words import word

if TYPE_CHECKING:
    from domain.project.aggregate import Project

CONCEPT = "role"
ASSIGNING_ROLES = frozenset({Role.PMO, Role.SPONSOR})
ProjectRole = Literal["SPONSOR", "PMO", "PRODUCT_MANAGER", "MEMBER", "AUDITOR"]


@dataclass(frozen=True, slots=True)
class Grant:
    """A role given to a person. A role with decision rights is in force once a second person confirmed it."""

    id: str
    person: str
    role: Role
    by: str
    since: datetime
    confirmed: bool
    ended_at: datetime | None = None
    seconded: bool = False
    """Whether a second person stood behind it: by confirming it, or by signing the charter."""

    @property
    def in_force(self) -> bool:
        return self.confirmed and self.ended_at is None


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody who has left the organisation, and since when this project knows."""

    person: str
    since: datetime


@dataclass(frozen=True)
class Team:
    """Every grant that ever was, oldest first. Who holds what is looked up once per team: it never changes."""

    grants: tuple[Grant, ...] = ()
    solo_until: date | None = None
    """R3: until this day one person may hold PMO and product manager."""
    solo_reason: str | None = None
    absences: tuple[Absence, ...] = ()

    @cached_property
    def away(self) -> frozenset[str]:
        """Who has left the organisation: their grants stay, and count for nothing (D6)."""
        return frozenset(absence.person for absence in self.absences)

    def holders(self, role: Role) -> tuple[str, ...]:
        """Who holds the role now, in the order granted, each once."""
        return self._holders.get(role, ())

    @cached_property
    def _holders(self) -> Mapping[Role, tuple[str, ...]]:
        found: dict[Role, dict[str, None]] = {}
        for grant in self.grants:
            if grant.in_force and grant.person not in self.away:
                found.setdefault(grant.role, {})[grant.person] = None
        return {role: tuple(people) for role, people in found.items()}

    @cached_property
    def _roles(self) -> Mapping[str, frozenset[Role]]:
        people = {person for holders in self._holders.values() for person in holders}
        return {p: frozenset(role for role, holders in self._holders.items() if p in holders) for p in people}

    def electors(self, role: Role, opening: Team) -> tuple[str, ...]:
        """Holders who count in a decision that opened with that team: later grants need a second person (DR6)."""
        if len(opening.grants) == len(self.grants):
            return self.holders(role)
        grants = (g for i, g in enumerate(self.grants) if i < len(opening.grants) or g.seconded)
        people = (g.person for g in grants if g.role is role and g.in_force)
        return tuple(dict.fromkeys(person for person in people if person not in self.away))

    def left(self, role: Role, opening: Team) -> tuple[str, ...]:
        """Who held the role in that earlier team and does no longer."""
        now = self.holders(role)
        return tuple(p for p in opening.holders(role) if p not in now)

    def pending(self, person: str, role: Role) -> bool:
        """Whether the role was given to the person and waits for a second person."""
        return any((g.person, g.role) == (person, role) and not g.confirmed and not g.ended_at for g in self.grants)

    def roles(self, person: str) -> frozenset[Role]:
        """The roles that the person holds now."""
        return self._roles.get(person, frozenset())

    def ever(self, person: str) -> frozenset[Role]:
        """Every role that the person was ever given here."""
        return frozenset(g.role for g in self.grants if g.person == person)

    def members(self) -> tuple[str, ...]:
        """Everybody who holds a role now."""
        people = (g.person for g in self.grants if g.in_force)
        return tuple(dict.fromkeys(person for person in people if person not in self.away))

    def pairs(self) -> tuple[tuple[str, Role], ...]:
        """Every (person, role) held now."""
        return tuple((person, role) for role, people in self._holders.items() for person in people)

    def granted(self, person: str) -> frozenset[Role]:
        """The roles given to the person and not ended: held, waiting for a second person, or theirs once back (D8)."""
        return frozenset(g.role for g in self.grants if g.person == person and g.ended_at is None)

    def solo(self, today: date) -> bool:
        """Whether a solo exception is live."""
        return self.solo_until is not None and today <= self.solo_until

    def with_grant(
        self, person: str, role: Role, by: str, at: datetime, *, confirmed: bool, seconded: bool = False
    ) -> Team:
        grant = Grant(f"G-{len(self.grants) + 1}", person, role, by, at, confirmed, seconded=seconded)
        return replace(self, grants=(*self.grants, grant))

    def with_back(self, person: str) -> Team:
        """The team once the person has returned to the organisation."""
        return replace(self, absences=tuple(a for a in self.absences if a.person != person))

    def without(self, person: str, role: Role, at: datetime) -> Team:
        def ended(g: Grant) -> Grant:
            gone = g.person == person and g.role is role and g.ended_at is None
            return replace(g, ended_at=at) if gone else g

        return replace(self, grants=tuple(ended(g) for g in self.grants))


def check_auditor_is_apart(team: Team, pairs: Iterable[tuple[str, Role]]) -> None:
    """R4: an auditor never holds another role on this project, looked up over its whole history."""
    given: dict[str, set[Role]] = {}
    for person, role in pairs:
        given.setdefault(person, set(team.ever(person))).add(role)
    for person, roles in given.items():
        if Role.AUDITOR in roles and len(roles) > 1:
            others = ", ".join(sorted(r for r in roles if r is not Role.AUDITOR))
            raise broken(
                "R4",
                "AuditorNotApart",
                f"{person} cannot be auditor of this project and {others}, now or ever.",
                next_step="Name an auditor who never had another role here.",
            )


def check_two_sides(team: Team, pmo: Iterable[str], product: Iterable[str], today: date) -> None:
    """R3: PMO and product manager are different people unless a solo exception is live."""
    both = set(pmo) & set(product)
    if both and not team.solo(today):
        raise broken(
            "R3",
            "SamePersonOnBothSides",
            f"{', '.join(sorted(both))} would be PMO and product manager at once.",
            next_step="Name another person, or ask the sponsor for a solo exception.",
        )


def can_be_repaired(pairs: Iterable[tuple[str, Role]]) -> bool:
    """R6: one person assigns a role and another one confirms it; below that nobody could ever be replaced."""
    held = [(person, role) for person, role in pairs if role in DECIDING_ROLES]
    return len({person for person, _ in held}) >= 2 and any(role in ASSIGNING_ROLES for _, role in held)


def check_is_here(team: Team, person: str) -> None:
    """D8: nobody who has left the organisation is given anything to do."""
    if person in team.away:
        raise broken(
            "D8",
            "PersonLeft",
            f"{person} has left the organisation.",
            next_step="Name somebody else, or let an administrator activate them again first.",
        )


def check_can_be_repaired(pairs: Iterable[tuple[str, Role]]) -> None:
    """R6: somebody must be left who can give and confirm roles."""
    if not can_be_repaired(pairs):
        raise broken(
            "R6",
            "TooFewDeciders",
            "Fewer than two people, a sponsor or PMO among them, would hold a role that decides.",
            next_step="Give somebody else such a role first, and let it be confirmed.",
        )


def welcome(project: Project, person: str, role: Role, grant: str) -> Notice:
    """What somebody is told whose role is in force from now on."""
    en, zh = word(role, "en"), word(role, "zh")
    return Notice(person, f"{project.code}: you are now {en}.", f"{project.code}:你已担任{zh}。", grant)


class RoleAssigned(Event):
    """A person was given a role; with decision rights it waits for a second person (R6)."""

    allowed_by = "R6"
    en = "{actor} gave {person} the role {role}"
    zh = "{actor} 指派 {person} 担任{role}"
    grant: str
    person: str
    role: Role
    reason: Annotated[str, Personal("person")]
    confirmed: bool

    def apply(self, project: Project, happened: Happened) -> Project:
        team = project.team.with_grant(self.person, self.role, happened.by, happened.at, confirmed=self.confirmed)
        return project.but(team=team)

    def tells(self, project: Project) -> Iterable[Notice]:
        if self.confirmed:
            yield Notice(
                self.person, f"You are now {word(self.role, 'en')}.", f"你已担任{word(self.role, 'zh')}。", self.grant
            )
            return
        for person in project.team.holders(Role.SPONSOR) + project.team.holders(Role.PMO):
            yield Notice(
                person,
                f"{project.code}: {self.person} as {word(self.role, 'en')} waits for a second person to confirm.",
                f"{project.code}:{self.person} 担任{word(self.role, 'zh')}待第二人确认。",
                self.grant,
            )


class RoleConfirmed(Event):
    """A second person confirmed a grant: it is in force."""

    allowed_by = "R6"
    en = "{actor} confirmed {person} as {role}"
    zh = "{actor} 确认 {person} 担任{role}"
    grant: str
    person: str
    role: Role

    def apply(self, project: Project, happened: Happened) -> Project:
        grants = tuple(
            replace(g, confirmed=True, seconded=True) if g.id == self.grant else g for g in project.team.grants
        )
        return project.but(team=replace(project.team, grants=grants))

    def tells(self, project: Project) -> Iterable[Notice]:
        yield Notice(
            self.person, f"You are now {word(self.role, 'en')}.", f"你已担任{word(self.role, 'zh')}。", self.grant
        )


class RoleEnded(Event):
    """A person no longer holds a role."""

    allowed_by = "R5"
    en = "{actor} ended the role {role} of {person}: {reason}"
    zh = "{actor} 结束了 {person} 的{role}角色:{reason}"
    person: str
    role: Role
    reason: Annotated[str, Personal("person")]

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.but(team=project.team.without(self.person, self.role, happened.at))


class SoloExceptionGranted(Event):
    """The sponsor lets one person hold both sides for a while; every report shows it."""

    allowed_by = "R3"
    en = "{actor} granted a solo exception until {until}: {reason}"
    zh = "{actor} 批准单人兼任至 {until}:{reason}"
    until: date
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.but(team=replace(project.team, solo_until=self.until, solo_reason=self.reason))
