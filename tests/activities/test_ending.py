"""What goes on for ever ends when it is told to, and at nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from activities.ending import end, keep_leading

TURNS = 3


class Shaky:
    """A store whose connection is lost whenever it is let go of, also by whoever is cancelled."""

    def __init__(self, mine: bool = True) -> None:
        self.mine = mine
        self.terms = 0
        self.often = asyncio.Event()

    @asynccontextmanager
    async def leader(self, role: str) -> AsyncIterator[bool]:
        self.terms += 1
        if self.terms >= TURNS:
            self.often.set()
        try:
            yield self.mine
        finally:
            raise ConnectionResetError(f"{role} is lost")


async def test_work_goes_on_over_outages_and_ends_when_it_is_cancelled_even_in_one() -> None:
    store, done, waiting = Shaky(), 0, asyncio.Event()

    async def work() -> None:
        nonlocal done
        done += 1
        if done == TURNS:
            waiting.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(keep_leading(store, "counting", work, 0.0))
    async with asyncio.timeout(5):
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (done, store.terms) == (TURNS, TURNS)


async def test_one_lead_lasts_several_turns() -> None:
    store, done, enough = Shaky(), 0, asyncio.Event()

    async def work() -> None:
        nonlocal done
        done += 1
        if done == 2 * TURNS:
            enough.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(keep_leading(store, "counting", work, 0.0, TURNS))
    async with asyncio.timeout(5):
        await enough.wait()
        await end(task)
    assert (done, store.terms) == (2 * TURNS, 2)


async def test_who_does_not_lead_does_nothing() -> None:
    store = Shaky(mine=False)

    async def work() -> None:
        raise AssertionError

    task = asyncio.create_task(keep_leading(store, "counting", work, 0.001))
    async with asyncio.timeout(5):
        await store.often.wait()
        await end(task)
    assert task.cancelled()


async def test_what_takes_a_cancellation_for_an_outage_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.ending.AGAIN_SECONDS", 0.01)
    cancelled = 0

    async def deaf() -> None:
        nonlocal cancelled
        while cancelled < TURNS:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled += 1

    async def failing() -> None:
        raise ConnectionResetError

    tasks = [asyncio.create_task(deaf()), asyncio.create_task(failing())]
    async with asyncio.timeout(5):
        await asyncio.sleep(0)
        await end(*tasks)
        await end()
    assert cancelled == TURNS
    assert all(task.done() for task in tasks)
