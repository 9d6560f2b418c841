"""Record the sealing's histories anew: `python -m tests.replay.sealing`. See record.py for when.

The first run is woken, seals, meets an outage of a second place, is refused once, and continues as new.
"""

import asyncio
from pathlib import Path

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from activities.engine import SEALING
from dev.embedded import EmbeddedPostgres
from store.migrate import migrate
from store.postgres import PostgresStore
from tests.conftest import Database
from tests.replay.keeping import keep, on_own_postgres
from tests.replay.record import chain, quick
from tests.replay.short_sealing import ShortSealing
from tests.workflows.conftest import program
from tests.workflows.test_sealing import Gate, Site, until

HISTORIES = Path(__file__).parent / "sealing_histories"
REFUSED = ("UPDATE tandem.log_head SET next_position = 1", "UPDATE tandem.log_head SET next_position = 3")


async def play(site: Site) -> None:
    """Until a run has continued as new."""
    gate = Gate()
    handle = site.client.get_workflow_handle(SEALING)
    async with site.working([gate], ShortSealing):
        await wake(site, await site.events(2))
        await wake(site, await site.events(1))
        await refuse(site)
        gate.open = True
        for size in range(4, 8):
            await wake(site, await site.events(), size)
        await until(lambda: continued(site), True)
        await handle.terminate()


async def wake(site: Site, size: int, wanted: int | None = None) -> None:
    await site.engine.wake_sealing(size)
    await site.sealed(wanted or size)


async def refuse(site: Site) -> None:
    """The database is cut behind the workflow's back, and put right again."""
    aside = "CREATE TABLE tandem.aside AS SELECT * FROM tandem.checkpoint WHERE size = 3"
    off = "ALTER TABLE tandem.checkpoint DISABLE TRIGGER ALL"
    await site.owner(REFUSED[0], off, aside, "DELETE FROM tandem.checkpoint WHERE size = 3")
    await site.engine.wake_sealing(99)
    await until(lambda: state(site), "refused")
    await site.owner(REFUSED[1], "INSERT INTO tandem.checkpoint SELECT * FROM tandem.aside")


async def state(site: Site) -> str:
    return (await site.tree.health()).state


async def continued(site: Site) -> bool:
    history = await site.client.get_workflow_handle(SEALING).fetch_history()
    return bool(history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id)


async def record(postgres: EmbeddedPostgres) -> None:
    """Play it, and keep every run but the last, which is cut off."""
    admin = await postgres.create_database("sealing")
    await migrate(admin)
    app = postgres.dsn("tandem_app", "sealing")
    store = await PostgresStore.open(app)
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=program("temporal-test-server"), data_converter=pydantic_data_converter
    )
    try:
        await play(Site(environment, store, Database("sealing", admin, app, app)))
        runs = (await chain(environment.client, SEALING))[:-1]
    finally:
        await environment.shutdown()
        await store.close()
    keep(HISTORIES, "sealed", runs)


if __name__ == "__main__":
    asyncio.run(on_own_postgres(quick, record))
