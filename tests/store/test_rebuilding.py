"""Derived rows written anew beside a running system are those that are there, and set right what is not."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from activities.indexing import Indexer
from store.postgres import PostgresStore
from store.rebuilding import PROJECTIONS, NotRebuilt, rebuild
from store.searching import Indexes
from tests.audit.building import Life
from tests.conftest import Database

TABLES = {
    "project": "id",
    "membership": "project_id, person, role",
    "duty": "project_id, person, kind, ref",
    "event_index": "position",
    "refusal_index": "id",
}


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.admin)
    yield connection
    await connection.close()


async def live(owner: asyncpg.Connection) -> dict[str, list[str]]:
    """Every derived row as PostgreSQL writes it."""
    return {
        table: [row[0] for row in await owner.fetch(f"SELECT t::text FROM tandem.{table} t ORDER BY {key}")]
        for table, key in TABLES.items()
    }


async def index(store: PostgresStore) -> None:
    await Indexer(Indexes(store.pool), store).catch_up()


async def test_the_same_bytes_while_others_append(
    store: PostgresStore, database: Database, owner: asyncpg.Connection
) -> None:
    life, done = Life(store), asyncio.Event()
    await life.kickoff(*range(12))

    async def load() -> int:
        project = 100
        while not done.is_set():
            await life.kickoff(project)
            await index(store)
            project += 1
        return project - 100

    loading = asyncio.create_task(load())
    rounds = [await rebuild(database.admin, check=True) for _ in range(3)]
    done.set()
    assert await loading > 0
    for told in rounds:
        assert [(one.table, one.differing) for one in told] == [(table, 0) for table in TABLES]
    rows = [[one.rows for one in told] for told in rounds]
    assert rows[-1][0] > rows[0][0] >= 12, "it went on meanwhile"
    assert (
        await owner.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = 'tandem_rebuild'::regnamespace") == 0
    )


async def test_what_differs_is_reported_then_set_right(
    store: PostgresStore, database: Database, owner: asyncpg.Connection
) -> None:
    life = Life(store)
    await life.kickoff(0, 1, 2)
    await index(store)
    before = await live(owner)
    await owner.execute("UPDATE tandem.project SET title = 'forged' WHERE code = 'P-00000'")
    await owner.execute("DELETE FROM tandem.membership WHERE role = 'SPONSOR'")
    await owner.execute("INSERT INTO tandem.duty VALUES (now(), NULL, 'none', 'li.wei', 'sign', 'x', 'not there')")
    await owner.execute("UPDATE tandem.event_index SET words = '' WHERE position < 4")
    damaged = await live(owner)
    told = {one.table: one.differing for one in await rebuild(database.admin, check=True)}
    assert told == {"project": 1, "membership": 3, "duty": 1, "event_index": 4, "refusal_index": 0}
    assert await live(owner) == damaged, "a check changes nothing"
    assert [one.table for one in await rebuild(database.admin, ["duties"])] == ["duty"]
    assert await live(owner) == damaged | {"duty": before["duty"]}
    await rebuild(database.admin)
    assert await live(owner) == before
    await life.kickoff(3)
    assert {one.differing for one in await rebuild(database.admin, check=True)} == {0}, "and goes on being written"


async def test_what_is_archived_stays_as_it_is(
    store: PostgresStore, database: Database, owner: asyncpg.Connection
) -> None:
    life = Life(store)
    await life.kickoff(0, 1)
    await index(store)
    stream = f"project-{life.projects[0]}"
    await owner.execute("INSERT INTO tandem.archived (stream, digest) VALUES ($1, $2)", stream, "0" * 64)
    moved = "UPDATE tandem.event SET data = '{}', metadata = tandem.archived_metadata($2) WHERE stream = $1"
    await owner.execute(moved, stream, "0" * 64)
    before = await live(owner)
    await owner.execute("UPDATE tandem.project SET title = 'forged' WHERE code = 'P-00001'")
    assert sum(one.differing for one in await rebuild(database.admin)) == 1
    assert await live(owner) == before


async def test_only_one_at_a_time_and_only_what_is_derived(database: Database, owner: asyncpg.Connection) -> None:
    with pytest.raises(NotRebuilt, match=f"messages: .*{', '.join(PROJECTIONS)}"):
        await rebuild(database.admin, ["messages"])
    await owner.fetchval("SELECT pg_advisory_lock(hashtextextended('tandem.rebuild', 0))")
    with pytest.raises(NotRebuilt, match="under way"):
        await rebuild(database.admin)


async def test_the_application_may_not(database: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await rebuild(database.app)
