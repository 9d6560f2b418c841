"""The steps of digests: hold notices that can wait, say when they go, and send them together."""

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

from temporalio import activity

from activities.messages import DigestAsked, DigestDay, DigestPlan, NoticeItem, NoticeMessage
from activities.outages import patient
from domain.digest import Wish, can_wait, next_digest

KIND = "Digest"
MOST = 50
"""Notices that one digest shows; of more it says how many."""


class Held(Protocol):
    """Keeps notices until their digest. Every method may run twice, and raises StoreUnavailable."""

    async def hold(self, notice: NoticeMessage) -> None:
        """Until the next digest."""
        ...

    async def standing(self, person: str) -> tuple[int, date | None]:
        """How many notices wait, and of which day the last digest was."""
        ...

    async def collect(self, person: str, day: date) -> list[NoticeItem]:
        """Put what waits into the digest of the day, unless it was made before; what is in it, the oldest first."""
        ...


class Wishes(Protocol):
    """What people want. Raises StoreUnavailable."""

    async def wishes(self, persons: Collection[str]) -> Mapping[str, Wish]:
        """The digests of those who want one."""
        ...

    async def channels(self, persons: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """The channels beyond the inbox."""
        ...


class Wakes(Protocol):
    """The engine, as far as digests go."""

    async def send(self, notice: NoticeMessage) -> None:
        """Starts the workflow of the notice, unless it was ever started."""
        ...

    async def wake_digest(self, person: str) -> None:
        """Tell the person's digest that something waits, starting it where it does not run."""
        ...


class DigestSteps:
    """What digests ask of the world. `works` says which days are worked. Every method may run twice."""

    def __init__(self, held: Held, wishes: Wishes, engine: Wakes, works: Callable[[date], bool]) -> None:
        self._held = held
        self._wishes = wishes
        self._engine = engine
        self._works = works

    async def takes(self, notice: NoticeMessage, wish: Wish | None, now: datetime) -> bool:
        """Hold the notice for the digest, where its reader wants one and it can wait."""
        if wish is None or notice.kind == KIND:
            return False
        _, goes_at = next_digest(wish, now, self._works)
        if not can_wait(notice.due_at, goes_at):
            return False
        await self._held.hold(notice)
        await self._engine.wake_digest(notice.recipient)
        return True

    @activity.defn(name="digest_due")
    @patient
    async def digest_due(self, asked: DigestAsked) -> DigestPlan:
        """When the person's next digest goes; who wants none any more gets the rest now."""
        waiting, last = await self._held.standing(asked.person)
        if not waiting:
            return DigestPlan()
        wish = (await self._wishes.wishes([asked.person])).get(asked.person)
        if wish is None:
            today = asked.now.date()
            return DigestPlan(at=asked.now, day=today if last is None else max(today, last + timedelta(days=1)))
        day, at = next_digest(wish, asked.now, self._works, last)
        return DigestPlan(at=at, day=day)

    @activity.defn(name="send_digest")
    @patient
    async def send_digest(self, asked: DigestDay) -> None:
        """Send what waits as one message. Its id is made of person and day: there is one a day, whatever is killed."""
        items = await self._held.collect(asked.person, asked.day)
        channels = (await self._wishes.channels([asked.person])).get(asked.person, ())
        if items and channels:
            await self._engine.send(_digest(asked, items, channels))


def _digest(asked: DigestDay, items: list[NoticeItem], channels: tuple[str, ...]) -> NoticeMessage:
    count, left = len(items), len(items) - MOST
    en = f"{count} notice{'s' if count > 1 else ''} since your last digest"
    zh = f"自上次汇总以来的 {count} 条通知"
    return NoticeMessage(
        event_id=str(uuid5(NAMESPACE_URL, f"digest/{asked.person}/{asked.day}")),
        project_id="",
        code="",
        kind=KIND,
        recipient=asked.person,
        en=en if left <= 0 else f"{en}; the first {MOST} are here, all are in your inbox",
        zh=zh if left <= 0 else f"{zh};此处显示前 {MOST} 条,其余见收件箱",
        channels=channels,
        items=tuple(items[:MOST]),
    )
