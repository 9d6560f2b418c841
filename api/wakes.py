"""Telling workflows of facts, never on the caller's time: at most one signal in flight a project, and then a rest.

Following a fact costs several times what deciding it costs, and one signal may stand for many facts.
"""

import asyncio
import logging
import time
from collections import deque
from typing import Protocol

from activities.ending import end

log = logging.getLogger("tandem.wakes")
MOST_WAITING = 2000
AT_ONCE = 4
"""In flight over all projects: an engine that is slow to take signals gets fewer of them."""
REST_SECONDS = 0.5
"""Between two signals to one project: a busy one is told of many facts at once, a quiet one without delay."""
A_SECOND = 10
"""So many signals to busy projects at most: where more are busy, each rests longer."""
LONGEST = 3
"""Times `REST_SECONDS` that a project rests at most; more, and the sweep would take it for forgotten."""
QUIET_SECONDS = 10.0
"""Between two lines of log about wakes that fail."""


def rest_of(shortest: float, busy: int) -> float:
    """Seconds that each of so many busy projects rests: a fair share of what they may have together."""
    return min(max(shortest, busy / A_SECOND), shortest * LONGEST)


class Waker(Protocol):
    """Tells a project's workflow that there are facts up to `version`, starting it where none runs."""

    async def wake(self, project_id: str, version: int) -> None:
        """Any exception means: not told. Nothing is lost, the store's wake mark lags and the sweep heals."""
        ...


class Wakes:
    """Coalesces wakes: what comes while a project's signal is in flight, or soon after it, is told by one more."""

    def __init__(
        self, waker: Waker, *, most_waiting: int = MOST_WAITING, at_once: int = AT_ONCE, rest: float = REST_SECONDS
    ) -> None:
        self._waker = waker
        self._most_waiting = most_waiting
        self._at_once = at_once
        self._rest = rest
        self._waiting: dict[str, int] = {}
        self._turn: deque[str] = deque()
        self._flying: set[str] = set()
        """In flight, or at rest after it."""
        self._tellers: set[asyncio.Task[None]] = set()
        self._complained = float("-inf")
        self.told = self.failed = self.dropped = 0

    @property
    def waiting(self) -> int:
        """Projects whose workflow is still to be told."""
        return len(self._waiting) + len(self._flying)

    def tell(self, project_id: str, version: int) -> None:
        """Returns at once. Beyond the bound the wake is dropped: the sweep heals."""
        if project_id not in self._waiting and len(self._waiting) >= self._most_waiting:
            self.dropped += 1
            return
        fresh = project_id not in self._waiting
        self._waiting[project_id] = max(version, self._waiting.get(project_id, 0))
        if fresh and project_id not in self._flying:
            self._turn.append(project_id)
            self._send_somebody()

    async def close(self, patience: float = 0.5) -> None:
        """Let what is in flight land for at most `patience` seconds."""
        if self._tellers:
            await asyncio.wait(self._tellers, timeout=patience)
        self._waiting.clear()
        await end(*self._tellers)

    def _send_somebody(self) -> None:
        if len(self._tellers) < self._at_once:
            task = asyncio.create_task(self._tell_all(), name="wakes")
            self._tellers.add(task)
            task.add_done_callback(self._tellers.discard)

    async def _tell_all(self) -> None:
        while self._turn:
            project_id = self._turn.popleft()
            self._flying.add(project_id)
            try:
                await self._tell(project_id, self._waiting.pop(project_id))
            finally:
                rest = rest_of(self._rest, len(self._flying))
                asyncio.get_running_loop().call_later(rest, self._rested, project_id)

    def _rested(self, project_id: str) -> None:
        self._flying.discard(project_id)
        if project_id in self._waiting:
            self._turn.append(project_id)
            self._send_somebody()

    async def _tell(self, project_id: str, version: int) -> None:
        try:
            await self._waker.wake(project_id, version)
            self.told += 1
        except Exception as failure:
            self.failed += 1
            self._complain(failure)

    def _complain(self, failure: Exception) -> None:
        now = time.monotonic()
        if now - self._complained >= QUIET_SECONDS:
            self._complained = now
            log.warning("workflows cannot be woken, the sweep will: %s: %s", type(failure).__name__, failure)
