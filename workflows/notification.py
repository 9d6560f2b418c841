"""One notice to one person, through every channel meant for it, tried for days."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.messages import Delivery, NoticeMessage
    from activities.notify import NotifySteps

PATIENCE = timedelta(days=3)
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
        try:
            await workflow.execute_activity_method(
                NotifySteps.deliver,
                asked,
                start_to_close_timeout=timedelta(seconds=30),
                schedule_to_close_timeout=PATIENCE,
                retry_policy=TRYING,
                summary=f"{channel} to {notice.recipient}",
            )
        except ActivityError:
            await workflow.execute_activity_method(
                NotifySteps.give_up, asked, start_to_close_timeout=timedelta(seconds=30)
            )
            return False
        return True
