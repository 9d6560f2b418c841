"""Decisions whose policy asks for presence are signed by nobody who has not just proved to be there."""

from datetime import timedelta

import pytest

from domain.refusals import Grounds, Refused
from domain.template import Kind
from tests.plays import executing
from tests.spec import PMO, PRODUCT, Play, plan, policy


def asking(**more: int) -> Play:
    """A plan to be signed as D-3 by people who were there in the last ten minutes."""
    play = executing(policy(decisions={Kind.BASELINE: {"step_up_minutes": 10, **more}}))
    return play.do("ProposePlan", PMO, content=plan())


@pytest.mark.parametrize("minutes", [None, 10.1, 600])
def test_nobody_signs_who_was_not_there_just_now(minutes: float | None) -> None:
    play = asking()
    confirmed_at = None if minutes is None else play.now - timedelta(minutes=minutes)
    for value in ("APPROVE", "REJECT", "RECUSE"):
        with pytest.raises(Refused) as refusal:
            play.do("Vote", PMO, confirmed_at=confirmed_at, **play.ballot(value=value))
        assert (refusal.value.code, refusal.value.rule) == ("StepUpNeeded", "A2")
        assert refusal.value.grounds is Grounds.NOT_ALLOWED
    assert play.decision().ballots == ()


def test_whoever_was_there_just_now_signs() -> None:
    play = asking()
    for person in (PMO, PRODUCT):
        play.do("Vote", person, confirmed_at=play.now - timedelta(minutes=10), **play.ballot("D-3"))
    assert "PlanBaselined" in play.kinds()


def test_an_approval_is_not_taken_back_without_presence_either() -> None:
    play = asking(effect_delay_days=2)
    for person in (PMO, PRODUCT):
        play.do("Vote", person, confirmed_at=play.now, **play.ballot("D-3"))
    with pytest.raises(Refused) as refusal:
        play.do("RevokeDecision", PMO, decision="D-3", reason="New facts")
    assert refusal.value.code == "StepUpNeeded"
    play.do("RevokeDecision", PMO, confirmed_at=play.now, decision="D-3", reason="New facts")


def test_whoever_may_not_sign_is_told_that_instead() -> None:
    play = asking()
    with pytest.raises(Refused) as refusal:
        play.do("Vote", "li.wei", **play.ballot())
    assert refusal.value.code != "StepUpNeeded"


def test_other_decisions_ask_for_no_presence() -> None:
    play = executing(policy()).do("ProposePlan", PMO, content=plan()).sign(PMO, PRODUCT)
    assert "PlanBaselined" in play.kinds()
