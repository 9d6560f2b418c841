"""Check-ins held, evaluations, lessons, and the rules that stand before a project's end."""

from typing import Any

import pytest

from domain.messages import COMMANDS
from domain.project.checkins import CheckInHeld, CheckInScheduled
from domain.project.decision_events import DecisionOpened
from domain.project.evaluation import EvaluationMissing, EvaluationReconciled, EvaluationsRevealed, EvaluationSubmitted
from domain.project.gates import ClosingProposed
from domain.project.lessons import LessonValidated
from tests.plays import closing, evaluate, looking_back, planned
from tests.spec import AUDITOR, LIFECYCLE, MEMBER, PMO, PRODUCT, SPONSOR, Outcome, Play, given

CLOSE = COMMANDS["ProposeClosing"].example
FINE: dict[str, Any] = COMMANDS["SubmitEvaluation"].example


class TestCM1BothSidesMeet:
    def hold(self, *people: str, check_in: str = "K-1") -> Outcome:
        data = {"check_in": check_in, "attendees": list(people)}
        return given(planned().later(days=5)).when("HoldCheckIn", PMO, **data)

    def test_it_is_held_where_both_sides_were_there(self) -> None:
        self.hold(PMO, PRODUCT, "guest").then(CheckInHeld, CheckInScheduled)

    @pytest.mark.parametrize("people", [(PMO,), (PRODUCT,), (SPONSOR, MEMBER)])
    def test_without_one_side_it_is_not(self, people: tuple[str, ...]) -> None:
        self.hold(*people).then_refused("SideAbsent", "CM1")

    def test_the_cadence_is_kept(self) -> None:
        outcome = self.hold(PMO, PRODUCT)
        current = outcome.project.check_ins.current
        assert current
        assert current.id == "K-2"
        assert outcome.play.calendar.between(outcome.play.now, current.due_at) == 5 * 540

    def test_only_those_that_are_scheduled(self) -> None:
        self.hold(PMO, PRODUCT, check_in="K-9").then_refused("NoCheckIn")
        given(planned()).when("ScheduleCheckIns", LIFECYCLE).then_nothing()

    def test_both_sides_are_asked_when_it_is_due(self) -> None:
        play = planned().later(days=5)
        assert "check-in K-1" in play.duties(PMO)
        assert {n.recipient for n in play.told() if n.ref == "K-1"} == {PMO, PRODUCT}


class TestZ1BlindEvaluations:
    def test_t19_closed_to_the_other_side_until_both_are_in(self) -> None:
        play = looking_back().do("SubmitEvaluation", PRODUCT, **FINE)
        event = play.facts[-1].event
        assert [event.seals(play.project, p) for p in (PRODUCT, PMO, SPONSOR, AUDITOR)] == [False, True, True, True]
        play.do("SubmitEvaluation", PMO, **FINE)
        assert not any(event.seals(play.project, p) for p in (PRODUCT, PMO, SPONSOR, AUDITOR))

    def test_revealed_together(self) -> None:
        play = looking_back().do("SubmitEvaluation", PRODUCT, **FINE)
        assert play.duties(PMO) == ["evaluate PMO"]
        given(play).when("SubmitEvaluation", PRODUCT, **FINE).then_refused("AlreadyEvaluated", "Z1")
        given(play).when("SubmitEvaluation", PMO, **FINE).then(EvaluationSubmitted, EvaluationsRevealed)

    def apart(self) -> Play:
        play = looking_back().do("SubmitEvaluation", PRODUCT, **FINE)
        play.do("SubmitEvaluation", PMO, scores=FINE["scores"] | {"risk": 2, "cost": 5}, comment="Risks came late")
        return play.do("CaptureLesson", MEMBER, text="T", evidence="E").do("ValidateLesson", PMO, lesson="L-1")

    def test_two_points_apart_are_talked_over_first(self) -> None:
        play = self.apart()
        assert play.project.retrospective.differing == ("risk",)
        given(play).when("ProposeClosing", PMO, **CLOSE).then_refused("NotReadyToClose", "Z1")
        outcome = given(play).when("ReconcileEvaluation", PRODUCT, outcome="Seen too late").then(EvaluationReconciled)
        given(outcome.play).when("ProposeClosing", PMO, **CLOSE).then(ClosingProposed, DecisionOpened)
        given(outcome.play).when("ReconcileEvaluation", PMO, outcome="x").then_refused("NothingToReconcile", "Z1")

    def test_the_sponsor_records_a_missing_one_and_nobody_fills_it_in(self) -> None:
        play = looking_back().do("SubmitEvaluation", PMO, **FINE)
        data = {"side": "PRODUCT_MANAGER", "reason": "Left the company"}
        given(play).when("RecordMissingEvaluation", PMO, **data).then_refused("WrongRole")
        outcome = given(play).when("RecordMissingEvaluation", SPONSOR, **data)
        outcome.then(EvaluationMissing, EvaluationsRevealed)
        assert outcome.project.retrospective.evaluations["PRODUCT_MANAGER"].scores is None
        given(outcome.play).when("RecordMissingEvaluation", SPONSOR, **data).then_refused("AlreadyEvaluated", "Z1")


class TestZ3NothingOpen:
    def test_no_decision_waits(self) -> None:
        play = evaluate(looking_back()).do("ProposeCancellation", PMO, reason="Second thoughts")
        outcome = given(play).when("ProposeClosing", PMO, **CLOSE).then_refused("NotReadyToClose", "Z3")
        assert outcome.refusal
        assert "D-6" in outcome.refusal.detail


class TestZ9Lessons:
    def bare(self) -> Play:
        return looking_back().do("SubmitEvaluation", PMO, **FINE).do("SubmitEvaluation", PRODUCT, **FINE)

    def test_one_is_confirmed_or_the_summary_says_why_there_is_none(self) -> None:
        play = self.bare()
        given(play).when("ProposeClosing", PMO, **CLOSE).then_refused("NotReadyToClose", "Z9")
        data = CLOSE | {"no_lessons_because": "A repeat of last year"}
        given(play).when("ProposeClosing", PMO, **data).then(ClosingProposed, DecisionOpened)

    def test_an_unconfirmed_lesson_does_not_count(self) -> None:
        play = self.bare().do("CaptureLesson", PMO, text="T", evidence="E")
        given(play).when("ProposeClosing", PMO, **CLOSE).then_refused("NotReadyToClose", "Z9")

    def test_somebody_else_confirms_it_once(self) -> None:
        play = self.bare().do("CaptureLesson", PMO, text="T", evidence="E")
        given(play).when("ValidateLesson", PMO, lesson="L-1").then_refused("OwnLesson", "Z9")
        given(play).when("ValidateLesson", PRODUCT, lesson="L-2").then_refused("NoLesson")
        outcome = given(play).when("ValidateLesson", PRODUCT, lesson="L-1").then(LessonValidated)
        given(outcome.play).when("ValidateLesson", PRODUCT, lesson="L-1").then_refused("AlreadyValidated")

    def test_t20_everything_that_fails_is_listed(self) -> None:
        outcome = given(looking_back()).when("ProposeClosing", PMO, **CLOSE).then_refused("NotReadyToClose", "Z1")
        assert outcome.refusal
        assert [e["code"] for e in outcome.refusal.errors] == ["Z1", "Z9"]


class TestZ10TheSummaryIsSigned:
    def test_by_pmo_product_manager_and_sponsor(self) -> None:
        play = closing().sign(PMO, PRODUCT)
        assert not play.project.lifecycle.closing_approved
        assert play.sign(SPONSOR).project.lifecycle.closing_approved
        assert not play.project.ended
        assert play.do("CloseProject", LIFECYCLE).project.ended

    def test_what_is_signed_is_what_was_proposed(self) -> None:
        play = closing()
        proposed = next(f.event for f in play.facts if isinstance(f.event, ClosingProposed))
        assert play.decision().subject.content_hash == proposed.content_hash
