"""Waking workflows through Temporal, which may be away: the API starts and serves without it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from temporalio.client import Client

from activities.engine import Engine

PATIENCE = 2.0
"""Seconds for one connection or one signal."""
PAUSE = 1.0
"""Seconds after a failure in which nothing is tried."""


class EngineAway(Exception):
    """Temporal cannot be reached at the moment."""


class TemporalWaker:
    """Connects when first needed, and again after failures, one attempt at a time."""

    def __init__(self, client_factory: Callable[[], Awaitable[Client]], task_queue: str) -> None:
        self._connect = client_factory
        self._queue = task_queue
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._not_before = 0.0

    async def wake(self, project_id: str, version: int) -> None:
        """Signal the project's workflow, starting it where none runs. Raises where Temporal is away."""
        client = await self._reached()
        try:
            async with asyncio.timeout(PATIENCE):
                await Engine(client, self._queue).wake(project_id, version)
        except Exception:
            self._rest()
            raise

    async def reachable(self) -> bool:
        """Whether Temporal answers now."""
        try:
            client = await self._reached()
            async with asyncio.timeout(PATIENCE):
                return await client.service_client.check_health()
        except Exception:
            return False

    async def _reached(self) -> Client:
        if time.monotonic() < self._not_before:
            raise EngineAway("Temporal did not answer a moment ago")
        async with self._connecting:
            if self._client is None:
                self._client = await self._connected()
            return self._client

    async def _connected(self) -> Client:
        if time.monotonic() < self._not_before:
            raise EngineAway("Temporal did not answer a moment ago")
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._connect()
        except Exception:
            self._rest()
            raise

    def _rest(self) -> None:
        self._not_before = time.monotonic() + PAUSE
