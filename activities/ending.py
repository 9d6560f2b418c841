"""Work that goes on for ever, and how it is ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, NoReturn, Protocol

log = logging.getLogger("tandem.leading")
AGAIN_SECONDS = 2.0
"""For so long, what is cancelled may tidy up undisturbed."""


class Leads(Protocol):
    """The store, as far as leading goes."""

    def leader(self, role: str) -> AbstractAsyncContextManager[bool]:
        """Whether this process leads; held as long as the context is open."""
        ...


async def keep_leading(
    leads: Leads, role: str, work: Callable[[], Awaitable[object]], rest: float, turns: int = 1
) -> NoReturn:
    """Do `work` where no other process leads in `role`, rest for so many seconds, and again, until cancelled.

    After so many turns the lead is taken anew: one who lost it with the connection notices by then.
    Survives every outage of store and engine.
    """
    while True:
        try:
            async with leads.leader(role) as mine:
                for turn in range(turns if mine else 0):
                    await asyncio.sleep(rest if turn else 0)
                    await work()
        except Exception as outage:
            log.warning("%s is interrupted, and tried again: %s", role, outage)
        check_going_on()
        await asyncio.sleep(rest)


def check_going_on() -> None:
    """Raises CancelledError where that was raised already, and another error came in its place.

    That happens where a connection is lost while whoever waits for it is cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel until each has ended, for once may not be enough (`check_going_on`); what they end with is dropped."""
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
