"""Record the webhook's histories anew: `python -m tests.replay.webhook`. See record.py for when.

Events are delivered until a run continues as new; then one fails and is tried again, an outage of the database is
waited for, and the endpoint says that it is gone.
"""

import asyncio
from pathlib import Path
from unittest.mock import patch
from uuid import UUID, uuid4

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

import worker
from activities.engine import register_search_attributes
from dev.embedded import EmbeddedPostgres
from store.migrate import migrate
from store.postgres import PostgresStore
from tests.receiving import Receiver, Reply, always, receiving
from tests.replay.keeping import keep, on_own_postgres
from tests.replay.record import chain, quick
from tests.replay.short_webhook import ShortWebhook
from tests.workflows.conftest import program
from tests.workflows.test_webhook import Post
from tests.workflows.world import World

HISTORIES = Path(__file__).parent / "webhook_histories"
ROUNDS = 9
"""Enough for a run to continue as new."""


async def play(post: Post, receiver: Receiver, postgres: EmbeddedPostgres) -> str:
    """The id of the closed workflow."""
    project = await post.project()
    webhook = await post.endpoint(receiver.url)
    for done in range(1, ROUNDS + 1):
        await delivered(post, webhook, project, done)
    replies = iter([Reply(500)])
    receiver.script = lambda _: next(replies, Reply(204))
    await post.learn(project)
    await post.engine.tell(webhook)
    await post.logged(webhook, ROUNDS + 1)
    await post.world.pass_days(0.01)
    await post.logged(webhook, ROUNDS + 2)
    await through_an_outage(post, webhook, project, postgres)
    receiver.script = always(410)
    await post.learn(project)
    await post.engine.tell(webhook)
    await post.ended(webhook, "disabled")
    return f"webhook-{webhook}"


async def delivered(post: Post, webhook: UUID, project: str, count: int) -> None:
    await post.learn(project)
    await post.engine.tell(webhook)
    await post.logged(webhook, count)


async def through_an_outage(post: Post, webhook: UUID, project: str, postgres: EmbeddedPostgres) -> None:
    await post.learn(project)
    await postgres.stop()
    await post.engine.tell(webhook)
    await asyncio.sleep(1.5)
    await postgres.start()
    await post.logged(webhook, ROUNDS + 3)


async def record(postgres: EmbeddedPostgres) -> None:
    """Play it, and keep every run."""
    await migrate(await postgres.create_database("webhook"))
    store = await PostgresStore.open(postgres.dsn("tandem_app", "webhook"))
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=program("temporal-test-server"), data_converter=pydantic_data_converter
    )
    try:
        await register_search_attributes(environment.client)
        world = World(environment, store, f"queue-{uuid4()}")
        with patch.object(worker, "WebhookWorkflow", ShortWebhook):
            async with world.working(), receiving() as receiver:
                runs = await chain(environment.client, await play(Post(world), receiver, postgres))
    finally:
        await environment.shutdown()
        await store.close()
    keep(HISTORIES, "delivered", runs)


if __name__ == "__main__":
    asyncio.run(on_own_postgres(quick, record))
