"""The migration runner: once, in order, by one at a time, and never a changed file."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from activities.ports import StoreUnavailable
from dev.embedded import EmbeddedPostgres
from store.migrate import FOLDER, MigrationRefused, migrate, migrations, status

_numbers = count(1)


@pytest.fixture
async def empty(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The superuser's dsn of a database without tables."""
    name = f"empty_{next(_numbers)}"
    yield await postgres.create_database(name)
    connection = await asyncpg.connect(postgres.dsn())
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations with two small ones."""
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE first (id int); INSERT INTO first VALUES (1);")
    (tmp_path / "0002_second.sql").write_text("CREATE TABLE second (id int);")
    return tmp_path


async def rows(dsn: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(sql))
    finally:
        await connection.close()


async def test_two_runners_at_once_apply_everything_once(empty: str) -> None:
    applied = await asyncio.gather(migrate(empty), migrate(empty), migrate(empty))
    assert sorted(map(len, applied)) == [0, 0, len(migrations())]
    assert all(line.applied_at for line in await status(empty))
    assert [m.number for m in migrations()] == list(range(1, len(migrations()) + 1))


async def test_several_databases_of_a_cluster_at_once(postgres: EmbeddedPostgres, empty: str) -> None:
    other = await postgres.create_database("empty_other")
    applied = await asyncio.gather(migrate(empty), migrate(other))
    assert [len(done) for done in applied] == [len(migrations())] * 2
    connection = await asyncpg.connect(postgres.dsn())
    await connection.execute("DROP DATABASE empty_other WITH (FORCE)")
    await connection.close()


async def test_status_changes_nothing(empty: str) -> None:
    assert [line.applied_at for line in await status(empty)] == [None] * len(migrations())
    assert await rows(empty, "SELECT 1 FROM pg_tables WHERE tablename = 'tandem_migration'") == []


async def test_a_new_file_is_applied_alone(empty: str, folder: Path) -> None:
    assert [m.name for m in await migrate(empty, folder)] == ["first", "second"]
    (folder / "0003_third.sql").write_text("ALTER TABLE first ADD third int;")
    assert [(line.migration.name, line.applied_at is None) for line in await status(empty, folder)] == [
        ("first", False),
        ("second", False),
        ("third", True),
    ]
    assert [m.name for m in await migrate(empty, folder)] == ["third"]
    assert len(await rows(empty, "SELECT * FROM first")) == 1


async def test_a_changed_file_is_refused(empty: str, folder: Path) -> None:
    await migrate(empty, folder)
    (folder / "0001_first.sql").write_text("CREATE TABLE first (id bigint);")
    (folder / "0003_third.sql").write_text("CREATE TABLE third (id int);")
    for run in (migrate, status):
        with pytest.raises(MigrationRefused, match=r"0001_first.sql was changed after it was applied"):
            await run(empty, folder)
    assert await rows(empty, "SELECT 1 FROM pg_tables WHERE tablename = 'third'") == []


async def test_a_database_newer_than_the_program_is_refused(empty: str, folder: Path) -> None:
    await migrate(empty, folder)
    (folder / "0002_second.sql").unlink()
    with pytest.raises(MigrationRefused, match="0002"):
        await migrate(empty, folder)


async def test_a_failing_file_leaves_the_ones_before_it(empty: str, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("CREATE TABLE second (id int); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty, folder)
    found = await rows(empty, "SELECT tablename FROM pg_tables WHERE tablename IN ('first', 'second')")
    assert [row[0] for row in found] == ["first"]
    (folder / "0002_second.sql").write_text("CREATE TABLE second (id int);")
    assert [m.name for m in await migrate(empty, folder)] == ["second"]


@pytest.mark.parametrize("name", ["0004_gap.sql", "0001_twice.sql", "unnumbered.sql", "0003.sql"])
def test_a_folder_out_of_order_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(MigrationRefused):
        migrations(folder)


async def test_an_administrator_who_is_no_superuser_can_migrate(postgres: EmbeddedPostgres, empty: str) -> None:
    await migrate(empty)  # the roles are there
    connection = await asyncpg.connect(postgres.dsn())
    await connection.execute("CREATE ROLE dba LOGIN CREATEROLE CREATEDB")
    await connection.execute(
        "GRANT tandem_owner, tandem_vault, tandem_app, tandem_auditor TO dba WITH ADMIN OPTION, SET FALSE"
    )
    await connection.execute("CREATE DATABASE of_dba OWNER dba")
    try:
        assert len(await migrate(postgres.dsn("dba", "of_dba"))) == len(migrations())
    finally:
        await connection.execute("DROP DATABASE of_dba WITH (FORCE)")
        await connection.execute("DROP OWNED BY dba")
        await connection.execute("DROP ROLE dba")
        await connection.close()


async def test_without_a_database_the_runner_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await migrate(f"postgresql://nobody@/nowhere?host={tmp_path}")


def test_the_files_end_up_where_the_package_is(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "copy")
    assert migrations(tmp_path / "copy") == migrations()
