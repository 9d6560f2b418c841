"""Record the histories anew: `python -m tests.replay.record [path …]`.

To be run when a life has got a new way to go, never to make a failing replay pass: what fails there would
fail for the projects that run today.
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path as Folder
from unittest.mock import patch
from uuid import uuid4

import asyncpg
import structlog
from temporalio.client import Client, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

import worker
from activities.engine import register_search_attributes
from dev.embedded import EmbeddedPostgres
from store.migrate import migrate
from store.postgres import PostgresStore
from tests.replay.paths import PATHS, Path, Stage
from tests.replay.scrub import packed
from tests.replay.short import ShortRuns
from tests.workflows.conftest import program
from tests.workflows.world import World
from workflows.project import ProjectWorkflow

HISTORIES = Folder(__file__).parent / "histories"


async def record(name: str, path: Path, postgres: EmbeddedPostgres) -> None:
    """Play one path and keep every run of its workflow."""
    workflow = ShortRuns if path.short_runs else ProjectWorkflow
    async with set_up(name, postgres) as stage:
        with patch.object(worker, "ProjectWorkflow", workflow):
            async with stage.world.working():
                histories = await chain(stage.world.client, await path.play(stage))
    for old in HISTORIES.glob(f"{name}.*.json"):
        old.unlink()
    for number, history in enumerate(histories, 1):
        file = HISTORIES / f"{name}.{number}.json"
        file.write_text(packed(history.to_json()), encoding="utf-8")
        print(f"{file.name}: {len(history.events)} events, {file.stat().st_size} bytes")


@asynccontextmanager
async def set_up(name: str, postgres: EmbeddedPostgres) -> AsyncIterator[Stage]:
    """A database, a Temporal server that skips time, and a world on both, without a worker yet."""
    admin = await postgres.create_database(name)
    await migrate(admin)
    store = await PostgresStore.open(postgres.dsn("tandem_app", name))
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=program("temporal-test-server"), data_converter=pydantic_data_converter
    )
    try:
        await register_search_attributes(environment.client)
        yield Stage(World(environment, store, f"queue-{uuid4()}"), postgres, admin)
    finally:
        await environment.shutdown()
        await store.close()


async def chain(client: Client, workflow_id: str) -> list[WorkflowHistory]:
    """The histories of all runs of the closed workflow, the first one first."""
    handle, found = client.get_workflow_handle(workflow_id), []
    while True:
        history = await handle.fetch_history()
        found.append(history)
        before = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not before:
            return found[::-1]
        handle = client.get_workflow_handle(workflow_id, run_id=before)


async def main(names: list[str]) -> None:
    """Record these paths, or all."""
    HISTORIES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Folder(folder) / "postgres")
        await quick(await postgres.start())
        try:
            for name in names or PATHS:
                await record(name, PATHS[name], postgres)
        finally:
            await postgres.stop()


async def quick(dsn: str) -> None:
    """Nothing here is kept but the histories: no need to wait for the disk."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("ALTER SYSTEM SET fsync = off")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(main(sys.argv[1:]))
