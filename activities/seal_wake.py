"""Waking the sealing: one listener among all workers says, now and then, that there are events to seal."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Protocol

from activities.ending import Leads, keep_leading

LOOK_SECONDS = 1.0
"""Between two looks at how far it has come, and between two wakes at least: what comes meanwhile is sealed together."""
FIRST_SECONDS, MOST_SECONDS = 4.0, 60.0
"""After this time without success it is woken again, then ever more patiently: a wake may be lost, or refused."""
TERM_SECONDS = 120.0
"""After this time the lead is taken anew: one who lost it with the connection notices by then."""
PAUSE_SECONDS = 2.0


class Events(Leads, Protocol):
    """How events are heard of."""

    def listen(self) -> AsyncGenerator[int, None]:
        """The newest position at once, then each time it has grown."""
        ...


class Seals(Protocol):
    """How far the log is sealed."""

    async def sealed_size(self) -> int:
        """How many events are under the last checkpoint."""
        ...


class Sealer(Protocol):
    """Who is woken."""

    async def wake_sealing(self, size: int) -> None:
        """There are so many events. Raises where the engine is away."""
        ...


class SealWake:
    """One per worker; only the leader listens."""

    def __init__(self, events: Events, seals: Seals, sealer: Sealer) -> None:
        self._events = events
        self._seals = seals
        self._sealer = sealer

    async def run(self) -> None:
        """Until cancelled. Survives every outage of store and engine."""
        await keep_leading(self._events, "sealing", self._lead, PAUSE_SECONDS)

    async def _lead(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(TERM_SECONDS), aclosing(self._events.listen()) as positions:
                async for position in positions:
                    if position + 1 > await self._seals.sealed_size():
                        await self._wake(position + 1)

    async def _wake(self, size: int) -> None:
        """Until so many events are sealed."""
        patience = FIRST_SECONDS
        while True:
            await self._sealer.wake_sealing(size)
            if await self._sealed(size, patience):
                return
            patience = min(2 * patience, MOST_SECONDS)

    async def _sealed(self, size: int, seconds: float) -> bool:
        """Whether so many events are sealed within this time."""
        for _ in range(max(1, round(seconds / LOOK_SECONDS))):
            await asyncio.sleep(LOOK_SECONDS)
            if await self._seals.sealed_size() >= size:
                return True
        return False
