"""The steps that tell people: put each notice into the inbox, start it on its way beyond, keep the outcome."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.digests import DigestSteps
from activities.messages import Delivery, NoticeMessage, Planned, Timing
from activities.outages import OUTAGES, patient
from domain.digest import Wish
from domain.quiet import QuietHours, wait_until

AT_ONCE = 8
MOST_SAID = 500
"""Characters of what went wrong."""
DIGEST = "digest"
"""Stands for a channel where a notice waits for the digest."""
AT_HAND = "inbox"
"""The channel that is as near as the facts are: nothing is gained by a workflow that would try it for days."""
BEAT_SECONDS = 2.0
"""A step that delivers says so often that it is alive: a killed one is noticed soon."""


class Undeliverable(Exception):
    """The notice will never get through this channel; the text says why."""


class Channel(Protocol):
    """A way to reach people. Delivering the same notice twice reaches them once."""

    async def deliver(self, notice: NoticeMessage) -> str | None:
        """None where it got through, or a word for what became of it instead, such as `kept`.

        Raises Undeliverable where trying again is of no use, an OSError or StoreUnavailable where it is.
        """
        ...


class Keeper(Protocol):
    """Where a notice stays that no channel took."""

    async def keep(self, notice: NoticeMessage) -> None:
        """May run twice."""
        ...


class Readers(Protocol):
    """How people want to be told. Raises StoreUnavailable."""

    async def channels(self, persons: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """The channels beyond the inbox of those who want any."""
        ...

    async def wishes(self, persons: Collection[str]) -> Mapping[str, Wish]:
        """The digests of those who want one."""
        ...

    async def quiet(self, person: str) -> QuietHours | None:
        """Their quiet hours."""
        ...


class InboxAlone:
    """Readers who want nothing else."""

    async def channels(self, persons: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """Nobody wants any."""
        return {}

    async def wishes(self, persons: Collection[str]) -> Mapping[str, Wish]:
        """Nobody wants one."""
        return {}

    async def quiet(self, person: str) -> QuietHours | None:
        """None."""
        return None


class Ledger(Protocol):
    """Keeps what became of each notice in each channel."""

    async def record(self, notice: NoticeMessage, channel: str, state: str, attempts: int, detail: str) -> None:
        """`state` is `waiting`, `delivered`, `kept` or `failed`; the latest outcome counts."""
        ...

    async def begin(self, notice: NoticeMessage, channel: str, detail: str = "") -> None:
        """It waits, unless something became of it already."""
        ...

    async def noted(self, notice: NoticeMessage, channel: str) -> bool:
        """Whether the notice is known to have got through this channel."""
        ...


class Rooms(Protocol):
    """Which projects have a chat room. Raises StoreUnavailable."""

    async def heard(self, notices: Sequence[NoticeMessage]) -> list[NoticeMessage]:
        """One notice more for each event that a room hears of."""
        ...


class NoRooms:
    """Where there is none."""

    async def heard(self, notices: Sequence[NoticeMessage]) -> list[NoticeMessage]:
        """Nothing."""
        return []


class Sender(Protocol):
    """Starts the workflow that delivers a notice through its channels, unless it was ever started."""

    async def send(self, notice: NoticeMessage) -> None:
        """Raises where the engine cannot be reached."""
        ...


class NotifySteps:
    """What notices ask of the world. Every method may run twice."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        ledger: Ledger,
        sender: Sender,
        readers: Readers | None = None,
        keepers: Mapping[str, Keeper] | None = None,
        digests: DigestSteps | None = None,
        rooms: Rooms | None = None,
    ) -> None:
        self._channels = channels
        self._ledger = ledger
        self._sender = sender
        self._readers = readers or InboxAlone()
        self._keepers = keepers or {}
        self._digests = digests
        self._rooms = rooms or NoRooms()

    @activity.defn(name="send_notices")
    @patient
    async def send_notices(self, notices: list[NoticeMessage]) -> None:
        """Put each notice into the inbox; start a workflow for what goes further, or did not get in."""
        gate = asyncio.Semaphore(AT_ONCE)
        wishes = await self._readers.wishes({notice.recipient for notice in notices})

        async def send(notice: NoticeMessage) -> None:
            async with gate:
                if left := await self._left(notice):
                    await self._on_its_way(notice.model_copy(update={"channels": left}), wishes.get(notice.recipient))

        await asyncio.gather(*(send(n) for n in await self._meant(notices)))

    async def _on_its_way(self, notice: NoticeMessage, wish: Wish | None) -> None:
        """Into the digest, where its reader wants that and it can wait; otherwise to its own workflow."""
        now = activity.info().current_attempt_scheduled_time
        held = self._digests is not None and AT_HAND not in notice.channels
        if held and self._digests and await self._digests.takes(notice, wish, now):
            await self._ledger.begin(notice, DIGEST, "waits for the digest")
            return
        await self._ledger.begin(notice, notice.channels[0])
        await self._sender.send(notice)

    async def _meant(self, notices: list[NoticeMessage]) -> list[NoticeMessage]:
        """The notices with the channels that their readers want beside those that were meant anyhow."""
        notices = [*notices, *await self._rooms.heard(notices)]
        wanted = await self._readers.channels({notice.recipient for notice in notices})
        return [
            n.model_copy(update={"channels": tuple(dict.fromkeys((*n.channels, *wanted.get(n.recipient, ()))))})
            for n in notices
        ]

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

    @activity.defn(name="when_to_tell")
    @patient
    async def when_to_tell(self, asked: Planned) -> Timing:
        """Until when the notice waits, by its reader's quiet hours."""
        quiet = None if asked.notice.urgent else await self._readers.quiet(asked.notice.recipient)
        return Timing(at=wait_until(quiet, asked.now, asked.notice.due_at))

    @activity.defn(name="deliver")
    @patient
    async def deliver(self, asked: Delivery) -> str:
        """Deliver through one channel and keep what became of it, which is returned: `delivered` or `kept`."""
        async with _beating():
            try:
                # A worker may have died between noting that it got through and saying so to the engine.
                if activity.info().attempt > 1 and await self._ledger.noted(asked.notice, asked.channel):
                    return "delivered"
                return await self._deliver(asked.notice, asked.channel)
            except Undeliverable as final:
                raise ApplicationError(str(final), type="Undeliverable", non_retryable=True) from final
            except OSError as failed:
                await self._ledger.record(
                    asked.notice, asked.channel, "waiting", activity.info().attempt, str(failed)[:MOST_SAID]
                )
                raise

    async def _deliver(self, notice: NoticeMessage, channel: str) -> str:
        became = await self._channels[channel].deliver(notice) or "delivered"
        await self._ledger.record(notice, channel, became, activity.info().attempt, "")
        return became

    @activity.defn(name="give_up")
    @patient
    async def give_up(self, asked: Delivery) -> None:
        """Keep that the notice did not get through, and why; and the notice itself, where the channel can."""
        reason = asked.reason or "it did not get through in time"
        if asked.following:
            reason = f"{reason}; {asked.following} is tried next"
        elif keeper := self._keepers.get(asked.channel):
            await keeper.keep(asked.notice)
            reason = f"{reason}; it is in the inbox, and the message is kept in the outbox"
        await self._ledger.record(asked.notice, asked.channel, "failed", 0, reason)


@asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    """Say again and again that the step is alive."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(BEAT_SECONDS)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
