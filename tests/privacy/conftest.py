"""One whole project, played once; every test has a copy of its database, and the API on it."""

from collections.abc import AsyncIterator

import asyncpg
import httpx2
import pytest

from api.app import build
from api.parts import Installation, Surroundings
from auth.development import DevelopmentAuthenticator
from dev.embedded import EmbeddedPostgres
from store.postgres import PostgresStore
from tests.api.asking import Api, Recorder
from tests.api.conftest import api, around, behind, joined, keys, waker
from tests.audit.building import seal
from tests.conftest import Database, copy_of
from tests.privacy.lives import Closed, to_the_end

__all__ = ["api", "around", "behind", "keys", "waker"]


@pytest.fixture(scope="session")
async def closed(postgres: EmbeddedPostgres, template: str) -> Closed:
    connection = await asyncpg.connect(postgres.dsn())
    await connection.execute(f"CREATE DATABASE closed_log TEMPLATE {template} STRATEGY file_copy")
    await connection.close()
    store = await PostgresStore.open(postgres.dsn("tandem_app", "closed_log"))
    behind = joined(store, Recorder())
    around = Surroundings(DevelopmentAuthenticator(), Installation("0.0.test", "inst-1"), behind)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=build(around)), base_url="http://t") as client:
        project = await to_the_end(Api(client), behind)
    await seal(store)
    await behind.newest.close()
    await behind.door.wakes.close()
    await store.close()
    return Closed("closed_log", project)


@pytest.fixture
async def database(postgres: EmbeddedPostgres, closed: Closed) -> AsyncIterator[Database]:
    async with copy_of(closed.database, postgres) as copied:
        yield copied
