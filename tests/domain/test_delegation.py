"""Signing for somebody who is away (DR7)."""

from typing import Any

import pytest

from domain.project.ballots import VoteCast, VoteChanged
from domain.project.decision import State
from domain.project.delegation import DelegationEnded, DelegationGranted
from domain.values import Stage
from tests.plays import chartering, proposed
from tests.spec import AUDITOR, MEMBER, PMO, PRODUCT, SPONSOR, Play, given

LEAVE: dict[str, Any] = {"to": MEMBER, "until": "2026-03-20", "reason": "On leave"}


def delegated(play: Play | None = None, by: str = SPONSOR, **changes: Any) -> Play:
    return (play or chartering()).do("GrantDelegation", by, **(LEAVE | changes))


class TestDR7Granting:
    def test_both_are_told_and_both_see_the_duty(self) -> None:
        outcome = given(chartering()).when("GrantDelegation", SPONSOR, **LEAVE)
        outcome.then(DelegationGranted).told(SPONSOR, MEMBER)
        assert outcome.play.duties(SPONSOR) == ["sign D-1"]
        assert outcome.play.duties(MEMBER) == [f"sign-for D-1/{SPONSOR}"]

    def test_only_the_pmo_sets_it_for_somebody_absent(self) -> None:
        data = LEAVE | {"person": SPONSOR}
        given(chartering()).when("GrantDelegation", PMO, **data).then(DelegationGranted)
        given(chartering()).when("GrantDelegation", PRODUCT, **data).then_refused("NotYourOwn", "DR7")

    def test_nobody_makes_themselves_a_delegate(self) -> None:
        data = LEAVE | {"person": SPONSOR, "to": PMO}
        given(chartering()).when("GrantDelegation", PMO, **data).then_refused("DelegateSame", "DR7")
        given(chartering()).when("GrantDelegation", SPONSOR, **(LEAVE | {"to": SPONSOR})).then_refused(
            "DelegateSame", "DR7"
        )

    @pytest.mark.parametrize("to", ["stranger", AUDITOR])
    def test_a_delegate_needs_a_role_that_may_sign(self, to: str) -> None:
        given(chartering()).when("GrantDelegation", SPONSOR, **(LEAVE | {"to": to})).then_refused(
            "DelegateWithoutRole", "DR7"
        )

    @pytest.mark.parametrize(
        "days",
        [
            {"until": "2026-03-01"},
            {"since": "2026-03-20", "until": "2026-03-19"},
            {"until": "2027-03-04"},
        ],
    )
    def test_it_lasts_from_today_on_and_at_most_a_year(self, days: dict[str, str]) -> None:
        given(chartering()).when("GrantDelegation", SPONSOR, **(LEAVE | days)).then_refused("DelegationDates", "DR7")

    def test_two_of_one_person_never_overlap(self) -> None:
        play = delegated()
        again = LEAVE | {"to": PRODUCT, "since": "2026-03-20", "until": "2026-03-21"}
        given(play).when("GrantDelegation", SPONSOR, **again).then_refused("DelegationOverlaps", "DR7")
        after = again | {"since": "2026-03-21"}
        given(play).when("GrantDelegation", SPONSOR, **after).then(DelegationGranted)

    def test_two_for_other_kinds_do_not_overlap(self) -> None:
        play = delegated(kinds=["CHARTER"])
        other = LEAVE | {"to": PRODUCT, "kinds": ["CHANGE", "BASELINE"]}
        given(play).when("GrantDelegation", SPONSOR, **other).then(DelegationGranted)
        both = LEAVE | {"to": PRODUCT, "kinds": ["CHANGE", "CHARTER"]}
        given(play).when("GrantDelegation", SPONSOR, **both).then_refused("DelegationOverlaps", "DR7")

    def test_nothing_is_passed_on(self) -> None:
        play = delegated()
        onward = LEAVE | {"to": PRODUCT}
        given(play).when("GrantDelegation", MEMBER, **onward).then_refused("DelegationChain", "DR7")
        back = LEAVE | {"to": SPONSOR}
        given(play).when("GrantDelegation", PRODUCT, **back).then_refused("DelegationChain", "DR7")

    @pytest.mark.parametrize("by", [SPONSOR, MEMBER, PMO])
    def test_it_ends_by_either_person_or_the_pmo(self, by: str) -> None:
        outcome = given(delegated()).when("EndDelegation", by, delegation="L-1")
        outcome.then(DelegationEnded).told(SPONSOR, MEMBER)
        assert outcome.play.duties(MEMBER) == []
        given(outcome.play).when("EndDelegation", by, delegation="L-1").then_refused("DelegationOver")
        given(outcome.play).when_vote(MEMBER, on_behalf_of=SPONSOR).then_refused("NoDelegation", "DR7")

    def test_nobody_else_ends_it(self) -> None:
        given(delegated()).when("EndDelegation", PRODUCT, delegation="L-1").then_refused("NotYourOwn", "DR7")
        given(delegated()).when("EndDelegation", SPONSOR, delegation="L-9").then_refused("NoDelegation")


class TestDR7Voting:
    def test_the_vote_names_both_persons(self) -> None:
        outcome = given(delegated()).when_vote(MEMBER, on_behalf_of=SPONSOR).then(VoteCast)
        vote = outcome.events[0]
        assert isinstance(vote, VoteCast)
        assert (vote.person, vote.cast_by) == (SPONSOR, MEMBER)
        ballot = outcome.play.decision().ballots[0]
        assert (ballot.person, ballot.principal) == (SPONSOR, MEMBER)

    def test_it_counts_like_the_persons_own(self) -> None:
        play = delegated().vote(MEMBER, on_behalf_of=SPONSOR).sign(PMO, PRODUCT)
        assert play.project.stage is Stage.KPI_AGREEMENT

    def test_not_before_its_first_day_and_not_after_its_last(self) -> None:
        play = delegated(since="2026-03-04", until="2026-03-05")
        given(play).when_vote(MEMBER, on_behalf_of=SPONSOR).then_refused("NoDelegation", "DR7")
        given(play.copy().later(3)).when_vote(MEMBER, on_behalf_of=SPONSOR).then(VoteCast)
        given(play.copy().later(6)).when_vote(MEMBER, on_behalf_of=SPONSOR).then_refused("NoDelegation", "DR7")

    def test_only_for_the_kinds_it_names(self) -> None:
        play = delegated(kinds=["CHANGE"])
        given(play).when_vote(MEMBER, on_behalf_of=SPONSOR).then_refused("NoDelegation", "DR7")

    def test_only_votes_are_delegated(self) -> None:
        given(delegated()).when("HoldProject", MEMBER, on_behalf_of=SPONSOR, reason="x").then_refused(
            "NoDelegation", "DR7"
        )

    def test_the_delegate_first_closes_the_persons_own_right(self) -> None:
        play = delegated().vote(MEMBER, on_behalf_of=SPONSOR)
        given(play).when_vote(SPONSOR, "REJECT").then_refused("SignedByDelegate", "DR7")
        changed = given(play).when_vote(MEMBER, "ABSTAIN", on_behalf_of=SPONSOR)
        assert isinstance(changed.events[0], VoteChanged)

    def test_the_person_first_closes_the_delegates(self) -> None:
        play = delegated().vote(SPONSOR)
        given(play).when_vote(MEMBER, "REJECT", on_behalf_of=SPONSOR).then_refused("VotedInPerson", "DR7")

    def test_one_human_signs_once(self) -> None:
        play = delegated(proposed(), by=PRODUCT, to=SPONSOR)
        assert play.vote(SPONSOR, on_behalf_of=PRODUCT).sign(PMO).decision("D-2").state is State.EFFECTIVE

    def test_who_is_needed_in_another_slot_does_not_sign_for_somebody(self) -> None:
        play = delegated(to=PMO)
        given(play).when_vote(PMO, on_behalf_of=SPONSOR).then_refused("NeededElsewhere", "DR2")
        play.sign(PMO)
        given(play).when_vote(PMO, on_behalf_of=SPONSOR).then_refused("OneSlotEach", "DR7")

    def test_who_signed_for_another_has_no_vote_left(self) -> None:
        play = delegated()
        play.do("AddCoSigner", PRODUCT, decision="D-1", person=MEMBER, place="PARALLEL", reason="Legal check")
        given(play).when_vote(MEMBER, on_behalf_of=SPONSOR).then_refused("NeededElsewhere", "DR2")
        given(play.vote(MEMBER)).when_vote(MEMBER, on_behalf_of=SPONSOR).then_refused("OneSlotEach", "DR7")

    def test_who_has_stepped_aside_does_not_sign_for_another(self) -> None:
        play = delegated(chartering(), by=SPONSOR)
        play.do("AddCoSigner", PRODUCT, decision="D-1", person=MEMBER, place="PARALLEL", reason="Legal check")
        play.vote(MEMBER, "RECUSE")
        given(play).when_vote(MEMBER, on_behalf_of=SPONSOR).then_refused("Recused", "DR7")

    def test_only_oneself_steps_aside(self) -> None:
        given(delegated()).when_vote(MEMBER, "RECUSE", on_behalf_of=SPONSOR).then_refused("OnlyOneself", "DR7")

    def test_a_delegate_who_lost_the_role_signs_nothing(self) -> None:
        play = delegated().do("EndRole", PMO, person=MEMBER, role="MEMBER", reason="Leaves")
        given(play).when_vote(MEMBER, on_behalf_of=SPONSOR).then_refused("NotEligible", "DR7")
