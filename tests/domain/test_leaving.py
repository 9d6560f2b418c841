"""People who are deactivated: their seats go to others or stand there blocked, and are theirs again once back."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given as each
from hypothesis import settings
from hypothesis import strategies as st

from domain.project.ballots import VoteCast
from domain.project.decision import State
from domain.project.decision_events import DecisionBlocked, DecisionUnblocked, voters_awaited
from domain.project.delegation import DelegationEnded
from domain.project.leaving import HolderLeft, HolderReturned, OfficersCalled
from domain.project.seats import SlotsChanged
from domain.project.team import RoleAssigned, RoleEnded
from domain.refusals import Refused
from domain.template import Kind
from domain.values import Role, Stage
from tests.plays import chartering, closed, planned, proposed, started
from tests.spec import AUDITOR, LIFECYCLE, MEMBER, PMO, PRODUCT, SPONSOR, Outcome, Play, charter, given, policy

DEPUTY = "zhao.min"
DECIDERS = (SPONSOR, PMO, PRODUCT)


def leaves(play: Play, person: str, **more: Any) -> Outcome:
    return given(play).when("NoteHolderLeft", LIFECYCLE, person=person, **more)


def gone(play: Play, *people: str) -> Play:
    for person in people:
        play.do("NoteHolderLeft", LIFECYCLE, person=person)
    return play


def with_deputy(play: Play, role: str = "SPONSOR") -> Play:
    """Somebody else holds the role too, by two people."""
    play.do("AssignRole", PMO, person=DEPUTY, role=role, reason="Deputy")
    return play.do("ConfirmRole", PRODUCT, grant="G-6")


class TestD6NoSeat:
    def test_a_left_holder_may_do_nothing_and_is_asked_for_nothing(self) -> None:
        play = gone(chartering(), SPONSOR)
        assert play.project.team.holders(Role.SPONSOR) == ()
        assert play.duties(SPONSOR) == []
        given(play).when_vote(SPONSOR).then_refused("WrongRole")

    def test_the_roles_stay_on_record(self) -> None:
        play = gone(chartering(), SPONSOR)
        assert play.project.team.granted(SPONSOR) == {Role.SPONSOR}
        assert play.project.team.ever(SPONSOR) == {Role.SPONSOR}

    def test_a_vote_that_was_given_stays(self) -> None:
        play = gone(chartering().sign(SPONSOR), SPONSOR)
        assert play.decision().state is State.OPEN
        assert play.sign(PMO, PRODUCT).project.stage is Stage.KPI_AGREEMENT

    def test_it_is_noted_once_and_only_where_the_person_has_something(self) -> None:
        leaves(gone(chartering(), SPONSOR), SPONSOR).then_nothing()
        leaves(chartering(), "stranger").then_nothing()
        ended = started().do("EndRole", PMO, person=MEMBER, role="MEMBER", reason="Moves")
        leaves(ended, MEMBER).then_nothing()

    def test_somebody_who_waits_for_a_second_person_is_noted_too(self) -> None:
        play = started().do("AssignRole", PMO, person=DEPUTY, role="SPONSOR", reason="Deputy")
        outcome = leaves(play, DEPUTY).then(HolderLeft)
        given(outcome.play).when("ConfirmRole", PRODUCT, grant="G-6").then_refused("PersonLeft", "D8")

    def test_also_on_hold_but_not_in_a_closed_project(self) -> None:
        leaves(planned().do("HoldProject", PMO, reason="Insolvent"), MEMBER).then(HolderLeft)
        leaves(closed(), MEMBER).then_refused("ProjectEnded")

    def test_the_lifecycle_alone_notes_it(self) -> None:
        given(started()).when("NoteHolderLeft", PMO, person=SPONSOR).then_refused("SystemOnly")
        given(started()).when("NoteHolderReturned", PMO, person=SPONSOR).then_refused("SystemOnly")

    @pytest.mark.parametrize(("by", "to"), [(SPONSOR, MEMBER), (MEMBER, SPONSOR)])
    def test_delegations_by_and_to_the_person_end(self, by: str, to: str) -> None:
        play = started().do("GrantDelegation", by, to=to, until="2026-03-20", reason="On leave")
        leaves(play, SPONSOR).then(HolderLeft, DelegationEnded).told(PMO, MEMBER)

    def test_leaving_makes_no_quorum_smaller(self) -> None:
        half = {"name": "pmo", "role": "PMO", "min_approvals": 1, "percent": 60}
        under = policy(decisions={Kind.CHARTER: {"slots": [half]}})
        play = started(under).do("AssignRole", SPONSOR, person=DEPUTY, role="PMO", reason="Deputy")
        play.do("ConfirmRole", PRODUCT, grant="G-6").do("DraftCharter", PRODUCT, content=charter())
        play.do("ProposeCharter", PRODUCT, revision=1)
        leaves(play.sign(PMO), DEPUTY).then(HolderLeft, DecisionBlocked)


class TestD7OpenSeats:
    def test_what_others_may_fill_goes_to_them_and_they_are_told(self) -> None:
        play = with_deputy(chartering())
        outcome = leaves(play, SPONSOR).then(HolderLeft).told(DEPUTY, PMO)
        told = {n.recipient: n for n in outcome.play.told(len(play.facts))}
        assert "Waits for you: Charter of TD-1" in told[DEPUTY].en
        assert told[DEPUTY].ref == "D-1"
        assert outcome.play.duties(DEPUTY) == ["sign D-1"]
        assert outcome.play.decision().state is State.OPEN
        assert outcome.play.sign(PMO, PRODUCT, DEPUTY).project.stage is Stage.KPI_AGREEMENT

    def test_nobody_is_asked_twice_who_has_signed(self) -> None:
        play = with_deputy(chartering(), "PRODUCT_MANAGER").sign(PMO)
        told = {n.recipient: n.en for n in leaves(play, PRODUCT).play.told(len(play.facts))}
        assert "Waits for you" in told[DEPUTY]
        assert "Waits for you" not in told[PMO]

    def test_what_nobody_may_fill_is_blocked_and_pmo_and_sponsor_are_told(self) -> None:
        outcome = leaves(chartering(), PRODUCT).then(HolderLeft, DecisionBlocked).told(PMO, SPONSOR)
        assert outcome.play.sign(PMO, SPONSOR).decision().state is State.BLOCKED

    def test_repair_opens_it_again(self) -> None:
        play = gone(chartering(), PRODUCT)
        play.do("AssignRole", PMO, person=DEPUTY, role="PRODUCT_MANAGER", reason="Successor")
        given(play).when("ConfirmRole", SPONSOR, grant="G-6").told(DEPUTY, PMO, SPONSOR)
        play.do("ConfirmRole", SPONSOR, grant="G-6")
        assert play.decision().state is State.OPEN
        assert play.sign(PMO, SPONSOR, DEPUTY).project.stage is Stage.KPI_AGREEMENT

    def test_the_pmo_has_it_as_a_duty_until_the_roles_are_handed_on(self) -> None:
        play = gone(planned(), MEMBER, PRODUCT)
        assert {f"hand-on {MEMBER}", f"hand-on {PRODUCT}"} <= set(play.duties(PMO))
        play.do("EndRole", PMO, person=MEMBER, role="MEMBER", reason="Has left")
        assert f"hand-on {MEMBER}" not in play.duties(PMO)
        outcome = given(play).when("EndRole", SPONSOR, person=PRODUCT, role="PRODUCT_MANAGER", reason="Has left")
        outcome.then(RoleEnded)

    def test_a_seat_that_was_theirs_by_name_the_pmo_hands_on(self) -> None:
        play = chartering().do("TransferSlot", SPONSOR, decision="D-1", slot="sponsor", to=MEMBER, reason="On leave")
        handed: dict[str, Any] = {"decision": "D-1", "slot": "sponsor", "to": SPONSOR, "reason": "Has left"}
        given(play).when("TransferSlot", PMO, **handed).then_refused("NotYourSeat", "DR16")
        gone(play, MEMBER)
        assert play.decision().state is State.BLOCKED
        given(play).when("TransferSlot", PRODUCT, **handed).then_refused("NotYourSeat", "DR16")
        outcome = given(play).when("TransferSlot", PMO, **handed).then(SlotsChanged, DecisionUnblocked)
        assert outcome.play.sign(PMO, PRODUCT, SPONSOR).project.stage is Stage.KPI_AGREEMENT

    def test_without_a_pmo_it_is_the_sponsors(self) -> None:
        assert f"hand-on {PMO}" in gone(planned(), PMO).duties(SPONSOR)

    def test_what_they_measured_falls_to_the_pmo(self) -> None:
        play = gone(planned().later(days=24), PRODUCT)
        assert "measure on-time" in play.duties(PMO)

    def test_where_nobody_can_name_others_the_officers_are_told(self) -> None:
        play = gone(started(), SPONSOR)
        leaves(play, PMO, officers=["wu.di"]).then(HolderLeft, OfficersCalled).told("wu.di")
        leaves(play, MEMBER, officers=["wu.di"]).then(HolderLeft).told(PMO)

    def test_of_a_confidential_project_nobody_outside_is_told(self) -> None:
        play = gone(started(visibility="CONFIDENTIAL"), SPONSOR)
        outcome = leaves(play, PMO, officers=["wu.di"]).then(HolderLeft, OfficersCalled(officers=()))
        outcome.told(PRODUCT, MEMBER, AUDITOR)


class TestD8Back:
    def test_the_roles_are_theirs_again_and_what_was_blocked_is_open(self) -> None:
        play = gone(chartering(), SPONSOR)
        outcome = given(play).when("NoteHolderReturned", LIFECYCLE, person=SPONSOR)
        outcome.then(HolderReturned, DecisionUnblocked).told(SPONSOR, PMO, PRODUCT)
        given(outcome.play).when_vote(SPONSOR).then(VoteCast)

    def test_what_was_ended_meanwhile_is_not(self) -> None:
        play = gone(started(), MEMBER).do("EndRole", PMO, person=MEMBER, role="MEMBER", reason="Has left")
        outcome = given(play).when("NoteHolderReturned", LIFECYCLE, person=MEMBER).then(HolderReturned).told()
        assert outcome.play.project.team.roles(MEMBER) == frozenset()

    def test_somebody_who_never_left_does_not_return(self) -> None:
        given(started()).when("NoteHolderReturned", LIFECYCLE, person=SPONSOR).then_nothing()

    def test_nobody_who_has_left_is_given_a_role(self) -> None:
        play = gone(started(), MEMBER)
        given(play).when("AssignRole", PMO, person=MEMBER, role="PMO", reason="x").then_refused("PersonLeft", "D8")
        play.do("DraftCharter", PMO, content=charter())
        given(play).when("ProposeCharter", PMO, revision=1).then_refused("PersonLeft", "D8")
        given(gone(chartering(), MEMBER)).when(
            "AddCoSigner", PMO, decision="D-1", person=MEMBER, place="AFTER", reason="x"
        ).then_refused("NoMember")
        with_one = {"person": DEPUTY, "role": "MEMBER", "reason": "Joins"}
        given(play).when("AssignRole", PMO, **with_one).then(RoleAssigned)

    def test_a_charter_that_is_being_signed_takes_effect_without_them(self) -> None:
        play = gone(chartering(), MEMBER).sign(PMO, PRODUCT, SPONSOR)
        assert play.project.stage is Stage.KPI_AGREEMENT
        assert play.project.team.holders(Role.MEMBER) == ()
        play.do("NoteHolderReturned", LIFECYCLE, person=MEMBER)
        assert play.project.team.holders(Role.MEMBER) == (MEMBER,)


@settings(max_examples=60, deadline=None)
@each(st.lists(st.tuples(st.sampled_from(["NoteHolderLeft", "NoteHolderReturned", "sign"]), st.sampled_from(DECIDERS))))
def test_every_open_seat_waits_for_somebody_who_is_here_or_is_blocked(moves: list[tuple[str, str]]) -> None:
    """Whoever comes and goes, in whatever order, and signs in between."""
    play = proposed()
    for move, person in moves:
        if move != "sign":
            play.do(move, LIFECYCLE, person=person)
        else:
            with suppress(Refused):
                play.vote(person, decision="D-2")
        decision, away = play.project.decisions["D-2"], play.project.team.away
        awaited = voters_awaited(play.project, decision)
        assert not set(awaited) & away
        if decision.state is State.OPEN:
            assert awaited
        if decision.state is State.BLOCKED:
            assert away & {PMO, PRODUCT}
    for person in DECIDERS:
        play.do("NoteHolderReturned", LIFECYCLE, person=person)
    assert play.project.team.pairs() == proposed().project.team.pairs()
    assert play.decision("D-2").state in {State.OPEN, State.EFFECTIVE}
