"""The decision engine: who fills a slot, what is counted, what ends it."""

from typing import Any

import pytest

from domain.messages import COMMANDS
from domain.project.ballots import VoteCast, VoteChanged, VoterRecused
from domain.project.counting import ceiling_share, needed
from domain.project.decision import State
from domain.project.decision_events import (
    DecisionApproved,
    DecisionBlocked,
    DecisionEffectApplied,
    DecisionEffectFailed,
    DecisionRejected,
    DecisionSuperseded,
    DecisionUnblocked,
    SubjectAnnotated,
)
from domain.project.plan import PlanBaselined
from domain.project.returning import DecisionReturned, DecisionRevoked, DecisionWithdrawn
from domain.project.team import RoleConfirmed
from domain.template import Kind
from domain.values import Role, Stage
from tests.spec import (
    AUDITOR,
    LIFECYCLE,
    MEMBER,
    MONDAY,
    PMO,
    PRODUCT,
    SPONSOR,
    Play,
    agreement,
    changing,
    charter,
    chartering,
    closing,
    executing,
    given,
    plain,
    plan,
    planned,
    policy,
    proposed,
    reviewing,
    started,
    submit,
)

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
