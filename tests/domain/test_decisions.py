"""The decision engine: who fills a slot, what is counted, what ends it."""

from typing import Any

import pytest

from domain.messages import COMMANDS
from domain.project.ballots import VoteCast, VoterRecused
from domain.project.counting import ceiling_share, needed
from domain.project.decision import State
from domain.project.decision_events import (
    DecisionApproved,
    DecisionBlocked,
    DecisionEffectApplied,
    DecisionRejected,
    DecisionUnblocked,
    SubjectAnnotated,
)
from domain.project.plan import PlanBaselined
from domain.project.team import RoleConfirmed
from domain.template import Kind
from domain.values import Stage
from tests.plays import chartering, executing, started
from tests.spec import AUDITOR, MEMBER, PMO, PRODUCT, SPONSOR, Play, agreement, charter, given, plan, policy

CAST = [f"p{n}.member" for n in range(1, 8)]
"""Seven members who vote."""


def members_decide(count: int = 7, **slot: Any) -> Play:
    """A plan to be signed by a share of seven members, opened as D-3 by the PMO."""
    slots = [{"name": "members", "role": "MEMBER", **slot}]
    under = policy(decisions={Kind.BASELINE: {"slots": slots}})
    people = COMMANDS["StartProject"].example["people"] | {"members": CAST[:count]}
    named = [a for a in charter()["assignments"] if a["role"] != "MEMBER"]
    team = named + [{"person": p, "role": "MEMBER"} for p in CAST[:count]]
    play = started(under, people=people).do("DraftCharter", PRODUCT, content=charter(assignments=team))
    play.do("ProposeCharter", PRODUCT, revision=1).sign(PMO, PRODUCT, SPONSOR)
    play.do("ProposeAgreement", PRODUCT, content=agreement()).sign(PMO, PRODUCT).begin()
    return play.do("ProposePlan", PMO, content=plan())


def delayed(days: int = 2) -> Play:
    """A plan approved as D-3 that takes effect some working days later."""
    play = executing(policy(decisions={Kind.BASELINE: {"effect_delay_days": days}}))
    return play.do("ProposePlan", PMO, content=plan()).sign(PMO, PRODUCT)


class TestDR1OneChokePoint:
    def test_no_command_but_vote_casts_votes(self) -> None:
        casting = {n for n, kind in COMMANDS.items() if {"content_hash", "value"} <= set(kind.model_fields)}
        assert casting == {"Vote"}

    @pytest.mark.parametrize("client", ["api", "web", "cli", "signal", "bulk", "mail"])
    def test_every_door_meets_the_same_rules(self, client: str) -> None:
        given(chartering()).when_vote(MEMBER, client=client).then_refused("NotEligible", "DR6")

    def test_auditors_sign_nothing(self) -> None:
        given(chartering()).when_vote(AUDITOR).then_refused("WrongRole")


class TestDR2DistinctHumans:
    def test_one_person_with_two_roles_fills_one_slot(self) -> None:
        play = started().do("AssignRole", PMO, person=SPONSOR, role="PMO", reason="Helps out")
        play.do("ConfirmRole", PRODUCT, grant="G-6").do("DraftCharter", PRODUCT, content=charter())
        play.do("ProposeCharter", PRODUCT, revision=1).vote(SPONSOR, slot="sponsor")
        given(play).when_vote(SPONSOR, slot="pmo").then_refused("OneSlotEach", "DR2")

    def test_the_same_vote_twice_is_refused(self) -> None:
        given(chartering().vote(PMO)).when_vote(PMO).then_refused("AlreadyVoted", "DR2")

    def test_a_slot_that_is_filled_asks_for_nobody(self) -> None:
        play = started().do("AssignRole", SPONSOR, person="zhao.min", role="PMO", reason="Deputy")
        play.do("ConfirmRole", PRODUCT, grant="G-6").do("DraftCharter", PRODUCT, content=charter())
        play.do("ProposeCharter", PRODUCT, revision=1).vote(PMO)
        given(play).when_vote("zhao.min").then_refused("SlotFilled")


class TestDR3CeilingQuorum:
    @pytest.mark.parametrize(
        ("count", "percent", "seats"), [(7, 35, 3), (10, 50, 5), (3, 34, 2), (1, 1, 1), (0, 50, 0)]
    )
    def test_shares_are_rounded_up_in_integers(self, count: int, percent: int, seats: int) -> None:
        assert ceiling_share(count, percent) == seats

    def test_t04_of_seven_at_35_percent_two_are_not_enough(self) -> None:
        play = members_decide(percent=35).sign(*CAST[:2])
        assert play.decision().state is State.OPEN
        given(play).when_vote(CAST[2]).then(VoteCast, DecisionApproved, DecisionEffectApplied, PlanBaselined)


class TestDR4EarlyEnd:
    def test_rejected_as_soon_as_approvals_cannot_be_reached(self) -> None:
        play = members_decide(percent=60)
        for person in CAST[:2]:
            play.vote(person, "REJECT")
        given(play).when_vote(CAST[2], "REJECT").then(VoteCast, DecisionRejected).told(PMO, *CAST[:3])

    def test_a_rejection_by_the_only_holder_ends_it(self) -> None:
        given(chartering()).when_vote(PMO, "REJECT").then(VoteCast, DecisionRejected)

    def test_a_veto_ends_it_at_once(self) -> None:
        outcome = given(chartering().sign(PMO, PRODUCT)).when_vote(SPONSOR, "REJECT")
        outcome.then(VoteCast, DecisionRejected)
        assert outcome.project.decisions["D-1"].reason == "a veto was cast"

    def test_approved_only_when_every_slot_is_satisfied(self) -> None:
        play = chartering().sign(PMO, SPONSOR)
        assert play.decision().state is State.OPEN
        assert play.sign(PRODUCT).decision().state is State.EFFECTIVE


class TestDR5AbstainRecuseBlocked:
    def test_an_abstention_counts_for_turnout_not_for_approval(self) -> None:
        play = members_decide(min_approvals=2, turnout_percent=50).sign(*CAST[:2]).vote(CAST[2], "ABSTAIN")
        assert play.decision().state is State.OPEN
        assert play.vote(CAST[3], "ABSTAIN").decision().state is State.EFFECTIVE

    def test_who_steps_aside_is_no_longer_counted(self) -> None:
        play = members_decide(percent=50)
        assert needed(play.decision(), play.decision().slots[0], play.project.team) == 4
        play.vote(CAST[0], "RECUSE")
        assert needed(play.decision(), play.decision().slots[0], play.project.team) == 3
        given(play).when_vote(CAST[0]).then_refused("Recused", "DR5")

    def test_too_few_left_blocks_it_and_passes_nothing(self) -> None:
        outcome = given(chartering()).when_vote(SPONSOR, "RECUSE").then(VoterRecused, DecisionBlocked)
        outcome.told(PMO, SPONSOR)
        assert outcome.project.decisions["D-1"].state is State.BLOCKED
        assert outcome.events[-1].slots == ("sponsor",)  # type: ignore[attr-defined]

    def test_a_blocked_decision_goes_on_once_people_are_named(self) -> None:
        play = chartering().vote(SPONSOR, "RECUSE")
        play.do("AssignRole", PMO, person="zhao.min", role="SPONSOR", reason="Steps in")
        given(play).when("ConfirmRole", PRODUCT, grant="G-6").then(RoleConfirmed, DecisionUnblocked)

    @pytest.mark.parametrize("value", ["REJECT", "ABSTAIN", "RECUSE", "REQUEST_INFO"])
    def test_all_but_an_approval_need_a_reason(self, value: str) -> None:
        given(chartering()).when_vote(PMO, value, reason=None).then_refused("ReasonMissing", "DR5")


class TestDR6Eligibility:
    def test_t25_a_role_given_by_one_person_is_no_vote(self) -> None:
        play = chartering().do("AssignRole", PMO, person="zhao.min", role="PRODUCT_MANAGER", reason="A friend")
        given(play).when_vote("zhao.min").then_refused("WrongRole")
        given(play).when("ConfirmRole", PMO, grant="G-6").then_refused("SecondPersonNeeded", "R6")
        given(play).when("ConfirmRole", "zhao.min", grant="G-6").then_refused("WrongRole")
        play.do("ConfirmRole", SPONSOR, grant="G-6")
        given(play).when_vote("zhao.min").then(VoteCast)

    def test_members_named_while_it_is_open_do_not_count(self) -> None:
        play = members_decide(percent=100).do("AssignRole", PMO, person="zhao.min", role="MEMBER", reason="Packs it")
        given(play).when_vote("zhao.min").then_refused("NotEligible", "DR6")
        assert needed(play.decision(), play.decision().slots[0], play.project.team) == 7

    def test_ending_roles_makes_no_quorum_smaller(self) -> None:
        play = members_decide(percent=35).sign(*CAST[:2])
        for person in CAST[4:]:
            play.do("EndRole", PMO, person=person, role="MEMBER", reason="Gets in the way")
        assert play.decision().state is State.OPEN
        assert play.sign(CAST[2]).decision().state is State.EFFECTIVE

    def test_who_loses_the_role_loses_the_vote_but_not_the_one_given(self) -> None:
        play = members_decide(min_approvals=2).sign(CAST[0])
        for person in CAST[:2]:
            play.do("EndRole", PMO, person=person, role="MEMBER", reason="Leaves")
        given(play).when_vote(CAST[1]).then_refused("WrongRole")
        assert play.sign(CAST[2]).decision().state is State.EFFECTIVE


class TestDR7Delegation:
    def test_nobody_acts_for_somebody_else_without_one(self) -> None:
        given(chartering()).when_vote(MEMBER, on_behalf_of=SPONSOR).then_refused("NoDelegation", "DR7")
        given(chartering()).when("HoldProject", "stranger", on_behalf_of=SPONSOR, reason="x").then_refused(
            "NoDelegation", "DR7"
        )


class TestDR8HashBinding:
    def test_a_vote_for_other_content_is_refused(self) -> None:
        ballot = chartering().ballot() | {"content_hash": "0" * 64}
        given(chartering()).when("Vote", PMO, **ballot).then_refused("StaleSubject", "DR8")

    def test_a_vote_for_another_revision_is_refused(self) -> None:
        ballot = chartering().ballot() | {"revision": 2}
        given(chartering()).when("Vote", PMO, **ballot).then_refused("StaleSubject", "DR8")

    def test_only_the_present_revision_is_proposed(self) -> None:
        play = started().do("DraftCharter", PMO, content=charter())
        given(play).when("ProposeCharter", PMO, revision=2).then_refused("StaleRevision", "DR8")


class TestDR9EditedMeanwhile:
    def test_a_signed_field_voids_the_votes(self) -> None:
        play = chartering().sign(PMO, SPONSOR)
        outcome = given(play).when("DraftCharter", PRODUCT, content=charter(scope=["Renewal"]))
        assert [type(e).__name__ for e in outcome.events] == ["CharterDrafted", "DecisionSuperseded"]
        outcome.told(PRODUCT, PMO, SPONSOR)
        told = next(n for n in outcome.play.told() if n.recipient == PMO and "superseded" in n.en)
        assert "scope: Renewal, Payment → Renewal" in told.en
        given(outcome.play).when("Vote", PRODUCT, **play.ballot("D-1")).then_refused("DecisionClosed", "DR12")

    def test_another_field_leaves_them_standing(self) -> None:
        play = chartering().sign(PMO)
        outcome = given(play).when("DraftCharter", PRODUCT, content=charter(remarks="Typed in haste"))
        assert isinstance(outcome.events[-1], SubjectAnnotated)
        assert outcome.project.decisions["D-1"].ballots
        assert outcome.play.sign(PRODUCT, SPONSOR).project.stage is Stage.KPI_AGREEMENT

    def test_what_is_approved_and_waits_for_its_day_is_not_edited(self) -> None:
        given(delayed()).when("ProposePlan", PMO, content=plan(remarks="x")).then_refused("EffectPending", "DR20")
