"""The least that the launcher takes for a worker of its own: it asks Temporal for work."""

import asyncio
import os

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


@workflow.defn
class RestWorkflow:
    """Nothing to do."""

    @workflow.run
    async def run(self) -> None:
        """Done at once."""


async def main() -> None:
    """Until killed."""
    client = await Client.connect(os.environ["TANDEM_TEMPORAL_ADDRESS"])
    queue = os.environ["TANDEM_TASK_QUEUE"]
    runner = UnsandboxedWorkflowRunner()
    await Worker(client, task_queue=queue, workflows=[RestWorkflow], workflow_runner=runner).run()


if __name__ == "__main__":
    asyncio.run(main())
