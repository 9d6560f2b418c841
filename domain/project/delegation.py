"""Signing for somebody who is away: who may, for what, from when until when.

Source: docs/governance.md, DR7.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from domain.messages import Command, Event, Happened
from domain.notice import Notice
from domain.refusals import broken, not_allowed, not_found, wrong_state
from domain.template import Kind
from domain.values import BUSINESS_ROLES, Day, Line, Person, Personal, Role, Slug

if TYPE_CHECKING:
    from domain.project.aggregate import Project
    from domain.story import Story

MOST_LIVING = 100
"""Delegations of one project that have not ended."""
LONGEST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Delegation:
    """One person may sign for another, for a while; it ends by itself at `until`."""

    id: str
    delegator: str
    delegate: str
    kinds: tuple[Kind, ...]
    """The kinds of decisions; empty: every kind."""
    since: datetime
    until: datetime
    by: str
    """Who set it: the delegator, or the PMO for somebody absent."""
    ended_at: datetime | None = None

    def living(self, at: datetime) -> bool:
        """Whether it is, or will be, good for something."""
        return self.ended_at is None and at < self.until

    def allows(self, kind: Kind, at: datetime) -> bool:
        return self.living(at) and self.since <= at and (not self.kinds or kind in self.kinds)

    def meets(self, other: Delegation) -> bool:
        """Whether both speak of the same kind of decision at the same time."""
        together = self.since < other.until and other.since < self.until
        return together and (not self.kinds or not other.kinds or bool(set(self.kinds) & set(other.kinds)))


def hands(project: Project, person: str, kind: Kind, at: datetime) -> tuple[str, ...]:
    """Who may sign decisions of this kind for the person now."""
    return tuple(d.delegate for d in project.delegations if d.delegator == person and d.allows(kind, at))


def authority(project: Project, hand: str, person: str, at: datetime) -> Delegation | None:
    """A delegation by which `hand` acts for `person` now, for whatever kind."""
    mine = (d for d in project.delegations if d.delegate == hand and d.delegator == person)
    return next((d for d in mine if d.living(at) and d.since <= at), None)


class DelegationGranted(Event):
    """A person may sign for another, for a while."""

    allowed_by = "DR7"
    en = "{delegate} may sign for {delegator} from {since} to {until} ({kinds}). {reason}"
    zh = "{delegate} 可在 {since} 至 {until} 代 {delegator} 签署({kinds})。{reason}"
    delegation: str
    delegator: str
    delegate: str
    kinds: tuple[Kind, ...]
    since: datetime
    until: datetime
    reason: Annotated[str, Personal("delegator")]

    def apply(self, project: Project, happened: Happened) -> Project:
        fields = {name: getattr(self, name) for name in ("delegator", "delegate", "kinds", "since", "until")}
        return project.but(delegations=(*project.delegations, Delegation(self.delegation, by=happened.by, **fields)))

    def tells(self, project: Project) -> Iterable[Notice]:
        last = f"{self.until:%Y-%m-%d}"
        en = f"{self.delegate} may sign for {self.delegator} until {last}"
        return _told(project, self.delegation, en, f"{self.delegate} 可代 {self.delegator} 签署,至 {last}")


class DelegationEnded(Event):
    """A delegation was taken back before its time."""

    allowed_by = "DR7"
    en = "{actor} ended delegation {delegation}"
    zh = "{actor} 终止委托 {delegation}"
    delegation: str

    def apply(self, project: Project, happened: Happened) -> Project:
        ended = (replace(d, ended_at=happened.at) if d.id == self.delegation else d for d in project.delegations)
        return project.but(delegations=tuple(ended))

    def tells(self, project: Project) -> Iterable[Notice]:
        found = next(d for d in project.delegations if d.id == self.delegation)
        en = f"{found.delegate} signs for {found.delegator} no longer"
        return _told(project, self.delegation, en, f"{found.delegate} 不再代 {found.delegator} 签署")


def _told(project: Project, delegation: str, en: str, zh: str) -> Iterable[Notice]:
    """Both persons see what was set for them, whoever set it."""
    found = next(d for d in project.delegations if d.id == delegation)
    here = (person for person in (found.delegate, found.delegator) if person not in project.team.away)
    return [Notice(person, f"{en}.", f"{zh}。", delegation) for person in here]


class GrantDelegation(Command):
    """Let somebody sign for you while you are away (DR7). The PMO may set it for a person who is absent.

    From the start of the day `since` (today, if left out) to the end of the day `until`; for the kinds of
    decisions that are named, or all. Whoever signs for you needs a role that may sign, and passes on nothing.
    """

    roles = BUSINESS_ROLES
    while_held = True
    example = {"to": "zhao.min", "until": "2027-03-31", "reason": "On leave"}
    to: Person
    until: Day
    since: Day | None = None
    kinds: Annotated[tuple[Kind, ...], Field(max_length=len(Kind), strict=False)] = ()
    person: Person | None = None
    """For whom, where the PMO sets it for somebody absent."""
    reason: Annotated[Line, Personal("person")]

    def decide(self, story: Story) -> None:
        wanted = self._wanted(story)
        self._check_people(story, wanted)
        _check_time(story, wanted)
        _check_others(story.project, wanted, story)
        story.record(
            DelegationGranted(
                delegation=wanted.id,
                delegator=wanted.delegator,
                delegate=wanted.delegate,
                kinds=wanted.kinds,
                since=wanted.since,
                until=wanted.until,
                reason=self.reason,
            )
        )

    def _wanted(self, story: Story) -> Delegation:
        first = self.since or story.today
        since = story.at if first <= story.today else story.start_of(first)
        number = f"L-{len(story.project.delegations) + 1}"
        delegator = self.person or story.person
        kinds = tuple(dict.fromkeys(self.kinds))
        return Delegation(number, delegator, self.to, kinds, since, story.end_of(self.until), story.person)

    def _check_people(self, story: Story, wanted: Delegation) -> None:
        team = story.project.team
        if wanted.delegator != story.person and Role.PMO not in team.roles(story.person):
            raise not_allowed(
                "Only the PMO may set a delegation for somebody else.",
                code="NotYourOwn",
                rule="DR7",
                next_step=f"Ask {wanted.delegator}, or the PMO.",
            )
        if wanted.delegate == wanted.delegator or story.person == wanted.delegate:
            raise broken(
                "DR7",
                "DelegateSame",
                "The delegate is neither the person who is away nor whoever sets the delegation.",
                next_step="Choose somebody else.",
            )
        for person in (wanted.delegator, wanted.delegate):
            if not team.roles(person) & BUSINESS_ROLES:
                raise broken(
                    "DR7",
                    "DelegateWithoutRole",
                    f"{person} has no role in this project that may sign.",
                    next_step="Give them a role first: assign-role.",
                )


def _check_time(story: Story, wanted: Delegation) -> None:
    if wanted.until <= wanted.since or (wanted.until - wanted.since).days > LONGEST_DAYS:
        raise broken(
            "DR7",
            "DelegationDates",
            f"A delegation lasts from a day on, today or later, to a later one, at most {LONGEST_DAYS} days.",
            next_step="Correct `since` and `until`.",
        )
    if sum(d.living(story.at) for d in story.project.delegations) >= MOST_LIVING:
        raise broken("DR7", "TooManyDelegations", f"A project has at most {MOST_LIVING} living delegations.")


def _check_others(project: Project, wanted: Delegation, story: Story) -> None:
    for other in project.delegations:
        if not other.living(story.at) or not other.meets(wanted):
            continue
        if other.delegator == wanted.delegator:
            raise broken(
                "DR7",
                "DelegationOverlaps",
                f"{other.delegate} signs for {other.delegator} in that time already ({other.id}).",
                next_step=f"End {other.id} first: end-delegation; or choose other days.",
            )
        if other.delegator == wanted.delegate or other.delegate == wanted.delegator:
            raise broken(
                "DR7",
                "DelegationChain",
                f"{other.delegator} is represented by {other.delegate} then ({other.id}): nothing is passed on.",
                next_step="Choose somebody who is neither away nor signing for another then.",
            )


class EndDelegation(Command):
    """Take a delegation back: the person it speaks for, whoever set it, or the PMO (DR7)."""

    roles = BUSINESS_ROLES
    while_held = True
    example = {"delegation": "L-1"}
    delegation: Slug

    def decide(self, story: Story) -> None:
        found = next((d for d in story.project.delegations if d.id == self.delegation), None)
        if found is None:
            raise not_found("Delegation", self.delegation)
        pmo = Role.PMO in story.project.team.roles(story.person)
        if story.person not in {found.delegator, found.delegate, found.by} and not pmo:
            raise not_allowed(
                f"Only {found.delegator}, {found.delegate} or the PMO may end {found.id}.",
                code="NotYourOwn",
                rule="DR7",
                next_step=f"Ask {found.delegator} or the PMO.",
            )
        if not found.living(story.at):
            raise wrong_state("DelegationOver", f"{found.id} is over.", next_step="Nothing is to be done.")
        story.record(DelegationEnded(delegation=found.id))
