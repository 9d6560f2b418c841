"""Milestones of the baseline are reached once, on a day that has come, with evidence."""

from domain.project.milestones import MilestoneReached
from tests.plays import executing, planned
from tests.spec import MEMBER, PMO, PRODUCT, SPONSOR, given

REACHED = {"milestone": "M1", "reached_on": "2026-03-02", "evidence": "Signed design, version 3"}


class TestS5Milestones:
    def test_are_reached_with_evidence_and_those_who_answer_for_the_plan_hear_of_it(self) -> None:
        outcome = given(planned()).when("ReachMilestone", MEMBER, **REACHED)
        outcome.then(MilestoneReached)
        outcome.told(SPONSOR, PMO)

    def test_are_reached_once(self) -> None:
        play = planned().do("ReachMilestone", PRODUCT, **REACHED)
        given(play).when("ReachMilestone", PMO, **REACHED).then_refused("AlreadyReached", rule="S5")

    def test_are_not_reached_in_the_future(self) -> None:
        day = {**REACHED, "reached_on": "2027-01-01"}
        given(planned()).when("ReachMilestone", PMO, **day).then_refused("DayToCome", rule="S5")

    def test_exist_in_the_baseline(self) -> None:
        given(planned()).when("ReachMilestone", PMO, **{**REACHED, "milestone": "M9"}).then_refused("NoMilestone")

    def test_need_a_baseline(self) -> None:
        given(executing()).when("ReachMilestone", PMO, **REACHED).then_refused("NoBaseline", rule="S5")
