"""The whole API in this process on a database of the test's own; Temporal is a list of wakes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest

from activities.decide import Step
from activities.vault import Vault
from api.app import build
from api.dispatch import Door
from api.newest import Newest
from api.parts import Installation, Parts, Surroundings
from api.wakes import Wakes
from auth.development import DevelopmentAuthenticator
from config import Settings, load_templates
from dev.embedded import EmbeddedPostgres
from store.postgres import PostgresStore
from store.vault import PostgresVault
from tests.api.asking import AUDITOR, Api, Recorder
from tests.conftest import Database, copy_of
from tests.rosters import FixedRoster, directory_of
from tests.vaults import keys_of


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


@pytest.fixture
def waker() -> Recorder:
    return Recorder()


@pytest.fixture
def keys(store: PostgresStore) -> PostgresVault:
    return keys_of(store)


@dataclass(frozen=True)
class Served:
    """A database, what stands on it, and a way to ask."""

    database: Database
    around: Surroundings
    api: Api

    @property
    def behind(self) -> Parts:
        assert self.around.parts is not None
        return self.around.parts


def joined(store: PostgresStore, waker: Recorder, keys: PostgresVault | None = None) -> Parts:
    """What stands behind the routes, without Temporal."""
    found = keys or keys_of(store)
    vault = Vault(found)
    step = Step(store, load_templates(Settings(_env_file=None).templates), vault=vault)
    door = Door(step, store, Wakes(waker, rest=0))
    return Parts(store, step, door, Newest(store), yes, no, vault=vault, keys=found)


@asynccontextmanager
async def served(template: str, postgres: EmbeddedPostgres) -> AsyncIterator[Served]:
    """The whole API over a copy of the template: for a module whose tests share what they have prepared."""
    async with copy_of(template, postgres) as database:
        store = await PostgresStore.open(database.app, pool_size=8)
        around = Surroundings(DevelopmentAuthenticator(), Installation("0.0.test", "inst-1"), joined(store, Recorder()))
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=build(around)), base_url="http://tandem.test"
        ) as client:
            yield Served(database, around, Api(client))
        assert around.parts is not None
        await around.parts.newest.close()
        await around.parts.door.wakes.close()
        await store.close()


@pytest.fixture
def behind(store: PostgresStore, waker: Recorder, keys: PostgresVault) -> Parts:
    return joined(store, waker, keys)


@pytest.fixture
def audited(behind: Parts) -> None:
    """The organisation has an auditor."""
    behind.door.sight.roster = FixedRoster(directory_of({AUDITOR: ["AUDITOR"]}))


@pytest.fixture
async def around(behind: Parts) -> AsyncIterator[Surroundings]:
    yield Surroundings(DevelopmentAuthenticator(), Installation("0.0.test", "inst-1"), behind)
    await behind.newest.close()
    await behind.door.wakes.close()


@pytest.fixture
async def api(around: Surroundings) -> AsyncIterator[Api]:
    transport = httpx2.ASGITransport(app=build(around))
    async with httpx2.AsyncClient(transport=transport, base_url="http://tandem.test") as client:
        yield Api(client)
