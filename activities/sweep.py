"""The sweep heals: what lags is woken again, what was lost is started again, from the facts alone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

from activities.ending import Leads, keep_leading
from activities.folding import PREFIX

MOST = 200
LAG = timedelta(seconds=2)
"""How long a workflow may be behind before it is woken again."""
TERM = 20
"""Rounds after which the lead is taken anew: one who lost it with the connection notices by then."""
ROLL_CALL = timedelta(seconds=30)


class WakeMarks(Leads, Protocol):
    """What the store knows of who lags."""

    async def lagging(self, limit: int, older_than: timedelta) -> list[tuple[str, int, int]]:
        """(stream, head, seen) of those behind for longer than that."""
        ...

    async def overdue(self, now: datetime, limit: int) -> list[tuple[str, datetime]]:
        """(stream, due) of running projects whose next due has passed."""
        ...

    async def running(self) -> list[str]:
        """Streams of the projects that have not ended."""
        ...


class Waker(Protocol):
    """Wakes projects' workflows."""

    async def wake(self, project_id: str, version: int) -> None: ...

    def running_projects(self) -> AsyncIterator[str]: ...


class Sweep:
    """One leader among all workers looks every few seconds."""

    def __init__(self, marks: WakeMarks, waker: Waker, every: float = 3.0) -> None:
        self._marks = marks
        self._waker = waker
        self._every = every
        self._called: datetime | None = None

    async def run(self) -> None:
        """Until cancelled. Survives every outage of store and engine."""
        await keep_leading(self._marks, "sweep", lambda: self.once(datetime.now(UTC)), self._every, TERM)

    async def once(self, now: datetime) -> int:
        """Wake whoever needs it; gives how many."""
        behind = {stream: head for stream, head, _ in await self._marks.lagging(MOST, LAG)}
        behind |= {stream: 0 for stream, _ in await self._marks.overdue(now - LAG, MOST)}
        if self._called is None or now - self._called >= ROLL_CALL:
            behind |= dict.fromkeys(await self._missing(), 0)
            self._called = now
        for stream, head in behind.items():
            await self._waker.wake(stream.removeprefix(PREFIX), head)
        return len(behind)

    async def _missing(self) -> list[str]:
        """Running projects without a running workflow: stopped by hand, or lost with the engine's database."""
        present = {PREFIX + p async for p in self._waker.running_projects()}
        return [stream for stream in await self._marks.running() if stream not in present]
