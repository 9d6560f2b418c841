"""The plan and its changes: a baseline moves by an approved change, by exactly what was approved."""

from typing import Any

import pytest

from domain.project.change_events import (
    ChangeApplied,
    ChangeDecisionOpened,
    ChangeDeferred,
    ChangeReady,
    ChangeRejected,
    ChangeSubmitted,
    ChangeTriaged,
    ChangeWithdrawn,
    PlanImpactAssessed,
)
from domain.project.changes import ChangeState
from domain.project.decision import State
from domain.project.decision_events import DecisionOpened, DecisionSuperseded
from domain.template import Kind
from domain.values import Stage
from tests.plays import assess, change_data, changing, executing, planned, reviewing, submit
from tests.spec import MEMBER, PMO, PRODUCT, SPONSOR, Outcome, Play, given, plan, policy

ASKED: dict[str, Any] = {
    "title": "Add card payment",
    "reason": "update",
    "description": "Members ask for it",
    "options": ["Do nothing", "Add it in August"],
}


def two_ready() -> Play:
    """C-1 and C-2 assessed on plan version 1, both open for decision: D-4 and D-5."""
    play = assess(submit(changing(milestones=[{"milestone": "M2", "due": "2026-09-11"}]), title="Second"), "C-2")
    return play.do("OpenChangeDecision", PMO, change="C-2")


class TestS4Plan:
    def propose(self, **changes: Any) -> Outcome:
        return given(executing()).when("ProposePlan", PMO, content=plan(**changes))

    def test_within_the_charter(self) -> None:
        self.propose(budget={"amount": "80000.01", "currency": "CNY"}).then_refused("OverBudget", "S4")
        self.propose(budget={"amount": "1", "currency": "EUR"}).then_refused("OtherCurrency", "S4")
        self.propose(milestones=[plan()["milestones"][0]] * 2).then_refused("NameTwice", "S4")
        self.propose(budget={"amount": "0", "currency": "CNY"}).then_refused("Malformed", "DR14")

    def test_the_baseline_is_what_both_sides_signed(self) -> None:
        play = executing().do("ProposePlan", PMO, content=plan()).sign(PMO)
        play.do("ProposePlan", PRODUCT, content=plan(budget={"amount": "70000", "currency": "CNY"}))
        assert play.project.plan.baseline is None
        assert play.sign(PMO, PRODUCT).project.plan.baseline_version == 2
        baseline = play.project.plan.baseline
        assert baseline
        assert str(baseline.budget.amount) == "70000"

    def test_the_same_again_is_no_proposal(self) -> None:
        play = executing().do("ProposePlan", PMO, content=plan())
        given(play).when("ProposePlan", PRODUCT, content=plan()).then_refused("NothingChanged")


class TestX1BothSidesOnOneVersion:
    def test_ready_once_both_have_assessed(self) -> None:
        product, plan_side = change_data()
        play = submit(planned()).do("AssessProductImpact", PRODUCT, **product)
        given(play).when("OpenChangeDecision", PMO, change="C-1").then_refused("NotReady", "X1")
        given(play).when("AssessPlanImpact", PMO, **plan_side).then(PlanImpactAssessed, ChangeReady).told(PMO)

    def test_each_side_says_its_own(self) -> None:
        product, plan_side = change_data()
        given(submit(planned())).when("AssessProductImpact", PMO, **product).then_refused("WrongRole")
        given(submit(planned())).when("AssessPlanImpact", PRODUCT, **plan_side).then_refused("WrongRole")

    def test_only_on_the_present_plan(self) -> None:
        _, plan_side = change_data(base=2)
        given(submit(planned())).when("AssessPlanImpact", PMO, **plan_side).then_refused("StaleBase", "X1")

    def test_only_after_triage_and_before_the_decision(self) -> None:
        _, plan_side = change_data()
        fresh = planned().do("SubmitChange", MEMBER, **ASKED)
        given(fresh).when("AssessPlanImpact", PMO, **plan_side).then_refused("NotAssessable", "X1")
        given(changing()).when("AssessPlanImpact", PMO, **plan_side).then_refused("NotAssessable", "X1")

    def test_assessments_grow_old(self) -> None:
        play = assess(submit(planned())).later(days=21)
        given(play).when("OpenChangeDecision", PMO, change="C-1").then_refused("AssessmentTooOld", "X1")
        given(assess(play)).when("OpenChangeDecision", PMO, change="C-1").then(ChangeDecisionOpened, DecisionOpened)

    @pytest.mark.parametrize(
        ("impact", "code"),
        [
            ({"cost": "-80000"}, "BudgetGone"),
            ({"cost": "999999999999999"}, "BudgetGone"),
            ({"milestones": [{"milestone": "M2", "due": "2040-01-01"}]}, "DayOutOfRange"),
            (
                {"milestones": [{"milestone": "M2", "due": "2026-09-01"}, {"milestone": "M2", "due": "2026-10-01"}]},
                "NameTwice",
            ),
        ],
        ids=str,
    )
    def test_impossible_impacts(self, impact: dict[str, Any], code: str) -> None:
        _, plan_side = change_data(**impact)
        given(submit(planned())).when("AssessPlanImpact", PMO, **plan_side).then_refused(code, "X1")

    def test_costs_are_in_the_currency_of_the_plan(self) -> None:
        _, plan_side = change_data()
        plan_side["impact"]["cost"] = {"amount": "1", "currency": "EUR"}
        given(submit(planned())).when("AssessPlanImpact", PMO, **plan_side).then_refused("OtherCurrency", "X1")


class TestX2TheBaseMoves:
    def test_t11_the_second_of_two_is_stale_and_its_votes_are_void(self) -> None:
        play = two_ready().sign(PMO, decision="D-5").sign(PMO, PRODUCT, decision="D-4")
        assert play.project.plan.baseline_version == 2
        assert play.project.changes["C-2"].state is ChangeState.STALE
        assert play.decision("D-5").state is State.SUPERSEDED
        given(play).when_vote(PRODUCT, decision="D-5").then_refused("DecisionClosed", "DR12")
        assert play.duties(PRODUCT)[-1] == "assess C-2"
        assess(play, "C-2").do("OpenChangeDecision", PMO, change="C-2").sign(PMO, PRODUCT)
        assert play.project.plan.baseline_version == 3

    def test_one_that_was_approved_but_not_applied_goes_stale_too(self) -> None:
        rows = planned().policy.model_dump(mode="json")["changes"]
        slow = policy(decisions={Kind.CHANGE: {"effect_delay_days": 2}}, changes=rows)
        play = changing(slow).sign(PMO, PRODUCT)
        assess(submit(play.later(days=1), title="Second"), "C-2").do("OpenChangeDecision", PMO, change="C-2")
        play.sign(PMO, PRODUCT).later(days=9)
        assert play.decision("D-4").state is State.EFFECTIVE
        assert play.decision("D-5").state is State.SUPERSEDED
        assert play.project.plan.baseline_version == 2
        assert "DecisionEffectFailed" not in play.kinds()


class TestX3WhoseAuthority:
    @pytest.mark.parametrize(
        ("impact", "row"),
        [
            ({"cost": "8000"}, "within-tolerance"),
            ({"cost": "8000.01"}, "above-tolerance"),
            ({"cost": "-8000.01"}, "above-tolerance"),
            ({"milestones": [{"milestone": "M2", "due": "2026-09-14"}]}, "within-tolerance"),
            ({"milestones": [{"milestone": "M2", "due": "2026-09-15"}]}, "above-tolerance"),
            ({"milestones": [{"milestone": "M2", "due": "2026-08-14"}]}, "above-tolerance"),
            ({"kpis": [{"kpi": "on-time", "target": "95"}]}, "above-tolerance"),
        ],
        ids=str,
    )
    def test_the_row_is_looked_up_by_magnitude(self, impact: dict[str, Any], row: str) -> None:
        play = changing(**impact)
        assert play.decision().authority_row == row
        names = [s.name for s in play.decision().slots]
        assert names[:2] == ["pmo", "product-manager"]
        assert ("sponsor" in names) == (row == "above-tolerance")

    def test_the_sponsor_may_veto_a_large_one(self) -> None:
        play = changing(cost="20000").sign(PMO, PRODUCT)
        assert play.project.plan.baseline_version == 1
        play.vote(SPONSOR, "REJECT")
        assert play.project.changes["C-1"].state is ChangeState.REJECTED


class TestX6ExactlyTheDelta:
    def test_plan_and_budget_move_by_what_was_approved_and_nothing_else(self) -> None:
        play = changing(cost="4000.50", milestones=[{"milestone": "M2", "due": "2026-09-11"}])
        before = play.project.plan.baseline
        after = play.sign(PMO, PRODUCT).project.plan.baseline
        assert before
        assert after
        assert str(after.budget.amount) == "84000.50"
        assert [str(m.due) for m in after.milestones] == ["2026-04-30", "2026-09-11"]
        assert after.milestones[0] == before.milestones[0]


class TestX7BaselinesAreLocked:
    def test_an_edit_is_refused_with_the_way_to_go(self) -> None:
        outcome = given(planned()).when("ProposePlan", PMO, content=plan(remarks="x")).then_refused("Baselined", "X7")
        assert outcome.refusal
        assert "submit-change" in str(outcome.refusal.next_step)

    def test_without_a_baseline_there_is_nothing_to_change(self) -> None:
        given(executing()).when("SubmitChange", MEMBER, **ASKED).then_refused("NoBaseline")


class TestX9ReasonsStay:
    def rejected(self) -> Play:
        return changing().vote(PMO, "REJECT", reason="Too dear")

    def test_a_rejection_keeps_its_reasons(self) -> None:
        change = self.rejected().project.changes["C-1"]
        assert (change.state, change.outcome) == (ChangeState.REJECTED, "Too dear")

    def test_the_same_again_needs_time_or_new_evidence(self) -> None:
        play = self.rejected()
        given(play).when("SubmitChange", PRODUCT, **ASKED).then_refused("DecidedBefore", "X9")
        given(play).when("SubmitChange", PRODUCT, **ASKED, new_evidence="A survey").then(ChangeSubmitted)
        given(play).when("SubmitChange", PRODUCT, **(ASKED | {"title": "Cards"})).then(ChangeSubmitted)
        given(play.later(days=10)).when("SubmitChange", PRODUCT, **ASKED).then(ChangeSubmitted)

    def test_nobody_decided_on_what_was_withdrawn(self) -> None:
        play = changing().do("WithdrawChange", MEMBER, change="C-1", reason="Later")
        given(play).when("SubmitChange", MEMBER, **ASKED).then(ChangeSubmitted)

    def test_what_is_under_way_is_not_submitted_twice(self) -> None:
        given(changing()).when("SubmitChange", PRODUCT, **ASKED).then_refused("AlreadySubmitted", "X9")

    def test_deferred_to_a_day_to_come(self) -> None:
        play = submit(planned())
        data = {"change": "C-1", "reason": "After the launch"}
        given(play).when("DeferChange", PMO, until="2026-03-02", **data).then_refused("DayOutOfRange", "X9")
        given(play).when("DeferChange", PMO, until="2026-03-03", **data).then(ChangeDeferred).told(MEMBER)
        given(changing()).when("DeferChange", PMO, until="2027-01-01", **data).then_refused("BeingDecided")


class TestX10EveryOutcomeIsLogged:
    def test_a_duplicate_names_the_other(self) -> None:
        play = submit(planned()).do("SubmitChange", PRODUCT, **(ASKED | {"title": "Cards"}))
        triage = {"change": "C-2", "change_class": "DUPLICATE"}
        given(play).when("TriageChange", PMO, **triage, duplicate_of="C-1").then(ChangeTriaged)
        given(play).when("TriageChange", PMO, **triage, duplicate_of="C-2").then_refused("DuplicateOfItself", "X10")
        given(play).when("TriageChange", PMO, **triage, duplicate_of="C-9").then_refused("NoChange")
        given(play).when("TriageChange", PMO, **triage).then_refused("Malformed", "DR14")

    def test_only_the_author_withdraws_and_its_decision_goes_with_it(self) -> None:
        given(changing()).when("WithdrawChange", PMO, change="C-1", reason="x").then_refused("NotTheAuthor", "X10")
        outcome = given(changing()).when("WithdrawChange", MEMBER, change="C-1", reason="Solved otherwise")
        outcome.then(ChangeWithdrawn, DecisionSuperseded)

    def test_what_has_its_outcome_has_no_other(self) -> None:
        play = changing().sign(PMO, PRODUCT)
        assert isinstance(play.facts[-1].event, ChangeApplied)
        for name, by in (("WithdrawChange", MEMBER), ("OpenChangeDecision", PMO)):
            data = {"change": "C-1"} | ({"reason": "x"} if by == MEMBER else {})
            given(play).when(name, by, **data).then_refused("ChangeClosed", "X10")

    def test_a_change_is_triaged_once(self) -> None:
        given(submit(planned())).when("TriageChange", PMO, change="C-1", change_class="NORMAL").then_refused(
            "AlreadyTriaged"
        )


class TestItsDecisionEndsWithoutVerdict:
    @pytest.mark.parametrize("how", ["SendBack", "WithdrawDecision"])
    def test_it_is_ready_again(self, how: str) -> None:
        by = PRODUCT if how == "SendBack" else PMO
        play = changing().do(how, by, decision="D-4", reason="Not yet")
        assert play.kinds()[-1] == "ChangeReopened"
        assert play.project.changes["C-1"].state is ChangeState.READY
        assert play.duties(PMO)[-1] == "open-decision C-1"
        play.do("OpenChangeDecision", PMO, change="C-1")
        assert play.sign(PMO, PRODUCT).project.plan.baseline_version == 2

    def test_also_when_it_expires_or_is_revoked(self) -> None:
        assert changing().later(days=5).project.changes["C-1"].state is ChangeState.READY
        slow = changing(policy(decisions={Kind.CHANGE: {"effect_delay_days": 2}})).sign(PMO, PRODUCT)
        slow.do("RevokeDecision", PMO, decision="D-4", reason="New facts")
        assert slow.project.changes["C-1"].state is ChangeState.READY

    def test_a_withdrawn_change_is_not_applied_later(self) -> None:
        slow = changing(policy(decisions={Kind.CHANGE: {"effect_delay_days": 2}})).sign(PMO, PRODUCT)
        slow.do("WithdrawChange", MEMBER, change="C-1", reason="Never mind").later(days=5)
        assert slow.project.plan.baseline_version == 1
        assert slow.decision("D-4").state is State.SUPERSEDED


class TestInChangeReview:
    def test_changes_are_still_decided_there(self) -> None:
        play = assess(submit(reviewing())).do("OpenChangeDecision", PMO, change="C-1").sign(PMO, PRODUCT)
        assert play.project.plan.baseline_version == 2
        assert play.project.stage is Stage.CHANGE_REVIEW

    def test_z3_no_acceptance_while_one_waits(self) -> None:
        data = {"accepted": ["Portal"], "reconciliation": "Within budget"}
        given(submit(reviewing())).when("ProposeAcceptance", PMO, **data).then_refused("ChangesUndecided", "Z3")


def test_a_rejected_change_says_so_to_its_author() -> None:
    outcome = given(changing()).when_vote(PMO, "REJECT")
    assert isinstance(outcome.events[-1], ChangeRejected)
    outcome.told(PMO, MEMBER)
