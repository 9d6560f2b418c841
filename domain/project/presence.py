"""Decisions that ask whoever signs to have just proved to be there, not only to be signed in.

Source: docs/governance.md, A2.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from domain.project.decision import Decision
from domain.refusals import not_allowed

if TYPE_CHECKING:
    from domain.story import Story


def check_presence(story: Story, decision: Decision) -> None:
    """Raises Refused where the actor's last proof of presence is missing or older than the policy allows."""
    minutes = decision.policy.step_up_minutes
    if minutes is None:
        return
    confirmed_at = story.actor.confirmed_at
    if confirmed_at is None or story.at - confirmed_at > timedelta(minutes=minutes):
        raise not_allowed(
            f"{decision.id} is signed only by somebody who has proved to be there in the last {minutes} minutes.",
            code="StepUpNeeded",
            rule="A2",
            next_step="Confirm that it is you, in the browser (/confirm-presence), then sign again; tokens cannot.",
        )
