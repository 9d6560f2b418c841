"""The way of a project: stages in order, gates, back, out, and the end."""

from typing import Any

import pytest

from domain.messages import COMMANDS
from domain.project.changes import ChangeState
from domain.project.decision import State
from domain.project.lifecycle import ProjectClosed
from domain.project.starting import ProjectStarted
from domain.values import Role, Stage
from tests.plays import (
    agreeing,
    assess,
    change_data,
    changing,
    closed,
    closing,
    evaluate,
    executing,
    finish,
    looking_back,
    planned,
    reviewing,
    started,
    submit,
)
from tests.spec import LIFECYCLE, MEMBER, PMO, PRODUCT, SPONSOR, Play, agreement, given, plain, plan

ORDER = [Stage.KICKOFF, Stage.KPI_AGREEMENT, Stage.EXECUTION, Stage.CHANGE_REVIEW, Stage.RETROSPECTIVE]
PEOPLE = COMMANDS["StartProject"].example["people"]


def sent_back(play: Play, to: str) -> Play:
    return play.do("ProposeRecycle", PMO, to=to, reason="Anew").sign(PMO, PRODUCT).begin()


def cancelled(play: Play) -> Play:
    return play.do("ProposeCancellation", PMO, reason="The market has gone").sign(PMO, PRODUCT, SPONSOR).begin()


class TestStart:
    def start(self, by: str = PMO, **changes: Any) -> Any:
        data = COMMANDS["StartProject"].example | changes
        return given(Play(plain())).when("StartProject", by, **data)

    @pytest.mark.parametrize("by", [PMO, PRODUCT])
    def test_the_pmo_or_the_product_manager_starts(self, by: str) -> None:
        outcome = self.start(by).then(ProjectStarted)
        assert outcome.project.stage is Stage.KICKOFF
        assert outcome.project.team.holders(Role.SPONSOR) == (SPONSOR,)

    def test_nobody_starts_a_project_for_others(self) -> None:
        self.start(SPONSOR).then_refused("NotAStarter")
        self.start(template="nonesuch").then_refused("NoTemplate")

    def test_r6_one_person_alone_is_no_project(self) -> None:
        alone = {"sponsor": PMO, "pmo": PMO, "product_manager": PMO}
        self.start(people=alone).then_refused("TooFewDeciders", "R6")

    @pytest.mark.parametrize(
        "wrong",
        [{"budget": {"amount": "0", "currency": "CNY"}}, {"finish_by": "2026-03-02"}, {"finish_by": "9999-01-01"}],
        ids=str,
    )
    def test_budget_and_dates_make_sense(self, wrong: dict[str, Any]) -> None:
        self.start(**wrong).then_refused("Malformed", "DR14")

    def test_a_project_starts_once(self) -> None:
        given(started()).when("StartProject", PMO, **COMMANDS["StartProject"].example).then_refused("AlreadyStarted")


class TestP1NoStageIsSkipped:
    def test_the_five_stages_in_order(self) -> None:
        play = closed()
        entered = [f.after.stage for f in play.facts if type(f.event).__name__ == "StageEntered"]
        assert [Stage.KICKOFF, *entered] == ORDER
        assert play.kinds().count("GatePassed") == 5
        assert play.project.lifecycle.ending == "completed"

    @pytest.mark.parametrize("name", sorted(n for n, kind in COMMANDS.items() if kind.stages != frozenset(ORDER)))
    def test_a_command_of_another_stage_is_refused(self, name: str) -> None:
        kind = COMMANDS[name]
        plays = {"KICKOFF": started, "EXECUTION": planned, "RETROSPECTIVE": looking_back}
        stage = next(s for s in plays if s not in kind.stages)
        by = LIFECYCLE if Role.SYSTEM in kind.roles else PMO if Role.PMO in kind.roles else SPONSOR
        by = PRODUCT if kind.roles == {Role.PRODUCT_MANAGER} else by
        given(plays[stage]()).when(name, by, **kind.example).then_refused("WrongStage", "P1")

    def test_a_recycle_leads_to_an_earlier_stage_only(self) -> None:
        for to in ("EXECUTION", "CHANGE_REVIEW", "CLOSED"):
            given(planned()).when("ProposeRecycle", PMO, to=to, reason="x").then_refused("NotEarlier", "P1")


class TestP2Execution:
    def test_is_entered_with_an_agreement_and_left_with_a_baseline(self) -> None:
        play = executing()
        assert play.project.agreement.active
        example = COMMANDS["ProposeCompletion"].example
        given(play).when("ProposeCompletion", PMO, **example).then_refused("NoBaseline", "P2")


class TestRecycle:
    def test_back_to_an_earlier_stage_and_what_was_being_decided_is_void(self) -> None:
        play = sent_back(planned().do("ProposeCompletion", PMO, **COMMANDS["ProposeCompletion"].example), "KICKOFF")
        assert play.project.stage is Stage.KICKOFF
        assert play.project.decisions["D-4"].state is State.SUPERSEDED
        assert play.project.lifecycle.visit == 4

    def test_forward_again_it_keeps_its_baseline_and_goes_on(self) -> None:
        play = sent_back(planned(), "KPI_AGREEMENT")
        play.do("ProposeAgreement", PMO, content=agreement()).sign(PMO, PRODUCT).begin()
        assert play.project.stage is Stage.EXECUTION
        assert play.project.plan.baseline_version == 1
        given(play).when("ProposePlan", PMO, content=plan()).then_refused("Baselined", "X7")
        assess(submit(play)).do("OpenChangeDecision", PMO, change="C-1").sign(PMO, PRODUCT)
        assert play.project.plan.baseline_version == 2
        play.do("ProposeCompletion", PMO, **COMMANDS["ProposeCompletion"].example).sign(PMO, PRODUCT).begin()
        play.do("ProposeAcceptance", PMO, **COMMANDS["ProposeAcceptance"].example).sign(PMO, PRODUCT, SPONSOR).begin()
        evaluate(play).do("ProposeClosing", PMO, **COMMANDS["ProposeClosing"].example)
        assert finish(play).project.lifecycle.ending == "completed"

    def test_check_ins_begin_anew_on_coming_back(self) -> None:
        play = sent_back(planned().later(days=3), "KPI_AGREEMENT")
        assert play.project.check_ins.current is None
        play.later(days=9).do("ProposeAgreement", PMO, content=agreement()).sign(PMO, PRODUCT).begin()
        current = play.project.check_ins.current
        assert current
        assert current.id == "K-2"
        assert current.due_at > play.now
        given(play).when("HoldCheckIn", PMO, check_in="K-1", attendees=[PMO, PRODUCT]).then_refused(
            "AlreadyHeld", "CM1"
        )

    def test_changes_are_assessed_anew_on_a_new_agreement(self) -> None:
        play = sent_back(changing(kpis=[{"kpi": "on-time", "target": "95"}]), "KPI_AGREEMENT")
        assert play.project.changes["C-1"].state is ChangeState.STALE
        assert play.project.changes["C-1"].product is None
        assert {n.recipient for n in play.told() if "assess C-1 again" in n.en} == {PMO, PRODUCT}

    def test_a_recycle_asked_about_one_stage_is_void_in_the_next(self) -> None:
        play = planned().do("ProposeRecycle", PMO, to="KICKOFF", reason="Anew")
        play.do("ProposeCompletion", PMO, **COMMANDS["ProposeCompletion"].example).sign(PMO, PRODUCT)
        assert play.project.stage is Stage.CHANGE_REVIEW
        assert play.project.decisions["D-4"].state is State.SUPERSEDED

    def test_one_at_a_time(self) -> None:
        play = planned().do("ProposeRecycle", PMO, to="KICKOFF", reason="Anew")
        given(play).when("ProposeRecycle", PRODUCT, to="KICKOFF", reason="Me too").then_refused("AlreadyProposed")

    def test_a_new_charter_ends_roles_that_it_does_not_name(self) -> None:
        play = sent_back(agreeing(), "KICKOFF").do("AssignRole", PMO, person="zhao.min", role="PMO", reason="Deputy")
        play.do("ProposeCharter", PMO, revision=1).sign(PMO, PRODUCT, SPONSOR)
        assert play.project.stage is Stage.KPI_AGREEMENT
        given(play).when("ConfirmRole", SPONSOR, grant="G-6").then_refused("NotPending", "R6")


class TestP3ACancelledProjectClosesInGoodOrder:
    @pytest.mark.parametrize("play", [started, agreeing, executing, changing, reviewing, looking_back])
    def test_from_every_stage_by_a_short_retrospective(self, play: Any) -> None:
        end = cancelled(play())
        assert end.project.stage is Stage.RETROSPECTIVE
        assert end.project.lifecycle.cancelling
        given(end).when("ProposeClosing", PMO, **COMMANDS["ProposeClosing"].example).then_refused(
            "NotReadyToClose", "Z1"
        )
        evaluate(end).do("ProposeClosing", PMO, **COMMANDS["ProposeClosing"].example)
        assert finish(end).project.lifecycle.ending == "cancelled"

    def test_open_changes_are_dropped_and_stay_in_the_log(self) -> None:
        play = cancelled(submit(changing(), title="Another one"))
        assert [c.state for c in play.project.changes.values()] == [ChangeState.DROPPED] * 2
        assert {n.recipient for n in play.told() if "dropped" in n.en} == {MEMBER}
        assert all(not d.in_play for d in play.project.decisions.values())

    def test_it_is_cancelled_once(self) -> None:
        given(cancelled(planned())).when("ProposeCancellation", PMO, reason="x").then_refused("AlreadyCancelled", "P3")

    def test_the_sponsor_may_veto(self) -> None:
        play = planned().do("ProposeCancellation", PMO, reason="x").vote(SPONSOR, "REJECT")
        assert play.project.stage is Stage.EXECUTION
        assert play.decision().state is State.REJECTED

    def test_no_way_back_from_there(self) -> None:
        given(cancelled(planned())).when("ProposeRecycle", PMO, to="KICKOFF", reason="x").then_refused(
            "WrongStage", "P1"
        )


class TestP4ThePinnedTemplate:
    def test_stays_whatever_becomes_of_the_template(self) -> None:
        play = started()
        play.policy = plain().model_copy(update={"version": "2.0"})
        play.do("DraftCharter", PMO, content=COMMANDS["DraftCharter"].example["content"])
        assert play.project.rules.version == "1.0"


class TestTheEnd:
    def test_only_the_lifecycle_closes_and_only_a_signed_closing(self) -> None:
        given(closing()).when("CloseProject", PMO).then_refused("SystemOnly")
        given(closing()).when("CloseProject", LIFECYCLE).then_refused("ClosingNotSigned", "Z10")
        signed = closing().sign(PMO, PRODUCT, SPONSOR)
        given(signed).when("CloseProject", LIFECYCLE).then(ProjectClosed).told(SPONSOR, PMO, PRODUCT, MEMBER, "an.jing")

    def test_once_signed_nothing_else_is_decided(self) -> None:
        play = closing().do("ProposeCancellation", SPONSOR, reason="Second thoughts")
        play.sign(PMO, PRODUCT, SPONSOR, decision="D-6")
        assert play.decision("D-7").state is State.SUPERSEDED
        example = COMMANDS["ProposeClosing"].example
        given(play).when("ProposeClosing", PMO, **example).then_refused("ClosingSigned", "Z10")
        given(play).when("ProposeCancellation", PMO, reason="x").then_refused("ClosingSigned", "Z10")

    @pytest.mark.parametrize("name", sorted(COMMANDS))
    def test_a_closed_project_refuses_everything(self, name: str) -> None:
        kind = COMMANDS[name]
        for by in (SPONSOR, PMO, PRODUCT, MEMBER, LIFECYCLE):
            outcome = given(closed()).when(name, by, **kind.example)
            assert outcome.refusal
            assert outcome.refusal.code in {"ProjectEnded", "WrongRole", "SystemOnly"}

    def test_nothing_is_due_and_nothing_waits_for_anybody(self) -> None:
        play = closed()
        assert play.project.clocks == {}
        assert [play.duties(p) for p in (SPONSOR, PMO, PRODUCT, MEMBER)] == [[], [], [], []]


def test_an_assessment_of_a_change_names_what_exists() -> None:
    product, plan_side = change_data(kpis=[{"kpi": "nonesuch", "target": "1"}], milestones=[])
    given(submit(planned())).when("AssessProductImpact", PRODUCT, **product).then_refused("NoKpi")
    plan_side["impact"]["milestones"] = [{"milestone": "M9", "due": "2026-09-01"}]
    given(submit(planned())).when("AssessPlanImpact", PMO, **plan_side).then_refused("NoMilestone")
