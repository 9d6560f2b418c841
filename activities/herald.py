"""The herald tells webhooks' workflows that there is something for them: one leader among all workers."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from activities.ending import Leads, end, keep_leading

WEBHOOK_WORKFLOW = "WebhookWorkflow"
LOOK_SECONDS = 1.0
"""How often it looks where no event comes: for tests, resends, and what was lost."""
REST_SECONDS = 0.2
"""Between two looks: many events are told of at once."""
AGAIN_SECONDS = 10.0
"""After so long an endpoint that has not moved is told again: a signal, or its workflow, may be lost."""
TERM = 60
"""Looks after which the lead is taken anew."""
KEPT = timedelta(days=30)
"""How long the delivery log is kept."""
PRUNE_SECONDS = 3600.0
SHORTLY = timedelta(seconds=3)


class Owing(Protocol):
    """What the store knows of who is owed something."""

    async def behind(self, now: datetime) -> list[tuple[UUID, str]]:
        """Endpoints with something to do, each with a mark that changes when there is more."""
        ...

    async def prune(self, before: datetime) -> None:
        """Forget attempts that were made before then."""
        ...


class Newest(Leads, Protocol):
    """The store, as far as the herald listens to it."""

    def listen(self) -> AsyncGenerator[int, None]: ...


class Teller(Protocol):
    """Tells a webhook's workflow, starting it where none runs."""

    async def tell(self, webhook_id: UUID) -> None: ...


class WebhookEngine:
    """Temporal, as far as webhooks need it."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._queue = task_queue

    async def tell(self, webhook_id: UUID) -> None:
        """Signal the endpoint's workflow, starting it where none runs. May be repeated."""
        await self._client.start_workflow(
            WEBHOOK_WORKFLOW,
            str(webhook_id),
            id=f"webhook-{webhook_id}",
            task_queue=self._queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            start_signal="due",
            rpc_timeout=SHORTLY,
        )


class Herald:
    """Looks when events come, and every second."""

    def __init__(self, newest: Newest, owing: Owing, teller: Teller) -> None:
        self._newest = newest
        self._owing = owing
        self._teller = teller
        self._told: dict[UUID, tuple[str, float]] = {}
        self._pruned = float("-inf")
        self._grown = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. Survives every outage of store and engine."""
        await keep_leading(self._newest, "herald", self._lead, LOOK_SECONDS)

    async def once(self, now: datetime) -> int:
        """Tell whoever is owed something and was not told of it; gives how many."""
        moment, behind = time.monotonic(), await self._owing.behind(now)
        fresh = [(webhook, mark) for webhook, mark in behind if self._untold(webhook, mark, moment)]
        for webhook, mark in fresh:
            await self._teller.tell(webhook)
            self._told[webhook] = (mark, moment)
        self._told = {webhook: self._told[webhook] for webhook, _ in behind}
        if moment - self._pruned >= PRUNE_SECONDS:
            await self._owing.prune(now - KEPT)
            self._pruned = moment
        return len(fresh)

    def _untold(self, webhook: UUID, mark: str, moment: float) -> bool:
        known, at = self._told.get(webhook, ("", float("-inf")))
        return known != mark or moment - at >= AGAIN_SECONDS

    async def _lead(self) -> None:
        listening = asyncio.create_task(self._listen(), name="herald")
        try:
            for _ in range(TERM):
                self._grown.clear()
                await self.once(datetime.now(UTC))
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._grown.wait()
                await asyncio.sleep(REST_SECONDS)
        finally:
            await end(listening)

    async def _listen(self) -> None:
        async with aclosing(self._newest.listen()) as positions:
            async for _ in positions:
                self._grown.set()
