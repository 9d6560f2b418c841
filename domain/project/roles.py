"""Giving and ending roles. A role with decision rights needs a second person.

Source: docs/governance.md, R3 to R6, DR6, D8.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

from domain.messages import Command
from domain.project.resolution import settle_all
from domain.project.team import (
    ASSIGNING_ROLES,
    ProjectRole,
    RoleAssigned,
    RoleConfirmed,
    RoleEnded,
    SoloExceptionGranted,
    check_auditor_is_apart,
    check_can_be_repaired,
    check_is_here,
    check_two_sides,
)
from domain.refusals import broken, not_allowed, not_found, wrong_state
from domain.values import DECIDING_ROLES, Line, Person, Personal, Role

if TYPE_CHECKING:
    from domain.story import Story


class AssignRole(Command):
    """Give a person a role. One with decision rights is in force once a second person confirms it (R6)."""

    roles = ASSIGNING_ROLES
    while_held = True
    example = {"person": "chen.yu", "role": "MEMBER", "reason": "Joins as test lead"}
    person: Person
    role: ProjectRole
    reason: Annotated[Line, Personal("person")]

    def decide(self, story: Story) -> None:
        team, role = story.project.team, Role(self.role)
        check_is_here(team, self.person)
        if role in team.roles(self.person):
            raise wrong_state("AlreadyHeld", f"{self.person} is {role} already.", next_step="Nothing is to be done.")
        if team.pending(self.person, role):
            raise wrong_state(
                "AlreadyAssigned",
                f"{self.person} as {role} waits for confirmation already.",
                rule="R6",
                next_step="Ask a second sponsor, PMO or product manager to confirm it: confirm-role.",
            )
        check_auditor_is_apart(team, [(self.person, role)])
        story.record(
            RoleAssigned(
                grant=f"G-{len(team.grants) + 1}",
                person=self.person,
                role=role,
                reason=self.reason,
                confirmed=role not in DECIDING_ROLES,
            )
        )


class ConfirmRole(Command):
    """Confirm, as a second person, a role with decision rights that somebody assigned (R6)."""

    roles = DECIDING_ROLES
    while_held = True
    example = {"grant": "G-5"}
    grant: Line

    def decide(self, story: Story) -> None:
        team = story.project.team
        grant = next((g for g in team.grants if g.id == self.grant), None)
        if grant is None:
            raise not_found("Grant", self.grant)
        if grant.confirmed or grant.ended_at:
            raise wrong_state("NotPending", f"{self.grant} does not wait for confirmation.", rule="R6")
        if story.person in {grant.by, grant.person}:
            raise not_allowed(
                "Whoever assigned a role, or gets it, cannot be the second person who confirms it.",
                code="SecondPersonNeeded",
                rule="R6",
                next_step="Ask another sponsor, PMO or product manager of this project.",
            )
        check_is_here(team, grant.person)
        if grant.role in {Role.PMO, Role.PRODUCT_MANAGER}:
            extra = {grant.role: (grant.person,)}
            check_two_sides(
                team,
                team.holders(Role.PMO) + extra.get(Role.PMO, ()),
                team.holders(Role.PRODUCT_MANAGER) + extra.get(Role.PRODUCT_MANAGER, ()),
                story.today,
            )
        story.record(RoleConfirmed(grant=grant.id, person=grant.person, role=grant.role))
        settle_all(story)


class EndRole(Command):
    """End a person's role, or take back one that waits for confirmation (R5).

    Slots that nobody can fill any more become blocked, visibly.
    """

    roles = ASSIGNING_ROLES
    while_held = True
    example = {"person": "chen.yu", "role": "MEMBER", "reason": "Moves to another project"}
    person: Person
    role: ProjectRole
    reason: Annotated[Line, Personal("person")]

    def decide(self, story: Story) -> None:
        role, team = Role(self.role), story.project.team
        if role not in team.granted(self.person):
            raise wrong_state("NotHeld", f"{self.person} is not {role}.", next_step="Look at who holds which role.")
        after = team.without(self.person, role, story.at)
        if role in DECIDING_ROLES and self.person not in team.away:
            check_can_be_repaired(after.pairs())
        story.record(RoleEnded(person=self.person, role=role, reason=self.reason))
        settle_all(story)


class GrantSoloException(Command):
    """Let one person be PMO and product manager for a limited time (R3)."""

    roles = frozenset({Role.SPONSOR})
    example = {"until": "2026-03-31", "reason": "The product manager's post is vacant"}
    until: date
    reason: Line

    def decide(self, story: Story) -> None:
        longest = story.today + timedelta(days=story.project.rules.solo_exception_days)
        if not story.today <= self.until <= longest:
            raise broken(
                "R3",
                "ExceptionTooLong",
                f"A solo exception ends between today and {longest}.",
                next_step=f"Choose a day up to {longest}; it can be granted again.",
            )
        story.record(SoloExceptionGranted(until=self.until, reason=self.reason))
        settle_all(story)
