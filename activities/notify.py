"""The steps that tell people: start each notice on its way, deliver it, keep the outcome."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from temporalio import activity

from activities.messages import Delivery, NoticeMessage
from activities.outages import patient

AT_ONCE = 8


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
    """Starts the workflow that delivers a notice, unless it was ever started."""

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
        """Start each notice on its way."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def send(notice: NoticeMessage) -> None:
            async with gate:
                await self._sender.send(notice)

        await asyncio.gather(*(send(n) for n in notices))

    @activity.defn(name="deliver")
    @patient
    async def deliver(self, asked: Delivery) -> None:
        """Deliver through one channel and keep that it got through."""
        await self._channels[asked.channel].deliver(asked.notice)
        await self._ledger.record(asked.notice, asked.channel, "delivered", activity.info().attempt, "")

    @activity.defn(name="give_up")
    @patient
    async def give_up(self, asked: Delivery) -> None:
        """Keep that days of trying did not get the notice through."""
        await self._ledger.record(asked.notice, asked.channel, "failed", 0, "gave up after days of trying")
