"""One notice to one person, through every channel meant for it, tried for days."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.messages import Delivery, NoticeMessage, Planned
    from activities.notify import NotifySteps

PATIENCE = timedelta(days=3)
SHORTLY = timedelta(seconds=30)
ALIVE = timedelta(seconds=10)
"""A step that has not been heard of for so long is lost with its worker, and another one tries."""
AT_HAND = "inbox"
READERS = "readers-hours"
"""Workflows that began before readers had quiet hours do not ask for them."""
TRYING = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(hours=1))


@workflow.defn(name="NotificationWorkflow")
class NotificationWorkflow:
    """Delivers one notice; its id (event and recipient) makes a second start impossible."""

    @workflow.run
    async def run(self, notice: NoticeMessage) -> list[str]:
        """The channels that it got through."""
        through = await asyncio.gather(*(self._deliver(notice, channel) for channel in notice.channels))
        return [channel for channel, ok in zip(notice.channels, through, strict=True) if ok]

    async def _deliver(self, notice: NoticeMessage, channel: str) -> bool:
        asked = Delivery(notice=notice, channel=channel)
        if channel != AT_HAND and workflow.patched(READERS):
            await self._wait(notice)
        try:
            await workflow.execute_activity_method(
                NotifySteps.deliver,
                asked,
                start_to_close_timeout=SHORTLY,
                schedule_to_close_timeout=PATIENCE,
                heartbeat_timeout=ALIVE,
                retry_policy=TRYING,
                summary=f"{channel} to {notice.recipient}",
            )
        except ActivityError as failed:
            given_up = asked.model_copy(update={"reason": _reason(failed)})
            await workflow.execute_activity_method(NotifySteps.give_up, given_up, start_to_close_timeout=SHORTLY)
            return False
        return True

    async def _wait(self, notice: NoticeMessage) -> None:
        """Until the reader's quiet hours are over, where what is told can wait."""
        planned = Planned(notice=notice, now=workflow.now())
        timing = await workflow.execute_activity_method(
            NotifySteps.when_to_tell, planned, start_to_close_timeout=SHORTLY
        )
        if timing.at is not None and timing.at > workflow.now():
            await workflow.sleep(timing.at - workflow.now(), summary="quiet hours")


def _reason(failed: ActivityError) -> str:
    """What the last attempt said; nothing where it only never ended."""
    return failed.cause.message if isinstance(failed.cause, ApplicationError) else ""
