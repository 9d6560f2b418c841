"""The steps that tell people: put each notice into the inbox, start it on its way beyond, keep the outcome."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from temporalio import activity

from activities.messages import Delivery, NoticeMessage
from activities.outages import OUTAGES, patient

AT_ONCE = 8
AT_HAND = "inbox"
"""The channel that is as near as the facts are: nothing is gained by a workflow that would try it for days."""


class Channel(Protocol):
    """A way to reach people. Delivering the same notice twice reaches them once."""

    async def deliver(self, notice: NoticeMessage) -> None:
        """Raises where the notice did not get through and should be tried again."""
        ...


class Ledger(Protocol):
    """Keeps what became of each notice in each channel."""

    async def record(self, notice: NoticeMessage, channel: str, state: str, attempts: int, detail: str) -> None:
        """`state` is `delivered` or `failed`; the latest outcome counts."""
        ...


class Sender(Protocol):
    """Starts the workflow that delivers a notice through its channels, unless it was ever started."""

    async def send(self, notice: NoticeMessage) -> None:
        """Raises where the engine cannot be reached."""
        ...


class NotifySteps:
    """What notices ask of the world. Every method may run twice."""

    def __init__(self, channels: Mapping[str, Channel], ledger: Ledger, sender: Sender) -> None:
        self._channels = channels
        self._ledger = ledger
        self._sender = sender

    @activity.defn(name="send_notices")
    @patient
    async def send_notices(self, notices: list[NoticeMessage]) -> None:
        """Put each notice into the inbox; start a workflow for what goes further, or did not get in."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def send(notice: NoticeMessage) -> None:
            async with gate:
                if left := await self._left(notice):
                    await self._sender.send(notice.model_copy(update={"channels": left}))

        await asyncio.gather(*(send(n) for n in notices))

    async def _left(self, notice: NoticeMessage) -> tuple[str, ...]:
        """The channels still to be tried, after the one at hand. Raises in an outage, which ends by itself."""
        if AT_HAND not in notice.channels:
            return notice.channels
        try:
            await self._deliver(notice, AT_HAND)
        except OUTAGES:
            raise
        except Exception:
            activity.logger.exception("not put into the inbox of %s, will be tried again", notice.recipient)
            return notice.channels
        return tuple(channel for channel in notice.channels if channel != AT_HAND)

    @activity.defn(name="deliver")
    @patient
    async def deliver(self, asked: Delivery) -> None:
        """Deliver through one channel and keep that it got through."""
        await self._deliver(asked.notice, asked.channel)

    async def _deliver(self, notice: NoticeMessage, channel: str) -> None:
        await self._channels[channel].deliver(notice)
        await self._ledger.record(notice, channel, "delivered", activity.info().attempt, "")

    @activity.defn(name="give_up")
    @patient
    async def give_up(self, asked: Delivery) -> None:
        """Keep that days of trying did not get the notice through."""
        await self._ledger.record(asked.notice, asked.channel, "failed", 0, "gave up after days of trying")
