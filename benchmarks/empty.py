"""A workflow whose update does nothing, and its worker: `python -m benchmarks.empty TEMPORAL_ADDRESS`."""

import asyncio
import signal
import sys
from typing import Any

from temporalio import workflow

QUEUE = "empty"


@workflow.defn
class EmptyWorkflow:
    """Counts; what a durable update costs before anything is decided or stored by oneself."""

    def __init__(self) -> None:
        self._count = 0

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: workflow.info().is_continue_as_new_suggested())
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new()

    @workflow.update
    async def vote(self, body: dict[str, Any]) -> int:
        self._count += 1
        return self._count


async def main(temporal: str) -> None:
    """Work until SIGTERM, set up as Tandem's worker is."""
    from temporalio.client import Client
    from temporalio.contrib.pydantic import pydantic_data_converter
    from temporalio.worker import Worker

    client = await Client.connect(temporal, data_converter=pydantic_data_converter)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Worker(
        client, task_queue=QUEUE, workflows=[EmptyWorkflow], max_concurrent_workflow_tasks=8, max_cached_workflows=1000
    ):
        await stop.wait()


if __name__ == "__main__":
    import os

    asyncio.run(main(sys.argv[1]))
    # The engine's client can crash while the interpreter is torn down; nothing is left to do by then.
    os._exit(0)
