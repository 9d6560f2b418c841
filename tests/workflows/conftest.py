"""Temporal servers for the workflow tests: one that skips time, and the real one."""

import shutil
import sysconfig
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from activities.engine import register_search_attributes
from store.postgres import PostgresStore
from tests.conftest import Database
from tests.workflows.world import World


def program(name: str) -> str:
    """Where a wheel has put its program."""
    found = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    assert found, f"{name} is not installed"
    return found


@pytest.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A server whose time jumps to the next timer. Its clock is global: one per test."""
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=program("temporal-test-server"), data_converter=pydantic_data_converter
    )
    await register_search_attributes(environment.client)
    yield environment
    await environment.shutdown()


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open(database.app)
    yield opened
    await opened.close()


@pytest.fixture
async def world(skipping: WorkflowEnvironment, store: PostgresStore) -> AsyncIterator[World]:
    """A world with a worker running, on the server that skips time."""
    made = World(skipping, store, f"queue-{uuid4()}")
    async with made.working():
        yield made
