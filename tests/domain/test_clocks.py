"""What time does to decisions, stages, check-ins and KPIs. It reminds and ends; it never approves."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from domain.project.ballots import VoteCast
from domain.project.checkins import CheckInMissed
from domain.project.deadlines import (
    DeadlineExtended,
    DecisionEscalated,
    DecisionExpired,
    DecisionHeld,
    DecisionLapsed,
    DecisionReminderDue,
)
from domain.project.decision import State
from domain.project.holding import ProjectHeld, ProjectResumed
from domain.project.invitations import StageReminderDue
from domain.project.measurements import KpiBecameStale
from domain.project.passing import ReminderPutOff, next_due, pending
from domain.project.questions import InfoProvided, InfoRequested
from domain.project.resolution import clock_shares
from domain.template import Kind
from domain.values import Stage
from tests.plays import chartering, executing, planned, proposed, started
from tests.spec import LIFECYCLE, MEMBER, MONDAY, PMO, PRODUCT, SPONSOR, Play, given, plain, plan, policy

DAY = timedelta(days=1)


def happened(play: Play, *kinds: type) -> list[str]:
    """When events of these kinds happened, as `mark` at working days since MONDAY in tenths."""
    found = []
    for fact in play.facts:
        if isinstance(fact.event, kinds):
            minutes = play.calendar.between(MONDAY, fact.happened.at)
            found.append(f"{type(fact.event).__name__} {minutes / play.calendar.minutes_per_day:g}")
    return found


class TestDR10SilenceNeverApproves:
    def test_t08_reminders_then_escalation_then_the_end(self) -> None:
        play = chartering().later(days=10)
        kinds = (DecisionReminderDue, DecisionEscalated, DecisionExpired)
        assert happened(play, *kinds) == [
            "DecisionReminderDue 2.5",
            "DecisionReminderDue 4",
            "DecisionReminderDue 5",
            "DecisionEscalated 6.25",
            "DecisionExpired 7.5",
        ]
        assert play.decision("D-1").state is State.EXPIRED
        assert play.project.stage is Stage.KICKOFF
        assert "DecisionApproved" not in play.kinds()

    @pytest.mark.parametrize("kind", list(Kind))
    def test_no_policy_of_the_standard_process_ends_in_an_approval(self, kind: Kind) -> None:
        marks = {mark.split("-")[0] for mark in clock_shares(plain().decisions[kind])}
        assert marks <= {"remind", "escalate", "expire", "hold", "lapse"}
        assert marks & {"expire", "hold", "lapse"}

    def test_only_those_who_have_not_voted_are_reminded(self) -> None:
        play = chartering().sign(PRODUCT, SPONSOR)
        before = len(play.facts)
        play.later(days=3)
        reminded = [f for f in play.facts[before:] if isinstance(f.event, DecisionReminderDue)]
        assert [n.recipient for f in reminded for n in f.event.tells(f.after)] == [PMO]

    def test_an_escalation_adds_people_and_removes_nobody(self) -> None:
        play = chartering().sign(PRODUCT).later(days=7)
        slot = play.decision("D-1").slot("pmo")
        assert slot
        assert slot.alternates == ("SPONSOR",)
        given(play).when_vote(PMO, decision="D-1").then(VoteCast)
        given(play).when_vote(SPONSOR, decision="D-1", slot="pmo").then_refused("NeededElsewhere", "DR2")
        outcome = given(play).when_vote(SPONSOR, decision="D-1").then(VoteCast)
        assert outcome.project.decisions["D-1"].ballot(SPONSOR, "sponsor")

    def test_an_escalated_sponsor_signs_for_a_silent_side(self) -> None:
        play = proposed().sign(PRODUCT).later(days=7)
        assert play.sign(SPONSOR, decision="D-2").project.stage is Stage.EXECUTION

    def test_hold_waits_for_the_pmo(self) -> None:
        play = chartering(policy(decisions={Kind.CHARTER: {"on_timeout": "HOLD"}})).later(days=6)
        assert play.decision("D-1").state is State.ON_HOLD
        held = next(f for f in play.facts if isinstance(f.event, DecisionHeld))
        assert [n.recipient for n in held.event.tells(held.after)] == [PMO]
        assert play.duties(SPONSOR) == []
        given(play).when_vote(PMO, decision="D-1").then_refused("DecisionOnHold")
        given(play).when("NudgeApprovers", PRODUCT, decision="D-1").then_refused("NobodyAwaited")
        play.do("EndRole", PMO, person=MEMBER, role="MEMBER", reason="Leaves")
        assert play.decision("D-1").state is State.ON_HOLD
        outcome = given(play).when("ExtendDeadline", PMO, decision="D-1", days=2, reason="Wait")
        outcome.then(DeadlineExtended).told(PMO, PRODUCT, SPONSOR)
        assert outcome.play.sign(PMO, PRODUCT, SPONSOR, decision="D-1").project.stage is Stage.KPI_AGREEMENT

    def test_expire_ends_at_the_limit(self) -> None:
        play = executing().do("ProposeRecycle", PMO, to="KICKOFF", reason="Anew").later(days=3)
        assert isinstance(play.facts[-1].event, DecisionExpired)
        assert play.project.stage is Stage.EXECUTION

    def test_an_acknowledgement_lapses_to_not_acknowledged(self) -> None:
        play = chartering(policy(decisions={Kind.CHARTER: {"acknowledgement": True}})).later(days=5)
        assert [type(f.event) for f in play.facts if isinstance(f.event, DecisionLapsed)]
        assert play.decision("D-1").state is State.LAPSED
        assert play.project.stage is Stage.KICKOFF

    def test_who_waited_hears_of_the_end(self) -> None:
        play = chartering().sign(PMO).later(days=8)
        end = next(f for f in play.facts if isinstance(f.event, DecisionExpired))
        assert {n.recipient for n in end.event.tells(end.after)} == {PRODUCT, PMO}


class TestExtensions:
    def extend(self, play: Play, days: int = 1) -> Play:
        return play.do("ExtendDeadline", PMO, decision="D-1", days=days, reason="Waiting for an offer")

    def test_an_extension_adds_to_the_time_that_is_left(self) -> None:
        play = self.extend(chartering().later(days=2))
        assert play.decision("D-1").due_at == play.calendar.add_days(MONDAY, 6)

    def test_after_the_limit_it_counts_from_now(self) -> None:
        play = self.extend(chartering().later(days=6), days=2)
        assert play.decision("D-1").due_at == play.calendar.add_days(MONDAY, 8)
        assert play.later(days=1).decision("D-1").state is State.OPEN

    def test_dr10_by_the_pmo_within_limits(self) -> None:
        play = chartering()
        data: dict[str, Any] = {"decision": "D-1", "days": 1, "reason": "x"}
        given(play).when("ExtendDeadline", PRODUCT, **data).then_refused("WrongRole")
        given(play).when("ExtendDeadline", PMO, **(data | {"days": 6})).then_refused("ExtensionTooLong", "DR10")
        given(play).when("ExtendDeadline", PMO, **(data | {"days": 0})).then_refused("Malformed", "DR14")
        given(self.extend(self.extend(play))).when("ExtendDeadline", PMO, **data).then_refused("ExtendedEnough", "DR10")


def caught_up(play: Play) -> Play:
    """The play after everything that is due by its clock has happened."""
    while (due := next_due(play.project)) and due <= play.now:
        play.do("PassTime", LIFECYCLE, now=play.now.isoformat())
    return play


class TestDR11StaleTimers:
    def test_nothing_due_changes_nothing(self) -> None:
        given(chartering()).when("PassTime", LIFECYCLE, now=MONDAY.isoformat()).then_nothing()

    def test_t07_a_timer_after_the_approval_changes_nothing(self) -> None:
        play = chartering()
        due = next_due(play.project)
        play.sign(PMO, PRODUCT, SPONSOR)
        assert due
        play.now = due
        given(play).when("PassTime", LIFECYCLE, now=due.isoformat()).then_nothing()

    def test_nobody_makes_time_pass_but_time(self) -> None:
        given(chartering()).when("PassTime", PMO, now=MONDAY.isoformat()).then_refused("SystemOnly")
        play = chartering()
        given(play).when("PassTime", LIFECYCLE, now=(MONDAY + 90 * DAY).isoformat()).then_nothing()

    def test_a_worker_that_was_away_catches_up_in_order(self) -> None:
        late = chartering()
        late.now = late.calendar.add_days(MONDAY, 10) - timedelta(hours=1)
        prompt = chartering().pass_time(late.now)
        assert caught_up(late).kinds() == prompt.kinds()

    def test_what_only_asks_people_to_act_waits_until_they_are_at_work(self) -> None:
        play = chartering()
        reminder = pending(play.project)[0]
        play.now = night = reminder.at + timedelta(hours=12)
        events = [fact.event for fact in caught_up(play).facts if isinstance(fact.event, ReminderPutOff)]
        opening = play.calendar.next_opening(night)
        assert [(e.ref, e.mark, e.until) for e in events] == [(reminder.ref, reminder.mark, opening)]
        assert next_due(play.project) == opening
        assert isinstance(play.pass_time(opening).facts[-1].event, DecisionReminderDue)

    def test_a_reminder_at_the_end_of_a_day_is_on_time_for_a_minute(self) -> None:
        play = chartering(policy(decisions={Kind.CHARTER: {"limit_days": 2, "remind_percent": [50]}}))
        closing = next_due(play.project)
        assert closing == play.calendar.add_days(MONDAY, 1)
        for lateness, kind in [(60, DecisionReminderDue), (61, ReminderPutOff)]:
            late = play.copy()
            late.now = closing + timedelta(seconds=lateness)
            assert isinstance(caught_up(late).facts[-1].event, kind)

    def test_who_is_away_past_the_end_is_not_reminded_of_it_at_night(self) -> None:
        play = chartering()
        play.now = play.calendar.add_days(MONDAY, 10) + timedelta(hours=3)
        caught_up(play).pass_time(play.calendar.next_opening(play.now))
        assert play.decision("D-1").state is State.EXPIRED
        told = [fact for fact in play.facts if isinstance(fact.event, DecisionReminderDue | DecisionEscalated)]
        assert told == []


class TestQuestionsStopTheClock:
    def asked(self) -> Play:
        return chartering().later(days=2).vote(SPONSOR, "REQUEST_INFO", decision="D-1")

    def test_request_info_pauses_and_the_answer_goes_on_with_what_was_left(self) -> None:
        play = self.asked()
        assert isinstance(play.facts[-1].event, InfoRequested)
        assert play.duties(PRODUCT) == ["sign D-1", "answer D-1/Q-1"]
        play.later(days=30)
        assert play.decision("D-1").state is State.OPEN
        outcome = given(play).when("AnswerInfo", PRODUCT, decision="D-1", question="Q-1", answer="It does")
        outcome.then(InfoProvided).told(SPONSOR)
        assert outcome.project.decisions["D-1"].due_at == play.calendar.add_days(play.now, 3)

    def test_it_goes_on_only_with_the_last_answer(self) -> None:
        play = self.asked().vote(PMO, "REQUEST_INFO", decision="D-1")
        play.do("AnswerInfo", PRODUCT, decision="D-1", question="Q-1", answer="It does")
        assert play.project.clocks["decision/D-1"].paused_at
        play.do("AnswerInfo", PMO, decision="D-1", question="Q-2", answer="So it is")
        assert play.project.clocks["decision/D-1"].paused_at is None

    def test_the_requester_the_authors_or_the_pmo_answer(self) -> None:
        data: dict[str, Any] = {"decision": "D-1", "question": "Q-1", "answer": "x"}
        given(self.asked()).when("AnswerInfo", MEMBER, **data).then_refused("NotAsked")
        given(self.asked()).when("AnswerInfo", PMO, **data).then(InfoProvided)
        given(self.asked()).when("AnswerInfo", PRODUCT, **(data | {"question": "Q-7"})).then_refused("NoQuestion")

    def test_the_deadline_is_not_extended_meanwhile(self) -> None:
        given(self.asked()).when("ExtendDeadline", PMO, decision="D-1", days=1, reason="x").then_refused(
            "ClockStopped", "DR10"
        )

    def test_a_hold_of_the_project_in_between_changes_nothing(self) -> None:
        play = self.asked().do("HoldProject", PMO, reason="Audit").later(days=4).do("ResumeProject", PMO)
        play.later(days=1).do("AnswerInfo", PRODUCT, decision="D-1", question="Q-1", answer="It does")
        assert play.decision("D-1").due_at == play.calendar.add_days(play.now, 3)


class TestP5OnHold:
    def test_every_clock_stands_still_and_the_pause_is_a_fact(self) -> None:
        outcome = given(chartering()).when("HoldProject", SPONSOR, reason="Insolvent supplier")
        outcome.then(ProjectHeld).told(SPONSOR, PMO, PRODUCT, MEMBER, "an.jing")
        play = outcome.play
        assert next_due(play.project) is None
        assert pending(play.project) == []
        assert play.later(days=60).kinds()[-1] == "ProjectHeld"

    def test_resumed_after_the_deadline_the_time_that_was_left_is_left(self) -> None:
        play = chartering().later(days=2).do("HoldProject", PMO, reason="Audit").later(days=30)
        outcome = given(play).when("ResumeProject", PRODUCT).then(ProjectResumed)
        after = outcome.play
        assert after.decision("D-1").due_at == after.calendar.add_days(after.now, 3)
        assert after.project.clocks["decision/D-1"].due_at == after.decision("D-1").due_at
        assert after.project.clocks["stage/1"].due_at == after.calendar.add_days(after.now, 8)
        resumed_at = after.now
        assert after.later(days=1).kinds()[-1] == "DecisionReminderDue"
        assert after.facts[-1].happened.at == after.calendar.add_days(resumed_at, 1) - timedelta(hours=4, minutes=30)

    def test_what_was_overdue_at_the_hold_happens_on_resuming(self) -> None:
        play = chartering()
        play.now = play.calendar.add_days(MONDAY, 3) - timedelta(hours=1)
        play.do("HoldProject", PMO, reason="Audit").later(days=2).do("ResumeProject", PMO)
        assert next_due(play.project) == play.calendar.add_days(MONDAY, Fraction(5, 2))
        assert isinstance(play.later(minutes=1).facts[-1].event, DecisionReminderDue)

    def test_people_do_nothing_meanwhile_but_repair(self) -> None:
        play = chartering().do("HoldProject", PMO, reason="Audit")
        given(play).when_vote(PMO).then_refused("OnHold", "P5")
        given(play).when("HoldProject", PMO, reason="x").then_refused("OnHold", "P5")
        given(play).when("CloseProject", LIFECYCLE).then_refused("OnHold", "P5")
        given(play).when("PassTime", LIFECYCLE, now=MONDAY.isoformat()).then_nothing()
        assert play.duties(PMO) == []
        play.do("AssignRole", PMO, person="zhao.min", role="MEMBER", reason="Joins")
        play.do("WithdrawDecision", PRODUCT, decision="D-1", reason="Anew later")

    def test_a_stage_entered_just_before_the_hold_has_its_whole_time_afterwards(self) -> None:
        play = chartering().sign(PMO, PRODUCT, SPONSOR).do("HoldProject", PMO, reason="Audit").later(days=3)
        play.begin().later(days=3).do("ResumeProject", PMO)
        assert play.project.clocks["stage/2"].due_at == play.calendar.add_days(play.now, 10)

    def test_the_next_check_in_moves_with_its_clock(self) -> None:
        play = planned().later(days=2).do("HoldProject", PMO, reason="Audit").later(days=20).do("ResumeProject", PMO)
        current = play.project.check_ins.current
        assert current
        assert current.due_at == play.calendar.add_days(play.now, 3)

    def test_there_is_nothing_to_resume(self) -> None:
        given(started()).when("ResumeProject", PMO).then_refused("NotOnHold", "P5")


class TestStageClocks:
    def test_reminders_of_a_stage_and_late_the_sponsor_hears_too(self) -> None:
        play = started().later(days=12)
        assert happened(play, StageReminderDue) == ["StageReminderDue 5", "StageReminderDue 8", "StageReminderDue 10"]
        facts = [f for f in play.facts if isinstance(f.event, StageReminderDue)]
        told = [{n.recipient for n in f.event.tells(f.after)} for f in facts]
        assert told == [{PMO, PRODUCT}, {PMO, PRODUCT}, {PMO, PRODUCT, SPONSOR}]

    def test_leaving_the_stage_ends_its_clock(self) -> None:
        play = chartering().sign(PMO, PRODUCT, SPONSOR)
        assert [ref for ref in play.project.clocks if ref.startswith("stage/")] == []
        assert [f.event.stage for f in play.begin().later(days=12).facts if isinstance(f.event, StageReminderDue)] == [
            Stage.KPI_AGREEMENT
        ] * 3

    def test_people_are_invited_once_a_visit(self) -> None:
        given(started()).when("InvitePeople", LIFECYCLE).then_nothing()
        given(started()).when("StartStageClock", LIFECYCLE).then_nothing()


class TestKpiClocks:
    def test_a_kpi_that_nobody_measures_turns_stale(self) -> None:
        play = planned().later(days=24)
        facts = [f for f in play.facts if isinstance(f.event, KpiBecameStale)]
        assert len(facts) == 4
        assert happened(play, KpiBecameStale)[0] == "KpiBecameStale 23"
        assert {n.recipient for n in facts[0].event.tells(facts[0].after)} == {PRODUCT, PMO}
        assert "measure on-time" in play.duties(PRODUCT)

    def test_a_measurement_keeps_it_fresh_from_the_day_it_was_measured(self) -> None:
        play = planned().later(days=10)
        data = {"kpi": "on-time", "value": "75", "source": "Report", "evidence": "Page 3"}
        play.do("RecordMeasurement", PRODUCT, effective_on="2026-03-06", **data)
        friday = play.calendar.add_days(MONDAY, 5)
        assert play.project.clocks["kpi/on-time"].due_at == play.calendar.add_days(friday, 23)
        play.later(days=15)
        assert "on-time" not in play.project.agreement.stale
        assert "satisfied" in play.project.agreement.stale
        play.later(days=4)
        assert "on-time" in play.project.agreement.stale
        play.do("RecordMeasurement", PRODUCT, effective_on="2026-04-01", **data)
        assert "on-time" not in play.project.agreement.stale

    def test_kpis_are_watched_once(self) -> None:
        given(planned()).when("WatchKpis", LIFECYCLE).then_nothing()


class TestCM2MissedCheckIns:
    def test_three_in_a_row_reach_the_sponsor(self) -> None:
        play = planned().later(days=18)
        missed = [f for f in play.facts if isinstance(f.event, CheckInMissed)]
        assert [f.event.in_a_row for f in missed if isinstance(f.event, CheckInMissed)] == [1, 2, 3]
        assert happened(play, CheckInMissed) == ["CheckInMissed 6", "CheckInMissed 11", "CheckInMissed 16"]
        told = [{n.recipient for n in f.event.tells(f.after)} for f in missed]
        assert told == [{PMO, PRODUCT}, {PMO, PRODUCT}, {PMO, PRODUCT, SPONSOR}]

    def test_one_held_breaks_the_row(self) -> None:
        play = planned().later(days=12)
        assert play.project.check_ins.missed_in_a_row == 2
        play.do("HoldCheckIn", PMO, check_in="K-3", attendees=[PMO, PRODUCT])
        assert play.later(days=5).project.check_ins.missed_in_a_row == 0

    def test_an_old_one_held_late_does_not_excuse_the_newer_ones(self) -> None:
        play = planned().later(days=12).do("HoldCheckIn", PMO, check_in="K-1", attendees=[PMO, PRODUCT])
        assert play.project.check_ins.missed_in_a_row == 1
        assert play.project.check_ins.series["K-1"].state == "HELD_LATE"
        play.do("HoldCheckIn", PMO, check_in="K-2", attendees=[PMO, PRODUCT])
        assert play.project.check_ins.missed_in_a_row == 0

    def test_an_outage_is_one_missed_check_in_not_many(self) -> None:
        play = planned()
        play.now = play.calendar.add_days(play.now, 40)
        play.do("PassTime", LIFECYCLE, now=play.now.isoformat())
        assert play.kinds().count("CheckInMissed") == 1
        current = play.project.check_ins.current
        assert current
        assert current.due_at > play.now


def test_clocks_end_with_what_they_belong_to() -> None:
    play = executing().do("ProposePlan", PMO, content=plan()).sign(PMO, PRODUCT)
    assert sorted(ref.split("/")[0] for ref in play.project.clocks) == ["check-in", "kpi", "kpi", "kpi", "kpi", "stage"]
