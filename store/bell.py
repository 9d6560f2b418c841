"""Who waits for new events is woken: NOTIFY after the commit, never inside it (there it is a global lock)."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress

import asyncpg

from activities.ending import check_going_on
from store.connect import Pool, is_away

CHANNEL = "tandem_events"
COALESCE_SECONDS = 0.05
POLL_SECONDS = 1.0


class Bell:
    """Rings at most once per 50 ms, with the newest position, on any connection of the pool.

    A ring may be lost: listeners look for themselves every second.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._position = -1
        self._rung = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def ring(self, position: int) -> None:
        """Tell listeners that everything up to `position` is there. Returns at once."""
        self._position = max(self._position, position)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ring(), name="bell")

    async def close(self) -> None:
        """Let a ring that is under way end."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=1)
            self._task.cancel()

    async def _ring(self) -> None:
        told = -1
        while told < self._position:
            await asyncio.sleep(max(0.0, self._rung + COALESCE_SECONDS - time.monotonic()))
            told = self._position
            self._rung = time.monotonic()
            # Whatever goes wrong here, no fact is lost and nobody is to be told twice.
            with suppress(Exception):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._pool.execute("SELECT pg_notify($1, $2)", CHANNEL, str(told))


async def positions(
    connect: Callable[[], Awaitable[asyncpg.Connection]], poll: float = POLL_SECONDS
) -> AsyncGenerator[int, None]:
    """The position of the newest event, each time it has grown; at first at once. Goes on over lost connections."""
    newest = -1
    while True:
        try:
            connection = await connect()
        except Exception as error:
            if not is_away(error):
                raise
            check_going_on()
            await asyncio.sleep(poll)
            continue
        try:
            async for position in _heard(connection, poll):
                if position > newest:
                    newest = position
                    yield newest
        finally:
            connection.terminate()


async def _heard(connection: asyncpg.Connection, poll: float) -> AsyncGenerator[int, None]:
    """Positions from NOTIFY or from looking, until the connection is lost."""
    bell = asyncio.Event()
    try:
        await connection.add_listener(CHANNEL, lambda *_: bell.set())
        while True:
            bell.clear()
            head = await connection.fetchval("SELECT next_position FROM tandem.log_head", timeout=poll * 5)
            yield head - 1
            with suppress(TimeoutError):
                async with asyncio.timeout(poll):
                    await bell.wait()
    except Exception as error:
        if not is_away(error):
            raise
        check_going_on()
        await asyncio.sleep(poll)
