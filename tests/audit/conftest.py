"""A sealed log once, and a copy of its database for every attack on it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from dev.embedded import EmbeddedPostgres
from store.postgres import PostgresStore
from tests.audit.building import Life, key_of, seal
from tests.conftest import Database, copy_of
from verifier.tandem_verify import Key


@dataclass(frozen=True)
class Baseline:
    """A log under three checkpoints, its first 256 events in a full tile; what an auditor has kept of it."""

    name: str
    projects: list[str]
    key: Key
    notes: tuple[str, str, str]
    sizes: tuple[int, int, int]


@pytest.fixture(scope="session")
async def baseline(postgres: EmbeddedPostgres, template: str) -> Baseline:
    connection = await asyncpg.connect(postgres.dsn())
    await connection.execute(f"CREATE DATABASE sealed_log TEMPLATE {template} STRATEGY file_copy")
    await connection.close()
    store = await PostgresStore.open(postgres.dsn("tandem_app", "sealed_log"))
    life, notes = Life(store), []
    for projects in (range(2), range(2, 24), range(24, 27)):
        await life.kickoff(*projects)
        notes.append(await seal(store))
    key = Key.parse((await key_of(store)).vkey)
    await store.close()
    streams = [f"project-{project}" for project in life.projects]
    texts, sizes = [str(note) for note in notes], [note.checkpoint.size for note in notes]
    return Baseline("sealed_log", streams, key, (texts[0], texts[1], texts[2]), (sizes[0], sizes[1], sizes[2]))


@pytest.fixture
async def copy(postgres: EmbeddedPostgres, baseline: Baseline) -> AsyncIterator[Database]:
    """The sealed log in a database of the test's own."""
    async with copy_of(baseline.name, postgres) as copied:
        yield copied
