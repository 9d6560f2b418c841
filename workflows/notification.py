"""One notice to one person, through the channels meant for it, one after the other, tried for days."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as TimeoutOfStep

with workflow.unsafe.imports_passed_through():
    from activities.messages import Delivery, NoticeMessage, Planned, Timing
    from activities.notify import NotifySteps

PATIENCE = timedelta(days=3)
SOON = timedelta(hours=1)
"""So long a channel is tried before the reader's next one."""
SHORTLY = timedelta(seconds=30)
ALIVE = timedelta(seconds=10)
"""A step that has not been heard of for so long is lost with its worker, and another one tries."""
AT_HAND = "inbox"
READERS = "readers-hours"
"""Workflows that began before readers had quiet hours do not ask for them."""
FALLBACK = "next-channel"
"""Those that began before there was an order of channels try them side by side."""
NEAR = "asked-near"
"""Those that began before ask for the reader's hours in a step of its own."""
AT_MOST = timedelta(seconds=2)
NOT_DONE_HERE = (ActivityError, ApplicationError, TimeoutOfStep)
"""What a failed local activity raises: its own error as it is, a timeout wrapped, or bare where it is replayed."""
THROUGH, KEPT, FAILED, NEVER = "delivered", "kept", "failed", "never"
TRYING = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(hours=1))


@workflow.defn(name="NotificationWorkflow")
class NotificationWorkflow:
    """Delivers one notice; its id (event and recipient) makes a second start impossible."""

    @workflow.run
    async def run(self, notice: NoticeMessage) -> list[str]:
        """The channels that it got through."""
        beyond = tuple(channel for channel in notice.channels if channel != AT_HAND)
        if len(beyond) < 2 or not workflow.patched(FALLBACK):
            through = await asyncio.gather(*(self._deliver(notice, channel) for channel in notice.channels))
            return [channel for channel, ok in zip(notice.channels, through, strict=True) if ok]
        near = [self._deliver(notice, channel) for channel in notice.channels if channel == AT_HAND]
        at_hand, taken = await asyncio.gather(asyncio.gather(*near), self._first_of(notice, beyond))
        return [*([AT_HAND] if any(at_hand) else []), *([taken] if taken else [])]

    async def _deliver(self, notice: NoticeMessage, channel: str) -> bool:
        asked = Delivery(notice=notice, channel=channel)
        if channel != AT_HAND and workflow.patched(READERS):
            await self._wait(notice)
        try:
            await self._try(asked, PATIENCE)
        except ActivityError as failed:
            await self._give_up(asked, _reason(failed))
            return False
        return True

    async def _first_of(self, notice: NoticeMessage, channels: tuple[str, ...]) -> str | None:
        """The first channel that takes it: each is tried for a while, then what may still come good for days."""
        await self._wait(notice)
        left, kept, last = list(channels), False, Delivery(notice=notice, channel=channels[0])
        for patience in (SOON, PATIENCE):
            for channel in tuple(left):
                last = Delivery(notice=notice, channel=channel, following=_after(channel, left))
                became, reason = await self._outcome(last, patience)
                if became == THROUGH:
                    return channel
                kept, last = kept or became == KEPT, last.model_copy(update={"reason": reason, "following": ""})
                if became in {NEVER, KEPT}:
                    left.remove(channel)
        if not kept:
            await self._give_up(last, last.reason)
        return None

    async def _outcome(self, asked: Delivery, patience: timedelta) -> tuple[str, str]:
        """What became of it, and why."""
        try:
            return await self._try(asked, patience), ""
        except ActivityError as failed:
            reason = _reason(failed)
            if asked.following:
                await self._give_up(asked, reason)
            final = isinstance(failed.cause, ApplicationError) and failed.cause.non_retryable
            return NEVER if final else FAILED, reason

    async def _try(self, asked: Delivery, patience: timedelta) -> str:
        became = await workflow.execute_activity_method(
            NotifySteps.deliver,
            asked,
            start_to_close_timeout=SHORTLY,
            schedule_to_close_timeout=patience,
            heartbeat_timeout=ALIVE,
            retry_policy=TRYING,
            summary=f"{asked.channel} to {asked.notice.recipient}",
        )
        return became or THROUGH

    async def _give_up(self, asked: Delivery, reason: str) -> None:
        given_up = asked.model_copy(update={"reason": reason})
        await workflow.execute_activity_method(NotifySteps.give_up, given_up, start_to_close_timeout=SHORTLY)

    async def _wait(self, notice: NoticeMessage) -> None:
        """Until the reader's quiet hours are over, where what is told can wait."""
        timing = await self._timing(Planned(notice=notice, now=workflow.now()))
        if timing.at is not None and timing.at > workflow.now():
            await workflow.sleep(timing.at - workflow.now(), summary="quiet hours")

    async def _timing(self, planned: Planned) -> Timing:
        """Asked within this very task, which saves the engine a round; in an outage as a step that is tried again."""
        if workflow.patched(NEAR):
            try:
                return await workflow.execute_local_activity_method(
                    NotifySteps.when_to_tell,
                    planned,
                    start_to_close_timeout=AT_MOST,
                    schedule_to_close_timeout=AT_MOST,
                    retry_policy=RetryPolicy(maximum_attempts=1),
                )
            except NOT_DONE_HERE:
                workflow.logger.warning("the reader's hours are not at hand")
        return await workflow.execute_activity_method(NotifySteps.when_to_tell, planned, start_to_close_timeout=SHORTLY)


def _after(channel: str, left: list[str]) -> str:
    """The channel that is tried after this one; none after the last."""
    return (left[left.index(channel) + 1 :] or [""])[0]


def _reason(failed: ActivityError) -> str:
    """What the last attempt said; nothing where it only never ended."""
    return failed.cause.message if isinstance(failed.cause, ApplicationError) else ""
