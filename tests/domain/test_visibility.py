"""Who sees a project: said by its sponsor or PMO, always for whoever holds a place (docs/governance.md, V1 to V4)."""

from itertools import chain, combinations

import pytest

from domain.directory.record import OrganisationRole
from domain.project.visibility import VisibilityChanged, holds_place, locks_of, places, seen_by
from domain.sight import Reader, Visibility, locks, sees
from tests.plays import executing, proposed, started
from tests.spec import AUDITOR, MEMBER, PMO, PRODUCT, SPONSOR, Play, given

NEWCOMER, TEAMS = "wu.jie", ("finance", "legal")
TEAM = {"visibility": "TEAM", "teams": ["finance"], "reason": "Of the department"}
SECRET = {"visibility": "CONFIDENTIAL", "reason": "A merger"}


class TestV1PlacesAndWhoSaysSo:
    def test_sponsor_and_pmo_say_so_on_hold_too(self) -> None:
        for who in (SPONSOR, PMO):
            outcome = given(executing()).when("ChangeVisibility", who, **SECRET).then(VisibilityChanged)
            outcome.told(SPONSOR, PMO, PRODUCT)
        given(executing().do("HoldProject", PMO, reason="Wait")).when("ChangeVisibility", PMO, **SECRET).then(
            VisibilityChanged
        )
        for who in (PRODUCT, MEMBER, AUDITOR):
            given(executing()).when("ChangeVisibility", who, **SECRET).then_refused("WrongRole")

    def test_the_same_again_is_refused(self) -> None:
        play = executing().do("ChangeVisibility", PMO, **TEAM)
        given(play).when("ChangeVisibility", PMO, **TEAM).then_refused("VisibleAlready")
        given(play).when("ChangeVisibility", PMO, **TEAM | {"teams": ["legal"]}).then(VisibilityChanged)

    def test_teams_go_with_the_visibility_of_teams(self) -> None:
        for wrong in ({"visibility": "TEAM", "teams": []}, {"visibility": "OPEN", "teams": ["finance"]}):
            given(executing()).when("ChangeVisibility", PMO, **TEAM | wrong).then_refused("Malformed", "DR14")

    def test_whoever_starts_it_may_say_so_at_once(self) -> None:
        play = started(**{name: TEAM[name] for name in ("visibility", "teams")})
        assert play.kinds()[:2] == ["ProjectStarted", "VisibilityChanged"]
        assert (play.project.visibility, play.project.teams) == (Visibility.TEAM, ("finance",))
        assert started().project.visibility is Visibility.OPEN

    def test_roles_hold_a_place_in_force_or_not_and_end_with_it(self) -> None:
        play = executing()
        assert places(play.project) == {SPONSOR, PMO, PRODUCT, MEMBER, AUDITOR}
        role = {"person": NEWCOMER, "role": "PRODUCT_MANAGER", "reason": "Helps"}
        assert holds_place(play.do("AssignRole", PMO, **role).project, NEWCOMER)
        assert not play.project.team.roles(NEWCOMER)
        assert not holds_place(play.do("EndRole", PMO, **role).project, NEWCOMER)

    def test_whoever_is_named_in_an_open_decision_holds_one_until_it_ends(self) -> None:
        play = proposed().do("AssignRole", PMO, person=NEWCOMER, role="MEMBER", reason="Helps")
        play.do("AddCoSigner", PRODUCT, decision="D-2", person=NEWCOMER, place="AFTER", reason="Legal check")
        play.do("Consult", PRODUCT, decision="D-2", person=MEMBER, question="In time?")
        for person in (NEWCOMER, MEMBER):
            play.do("EndRole", PMO, person=person, role="MEMBER", reason="Moves on")
            assert holds_place(play.project, person)
        play.do("WithdrawDecision", PRODUCT, decision="D-2", reason="Again later")
        assert not places(play.project) & {NEWCOMER, MEMBER}

    def test_a_living_delegation_is_a_place(self) -> None:
        play = executing().do("GrantDelegation", PMO, to=MEMBER, until="2026-06-30", reason="On leave")
        play.do("EndRole", PMO, person=MEMBER, role="MEMBER", reason="Moves on")
        assert holds_place(play.project, MEMBER)
        play.do("EndDelegation", PMO, delegation="L-1")
        assert not holds_place(play.project, MEMBER)


def readers() -> list[Reader]:
    """Everybody there can be: any organisation roles, any teams, in the project or not."""
    roles = chain.from_iterable(combinations(OrganisationRole, size) for size in range(3))
    teams = [(), ("finance",), ("sales",), TEAMS]
    named = [(person, set(given_), set(of)) for given_ in roles for of in teams for person in (MEMBER, NEWCOMER)]
    return [Reader(person, frozenset(given_), frozenset(of)) for person, given_, of in named]


@pytest.mark.parametrize("visibility", Visibility)
def test_keys_open_locks_for_exactly_those_who_see_the_project(visibility: Visibility) -> None:
    teams = TEAMS if visibility is Visibility.TEAM else ()
    known = locks(visibility, teams, {MEMBER, PMO})
    for reader in readers():
        opened = known is None or bool(set(known) & set(reader.keys))
        assert opened == sees(reader, visibility, teams, holds_role=reader.person == MEMBER), reader


def test_an_administrator_sees_no_more_than_anybody_and_the_office_all_but_what_is_confidential() -> None:
    def seen(play: Play) -> set[OrganisationRole]:
        return {role for role in OrganisationRole if seen_by(play.project, Reader(NEWCOMER, frozenset({role})))}

    assert seen(executing().do("ChangeVisibility", PMO, **TEAM)) == {OrganisationRole.PMO, OrganisationRole.AUDITOR}
    assert seen(executing().do("ChangeVisibility", PMO, **SECRET)) == set()
    assert locks_of(executing().project) is None
