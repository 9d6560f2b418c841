"""Who signs may change while a decision is open: co-signers, handed-over seats, opinions, nudges."""

from typing import Any

import pytest

from domain.project.ballots import VoteCast
from domain.project.consulting import ApproversNudged, ConsultAnswered, ConsultAsked
from domain.project.counting import open_slots
from domain.project.decision import State
from domain.project.decision_events import DecisionApproved, DecisionBlocked
from domain.project.seats import SlotsChanged
from domain.project.team import RoleEnded
from domain.template import Kind
from domain.values import Stage
from tests.plays import chartering, proposed
from tests.spec import AUDITOR, MEMBER, PMO, PRODUCT, SPONSOR, Outcome, Play, given, policy


def add(play: Play, person: str = MEMBER, place: str = "PARALLEL", by: str = PRODUCT) -> Play:
    decision = play.decision().id
    return play.do("AddCoSigner", by, decision=decision, person=person, place=place, reason="Legal check")


def turn(play: Play) -> list[str]:
    return [slot.name for slot in open_slots(play.decision(), play.project.team)]


class TestDR15CoSigners:
    def test_beside_the_present_slots(self) -> None:
        play = add(proposed())
        assert turn(play) == ["pmo", "product-manager", "co-signer-1"]
        assert play.duties(MEMBER) == ["sign D-2"]
        assert play.sign(PMO, PRODUCT).project.stage is Stage.KPI_AGREEMENT
        given(play).when_vote(MEMBER).then(VoteCast, DecisionApproved, *[type(e) for e in effects(play)])

    def test_before_them_and_what_was_signed_stands(self) -> None:
        play = add(proposed().sign(PMO), place="BEFORE")
        assert turn(play) == ["co-signer-1"]
        given(play).when_vote(PRODUCT).then_refused("NotYourTurn")
        assert play.sign(MEMBER, PRODUCT).project.stage is Stage.EXECUTION

    def test_after_them(self) -> None:
        play = add(proposed(), place="AFTER")
        given(play).when_vote(MEMBER).then_refused("NotYourTurn")
        play.sign(PMO)
        given(play).when_vote(PRODUCT).then(VoteCast).told(MEMBER)
        assert play.sign(PRODUCT, MEMBER).project.stage is Stage.EXECUTION

    def test_by_a_signer_or_the_requester_only(self) -> None:
        data = {"decision": "D-2", "person": MEMBER, "place": "AFTER", "reason": "Legal check"}
        given(proposed()).when("AddCoSigner", MEMBER, **data).then_refused("NotAParty", "DR15")
        given(proposed()).when("AddCoSigner", PMO, **data).then(SlotsChanged)

    @pytest.mark.parametrize(
        ("person", "code", "rule"),
        [
            ("stranger", "NoMember", None),
            (AUDITOR, "AuditorNotApart", "R4"),
            (PMO, "NeededElsewhere", "DR2"),
        ],
    )
    def test_only_people_who_can_sign_without_being_missed_elsewhere(self, person: str, code: str, rule: Any) -> None:
        data = {"decision": "D-2", "person": person, "place": "AFTER", "reason": "Legal check"}
        given(proposed()).when("AddCoSigner", PRODUCT, **data).then_refused(code, rule)

    def test_nobody_is_asked_twice(self) -> None:
        data = {"decision": "D-2", "person": MEMBER, "place": "AFTER", "reason": "Again"}
        given(add(proposed())).when("AddCoSigner", PRODUCT, **data).then_refused("AlreadyCoSigner", "DR15")

    def test_a_co_signer_who_leaves_the_project_blocks_it(self) -> None:
        play = add(proposed())
        outcome = given(play).when("EndRole", PMO, person=MEMBER, role="MEMBER", reason="Leaves")
        outcome.then(RoleEnded, DecisionBlocked)
        assert outcome.play.duties(MEMBER) == []

    def remove(self, play: Play, by: str) -> Outcome:
        return given(play).when("RemoveCoSigner", by, decision="D-2", slot="co-signer-1", reason="Not needed")

    def test_removed_by_whoever_added_them_or_the_pmo_and_only_unvoted(self) -> None:
        play = add(proposed(), by=PRODUCT)
        self.remove(play, SPONSOR).then_refused("NotTheAdder", "DR15")
        self.remove(play, PRODUCT).then(SlotsChanged)
        self.remove(play, PMO).then(SlotsChanged)
        self.remove(play.sign(MEMBER), PMO).then_refused("AlreadyVoted", "DR15")

    def test_a_slot_of_the_policy_is_not_removed(self) -> None:
        given(proposed()).when("RemoveCoSigner", PMO, decision="D-2", slot="pmo", reason="x").then_refused("NoCoSigner")

    def test_removing_the_last_one_missing_ends_the_waiting(self) -> None:
        play = add(proposed()).sign(PMO, PRODUCT)
        assert self.remove(play, PMO).project.stage is Stage.EXECUTION

    def test_coming_and_going_for_ever_leaves_the_decision_readable(self) -> None:
        play = proposed()
        for _ in range(60):
            add(play, place="BEFORE")
            play.do("RemoveCoSigner", PMO, decision="D-2", slot="co-signer-1", reason="Not needed")
        assert {slot.order for slot in play.decision().slots} == {0}
        assert play.sign(PMO, PRODUCT).project.stage is Stage.EXECUTION

    def test_names_stay_apart_when_an_earlier_one_goes(self) -> None:
        play = proposed().do("AssignRole", PMO, person="zhao.min", role="MEMBER", reason="Lawyer")
        play.do("AssignRole", PMO, person="qian.hua", role="MEMBER", reason="Auditor's contact")
        add(add(play), "zhao.min")
        play.do("RemoveCoSigner", PMO, decision="D-2", slot="co-signer-1", reason="Not needed")
        names = [slot.name for slot in add(play, "qian.hua").decision().slots]
        assert len(set(names)) == len(names)


def effects(play: Play) -> list[Any]:
    """What the approval of the agreement brings about."""
    after = play.copy().vote(MEMBER)
    return [fact.event for fact in after.facts[len(play.facts) + 2 :]]


class TestDR16Transfer:
    def hand_over(self, play: Play, by: str, to: str, slot: str = "product-manager") -> Outcome:
        return given(play).when("TransferSlot", by, decision="D-2", slot=slot, to=to, reason="On leave")

    def test_the_seat_and_the_accountability_move(self) -> None:
        outcome = self.hand_over(proposed(), PRODUCT, MEMBER).then(SlotsChanged).told(MEMBER)
        play = outcome.play
        given(play).when_vote(PRODUCT).then_refused("NotEligible", "DR6")
        assert play.sign(PMO, MEMBER).project.stage is Stage.EXECUTION

    def test_only_ones_own_seat_and_only_unvoted(self) -> None:
        self.hand_over(proposed(), PMO, MEMBER).then_refused("NotYourSeat", "DR16")
        self.hand_over(proposed().sign(PRODUCT), PRODUCT, MEMBER).then_refused("AlreadyVoted", "DR16")
        self.hand_over(proposed(), PRODUCT, MEMBER, slot="nobody").then_refused("NoSlot")

    def test_only_to_people_who_may_sign_and_are_not_missed_elsewhere(self) -> None:
        self.hand_over(proposed(), PRODUCT, AUDITOR).then_refused("NotEligible", "DR16")
        self.hand_over(proposed(), PRODUCT, "stranger").then_refused("NotEligible", "DR16")
        self.hand_over(proposed(), PRODUCT, PMO).then_refused("NeededElsewhere", "DR2")
        self.hand_over(proposed(), PRODUCT, PRODUCT).then_refused("AlreadySeated", "DR16")

    def test_never_to_somebody_whom_separation_of_duties_bars(self) -> None:
        slots = [{"name": "pmo", "role": "PMO"}, {"name": "other", "role": "SPONSOR", "separation": ["NOT_AUTHOR"]}]
        play = proposed(policy(decisions={Kind.AGREEMENT: {"slots": slots}}))
        self.hand_over(play, SPONSOR, PRODUCT, slot="other").then_refused("SeparationOfDuties", "DR16")


class TestDR16Consult:
    def ask(self, by: str = PMO, person: str = MEMBER) -> Outcome:
        return given(proposed()).when("Consult", by, decision="D-2", person=person, question="Can we test this?")

    def test_an_opinion_is_asked_and_given_and_the_signer_still_decides(self) -> None:
        play = self.ask().then(ConsultAsked).told(MEMBER).play
        assert play.duties(MEMBER) == ["answer D-2/Q-1"]
        given(play).when("AnswerConsult", SPONSOR, decision="D-2", question="Q-1", answer="x").then_refused(
            "NotAsked", "DR16"
        )
        outcome = given(play).when("AnswerConsult", MEMBER, decision="D-2", question="Q-1", answer="Yes")
        outcome.then(ConsultAnswered).told(PMO)
        assert outcome.play.duties(MEMBER) == []
        assert outcome.project.decisions["D-2"].state is State.OPEN
        given(outcome.play).when("AnswerConsult", MEMBER, decision="D-2", question="Q-1", answer="x").then_refused(
            "NoQuestion"
        )

    def test_auditors_may_be_asked_strangers_not(self) -> None:
        self.ask(person=AUDITOR).then(ConsultAsked)
        self.ask(person="stranger").then_refused("NoMember")
        self.ask(by=MEMBER).then_refused("NotAParty", "DR15")

    def test_the_clock_goes_on_meanwhile(self) -> None:
        play = self.ask().play
        assert play.project.clocks["decision/D-2"].paused_at is None

    def test_a_hundred_questions_are_enough(self) -> None:
        play = proposed()
        for _ in range(100):
            play.do("Consult", PMO, decision="D-2", person=MEMBER, question="And now?")
        given(play).when("Consult", PMO, decision="D-2", person=MEMBER, question="?").then_refused(
            "AskedEnough", "DR16"
        )
        given(play).when_vote(PMO, "REQUEST_INFO").then_refused("AskedEnough", "DR16")


class TestNudges:
    def test_those_who_have_not_voted_are_reminded_within_a_limit(self) -> None:
        play = proposed().sign(PRODUCT)
        for _ in range(3):
            outcome = given(play).when("NudgeApprovers", PRODUCT, decision="D-2")
            outcome.then(ApproversNudged(decision="D-2", people=(PMO,))).told(PMO)
            given(outcome.play).when("NudgeApprovers", PRODUCT, decision="D-2").then_refused(
                *self.refusal(outcome.play)
            )
            play = outcome.play.later(days=1)
        given(play).when("NudgeApprovers", PRODUCT, decision="D-2").then_refused("NudgedEnough", "DR16")

    @staticmethod
    def refusal(play: Play) -> tuple[str, str]:
        enough = play.project.decisions["D-2"].nudges >= 3
        return ("NudgedEnough", "DR16") if enough else ("NudgedToday", "N3")

    def test_on_one_working_day_those_are_nudged_who_were_not_yet(self) -> None:
        play = add(proposed().do("NudgeApprovers", PRODUCT, decision="D-2").later(hours=1))
        outcome = given(play).when("NudgeApprovers", PRODUCT, decision="D-2")
        outcome.then(ApproversNudged(decision="D-2", people=(MEMBER,))).told(MEMBER)

    def test_where_nobody_is_awaited_nobody_is_nudged(self) -> None:
        play = chartering().sign(PMO, PRODUCT).vote(SPONSOR, "RECUSE")
        given(play).when("NudgeApprovers", PRODUCT, decision="D-1").then_refused("NobodyAwaited")
