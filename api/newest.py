"""One listener to the store for all live feeds of a process."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Protocol

from activities.ending import check_going_on, end
from api.problems import Problem

log = logging.getLogger("tandem.feed")
MOST_LISTENERS = 200


class Listening(Protocol):
    """The store, as far as a feed needs it."""

    def listen(self) -> AsyncIterator[int]:
        """The newest position, each time it has grown."""
        ...


class Newest:
    """The newest position; listens only while somebody wants to know."""

    def __init__(self, store: Listening, most: int = MOST_LISTENERS) -> None:
        self._store = store
        self._most = most
        self._listeners = 0
        self._position = -1
        self._grown = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def listeners(self) -> int:
        """Live feeds now."""
        return self._listeners

    def check_room(self) -> None:
        """Raises Problem where all places are taken."""
        if self._listeners >= self._most:
            raise Problem("TooManyListeners")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place for one feed. Raises Problem where all are taken."""
        self.check_room()
        self._listeners += 1
        if self._task is None:
            self._task = asyncio.create_task(self._listen(), name="newest")
        try:
            yield
        finally:
            self._listeners -= 1
            if self._listeners == 0:
                await self.close()

    async def beyond(self, position: int, patience: float) -> bool:
        """Whether there is something after `position`; waits for it at most `patience` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._position <= position:
                    await self._grown.wait()
        return self._position > position

    async def close(self) -> None:
        """Stop listening."""
        task, self._task = self._task, None
        if task is not None:
            await end(task)

    async def _listen(self) -> None:
        while True:
            try:
                # The port promises an iterator; the store's is a generator, which has to be closed.
                async with aclosing(self._store.listen()) as positions:  # type: ignore[type-var]
                    async for position in positions:
                        self._position = position
                        grown, self._grown = self._grown, asyncio.Event()
                        grown.set()
            except Exception as failure:
                log.warning("feed interrupted: %s", failure)
            check_going_on()
            await asyncio.sleep(1)
