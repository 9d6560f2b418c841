"""The decision engine: late votes, withdrawing and revoking, effects, sending back, stages of slots."""

from typing import Any

import pytest

from domain.messages import COMMANDS
from domain.project.ballots import VoteCast, VoteChanged
from domain.project.decision import State
from domain.project.decision_events import (
    DecisionBlocked,
    DecisionEffectFailed,
    DecisionRejected,
    DecisionSuperseded,
)
from domain.project.returning import DecisionReturned, DecisionRevoked, DecisionWithdrawn
from domain.template import Kind
from domain.values import Role, Stage
from tests.domain.test_decisions import CAST, delayed, members_decide
from tests.plays import changing, chartering, closing, planned, proposed, reviewing, started, submit
from tests.spec import (
    LIFECYCLE,
    MEMBER,
    MONDAY,
    PMO,
    PRODUCT,
    SPONSOR,
    Play,
    agreement,
    charter,
    given,
    plain,
    plan,
    policy,
)


class TestDR12LateVotes:
    def test_a_vote_after_the_end_is_refused(self) -> None:
        play = chartering().vote(PMO, "REJECT")
        given(play).when_vote(SPONSOR, decision="D-1").then_refused("DecisionClosed", "DR12")

    def test_there_is_no_vote_in_a_decision_that_does_not_exist(self) -> None:
        ballot = chartering().ballot() | {"decision": "D-9"}
        given(chartering()).when("Vote", PMO, **ballot).then_refused("NoDecision")


class TestDR14FailClosed:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"value": "approve"},
            {"value": "YES"},
            {"revision": "1"},
            {"revision": 0},
            {"content_hash": "F" * 64},
            {"decision": ""},
            {"surprise": 1},
        ],
        ids=str,
    )
    def test_what_cannot_be_read_is_no_approval(self, wrong: dict[str, Any]) -> None:
        ballot = chartering().ballot() | wrong
        outcome = given(chartering()).when("Vote", PMO, **ballot).then_refused("Malformed", "DR14")
        assert outcome.refusal
        assert outcome.refusal.errors[0]["pointer"] == f"/{next(iter(wrong))}"

    def test_an_unknown_command_is_refused(self) -> None:
        given(chartering()).when("ApproveEverything", PMO).then_refused("Malformed", "DR14")

    def test_a_command_on_no_project_is_refused(self) -> None:
        given(Play(plain())).when("ResumeProject", PMO).then_refused("NoProject")


class TestDR17WithdrawChangeRevoke:
    def test_the_requester_withdraws(self) -> None:
        play = chartering().sign(PMO)
        given(play).when("WithdrawDecision", PMO, decision="D-1", reason="No").then_refused("NotTheRequester", "DR17")
        given(play).when("WithdrawDecision", PRODUCT, decision="D-1", reason="No").then(DecisionWithdrawn).told(
            PRODUCT, PMO
        )

    def test_a_vote_changes_while_it_is_open_and_both_stay_in_the_history(self) -> None:
        play = members_decide(min_approvals=6).vote(CAST[0], "ABSTAIN").vote(CAST[0])
        assert play.kinds()[-2:] == ["VoteCast", "VoteChanged"]
        outcome = given(play.vote(CAST[1], "REJECT")).when_vote(CAST[0], "REJECT").then(VoteChanged, DecisionRejected)
        assert outcome.project.decisions["D-3"].state is State.REJECTED

    def test_an_approval_is_revoked_before_it_takes_effect(self) -> None:
        play = delayed()
        assert play.decision().state is State.APPROVED
        given(play).when("RevokeDecision", SPONSOR, decision="D-3", reason="x").then_refused("NotAVoter", "DR17")
        outcome = given(play).when("RevokeDecision", PRODUCT, decision="D-3", reason="New facts").then(DecisionRevoked)
        outcome.told(PMO, PRODUCT)
        assert outcome.play.later(days=5).project.plan.baseline is None

    def test_what_took_effect_is_not_revoked(self) -> None:
        given(planned()).when("RevokeDecision", PMO, decision="D-3", reason="x").then_refused("NotRevocable", "DR17")

    def test_who_rejected_does_not_revoke_what_others_approved(self) -> None:
        slots = [{"name": "members", "role": "MEMBER", "min_approvals": 2}]
        under = policy(decisions={Kind.BASELINE: {"slots": slots, "effect_delay_days": 1}})
        play = members_decide_under(under).vote(CAST[0], "REJECT").sign(*CAST[1:3])
        given(play).when("RevokeDecision", CAST[0], decision="D-3", reason="x").then_refused("NotAVoter", "DR17")


def members_decide_under(under: Any) -> Play:
    people = COMMANDS["StartProject"].example["people"] | {"members": CAST}
    named = [a for a in charter()["assignments"] if a["role"] != "MEMBER"]
    team = named + [{"person": p, "role": "MEMBER"} for p in CAST]
    play = started(under, people=people).do("DraftCharter", PRODUCT, content=charter(assignments=team))
    play.do("ProposeCharter", PRODUCT, revision=1).sign(PMO, PRODUCT, SPONSOR)
    play.do("ProposeAgreement", PRODUCT, content=agreement()).sign(PMO, PRODUCT).begin()
    return play.do("ProposePlan", PMO, content=plan())


class TestDR18Bulk:
    def test_some_decisions_are_decided_by_themselves(self) -> None:
        given(closing()).when_vote(PMO, client="bulk").then_refused("NoBulk", "DR18")
        given(chartering()).when_vote(PMO, client="bulk").then(VoteCast)


class TestDR19FrozenPolicy:
    def test_a_newer_template_changes_no_running_project(self) -> None:
        play = chartering()
        play.policy = policy(decisions={Kind.CHARTER: {"slots": [{"name": "members", "role": "MEMBER"}]}})
        assert play.sign(PMO, PRODUCT, SPONSOR).project.stage is Stage.KPI_AGREEMENT
        assert (
            play.do("ProposeAgreement", PMO, content=agreement()).decision().policy == plain().decisions[Kind.AGREEMENT]
        )


class TestDR20OneEffect:
    def test_the_effect_comes_with_the_last_signature(self) -> None:
        play = planned()
        assert play.kinds().count("PlanBaselined") == 1
        assert play.kinds()[-3:] == ["DecisionApproved", "DecisionEffectApplied", "PlanBaselined"]

    def test_a_delayed_effect_comes_at_its_hour(self) -> None:
        play = delayed(days=2)
        assert play.project.plan.baseline is None
        due = play.calendar.add_days(MONDAY, 2)
        assert play.pass_time(due).kinds()[-2:] == ["DecisionEffectApplied", "PlanBaselined"]
        assert play.facts[-1].happened.at == due
        assert play.later(days=30).kinds().count("PlanBaselined") == 1

    def test_a_failed_effect_changes_nothing_is_seen_and_tried_again(self) -> None:
        play = failing()
        assert isinstance(play.facts[-1].event, DecisionEffectFailed)
        assert {n.recipient for n in play.told(len(play.facts) - 1)} == {PMO}
        assert play.project.stage is Stage.CHANGE_REVIEW
        given(play).when("RetryEffect", MEMBER, decision="D-4").then_refused("WrongRole")
        given(play).when("RetryEffect", PMO, decision=play.decision().id).then(DecisionEffectFailed)
        play.do("WithdrawChange", MEMBER, change="C-1", reason="Never mind")
        retried = play.copy().do("RetryEffect", PMO, decision=play.decision().id)
        assert retried.project.stage is Stage.RETROSPECTIVE
        assert play.later(days=1).project.stage is Stage.RETROSPECTIVE
        assert play.kinds().count("StageEntered") == 4

    def test_asking_anew_takes_the_place_of_what_failed(self) -> None:
        play, failed = failing(), failing().decision().id
        play.do("WithdrawChange", MEMBER, change="C-1", reason="Never mind")
        play.do("ProposeAcceptance", PMO, **COMMANDS["ProposeAcceptance"].example)
        assert play.project.decisions[failed].state is State.SUPERSEDED
        assert play.sign(PMO, PRODUCT, SPONSOR).later(days=20).project.stage is Stage.RETROSPECTIVE
        assert play.kinds().count("DecisionEffectFailed") == 1

    def test_there_is_nothing_to_retry_where_nothing_failed(self) -> None:
        given(delayed()).when("RetryEffect", PMO, decision="D-3").then_refused("NothingToRetry", "DR20")

    def test_leaving_for_another_stage_ends_what_waits(self) -> None:
        play = delayed(days=9).do("ProposeRecycle", PMO, to="KPI_AGREEMENT", reason="Anew").sign(PMO, PRODUCT)
        assert play.project.decisions["D-3"].state is State.SUPERSEDED
        assert "DecisionEffectApplied" not in play.later(days=20).kinds(len(play.facts))


def failing() -> Play:
    """The acceptance is approved, but a change came up meanwhile: its effect has failed."""
    play = reviewing().do("ProposeAcceptance", PMO, **COMMANDS["ProposeAcceptance"].example)
    submit(play)
    return play.sign(PMO, PRODUCT, SPONSOR)


class TestX5AuthorNeverSignsAlone:
    def test_the_sponsor_signs_for_the_side_that_wrote_the_change(self) -> None:
        play = changing(author=PRODUCT)
        given(play).when_vote(PRODUCT).then_refused("SeparationOfDuties", "X5")
        assert play.sign(PMO, SPONSOR).decision().state is State.EFFECTIVE

    def test_nobody_signs_twice_for_it(self) -> None:
        play = changing(author=PRODUCT, cost="20000")
        assert play.decision().state is State.BLOCKED
        assert play.facts[-1].event == DecisionBlocked(decision="D-4", slots=("sponsor",))


class TestSendBack:
    def test_dr16_to_the_author_with_a_reason(self) -> None:
        outcome = given(chartering().sign(PMO)).when("SendBack", SPONSOR, decision="D-1", reason="The scope is vague")
        outcome.then(DecisionReturned).told(PRODUCT)
        assert outcome.project.decisions["D-1"].state is State.RETURNED

    def test_dr16_only_by_whoever_may_sign_now(self) -> None:
        given(chartering()).when("SendBack", MEMBER, decision="D-1", reason="x").then_refused("NotASigner", "DR16")


def three_steps() -> Play:
    """The charter is signed first by the PMO, then by the product manager, then by the sponsor."""
    slots = [
        {"name": "pmo", "role": "PMO", "order": 1},
        {"name": "product-manager", "role": "PRODUCT_MANAGER", "order": 5},
        {"name": "sponsor", "role": "SPONSOR", "order": 9},
    ]
    return chartering(policy(decisions={Kind.CHARTER: {"slots": slots}}))


class TestStages:
    def test_a_later_slot_waits_for_its_turn(self) -> None:
        play = three_steps()
        given(play).when_vote(SPONSOR).then_refused("NotYourTurn")
        given(play).when_vote(SPONSOR, slot="sponsor").then_refused("NotYourTurn")
        assert play.duties(SPONSOR) == []

    def test_the_vote_that_opens_a_stage_invites_its_people(self) -> None:
        given(three_steps()).when_vote(PMO).then(VoteCast).told(PRODUCT)

    def test_dr16_sent_back_to_an_earlier_stage_voids_its_votes_and_the_later_ones(self) -> None:
        play = three_steps().sign(PMO, PRODUCT)
        back = given(play).when("SendBack", SPONSOR, decision="D-1", reason="Costs", to_slot="product-manager")
        back.then(DecisionReturned).told(PRODUCT)
        assert [b.slot for b in back.project.decisions["D-1"].ballots] == ["pmo"]
        first = (
            given(play).when("SendBack", SPONSOR, decision="D-1", reason="Costs", to_slot="pmo").then(DecisionReturned)
        )
        assert first.project.decisions["D-1"].ballots == ()
        assert first.play.sign(PMO, PRODUCT, SPONSOR).project.stage is Stage.KPI_AGREEMENT

    def test_dr16_only_to_an_earlier_stage(self) -> None:
        play = three_steps().sign(PMO)
        for slot in ("product-manager", "sponsor"):
            given(play).when("SendBack", PRODUCT, decision="D-1", reason="x", to_slot=slot).then_refused(
                "NotEarlier", "DR16"
            )
        given(play).when("SendBack", PRODUCT, decision="D-1", reason="x", to_slot="nobody").then_refused("NoSlot")


class TestSupersededOnNewWording:
    def test_a_gate_asked_for_anew_takes_the_place_of_the_open_one(self) -> None:
        play = closing().sign(PMO)
        example = COMMANDS["ProposeClosing"].example
        given(play).when("ProposeClosing", PRODUCT, **example).then_refused("AlreadyProposed")
        outcome = given(play).when("ProposeClosing", PRODUCT, **(example | {"problems": "None"}))
        assert any(isinstance(e, DecisionSuperseded) for e in outcome.events)
        assert outcome.play.sign(PMO, PRODUCT, SPONSOR).do("CloseProject", LIFECYCLE).project.ended


def test_the_roles_of_a_decision_are_looked_up_when_people_vote() -> None:
    play = chartering().do("AssignRole", PMO, person="zhao.min", role="PMO", reason="Successor")
    play.do("ConfirmRole", SPONSOR, grant="G-6").do("EndRole", SPONSOR, person=PMO, role="PMO", reason="Leaves")
    assert play.project.team.holders(Role.PMO) == ("zhao.min",)
    given(play).when_vote(PMO).then_refused("WrongRole")
    assert play.sign("zhao.min", PRODUCT, SPONSOR).project.stage is Stage.KPI_AGREEMENT


def test_both_sides_sign_one_agreement() -> None:
    play = proposed().sign(PRODUCT)
    assert play.project.stage is Stage.KPI_AGREEMENT
    assert play.sign(PMO).project.stage is Stage.EXECUTION


def test_members_sign_nothing_where_no_slot_asks_for_them() -> None:
    given(proposed()).when_vote(MEMBER).then_refused("NotEligible", "DR6")
