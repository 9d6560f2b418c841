"""What was recorded stays: by privileges for the application, by triggers even for the superuser."""

from itertools import product

import asyncpg
import pytest

from activities.ports import RefusalLine
from store.postgres import PostgresStore
from tests.conftest import Database
from tests.store.building import START, append, page

KEPT = ("event", "command", "refusal")
CHANGES = (
    "UPDATE tandem.{} SET stream = 'x'",
    "DELETE FROM tandem.{}",
    "TRUNCATE tandem.{} CASCADE",
)

OPENS_DOORS = {
    "account",
    "session",
    "token",
    "link",
    "attempt",
    "handshake",
    "subject",
    "draft",
    "calendar_feed",
    "address_note",
}
"""No business of an auditor's: hashes of what people sign in with."""


@pytest.fixture
async def filled(store: PostgresStore, database: Database) -> Database:
    await store.append(append("p1", page=page("p1")))
    await store.refuse(RefusalLine(START, "p1", "c-2", "Vote", {}, {}, "NotPending", None, "Nothing waits.", "api"))
    return database


async def test_a_superuser_is_stopped_by_triggers(filled: Database) -> None:
    connection = await asyncpg.connect(filled.admin)
    try:
        for role, table, change in product(("origin", "replica"), KEPT, CHANGES):
            await connection.execute(f"SET session_replication_role = {role}")
            with pytest.raises(asyncpg.PostgresError, match=f"tandem.{table} is append-only"):
                await connection.execute(change.format(table))
            assert await connection.fetchval(f"SELECT count(*) FROM tandem.{table} WHERE stream = 'p1'") == 1
    finally:
        await connection.close()


@pytest.mark.parametrize("role", ["app", "auditor"])
async def test_nobody_writes_but_through_functions(filled: Database, role: str) -> None:
    connection = await asyncpg.connect(getattr(filled, role))
    await connection.execute("SET default_transaction_read_only = off")
    tables = [*KEPT, "log_head", "wake", "reservation", "project", "membership", "duty"]
    statements = [change.format(table) for table in KEPT for change in CHANGES]
    statements += [f"INSERT INTO tandem.{table} DEFAULT VALUES" for table in tables]
    statements += [f"DELETE FROM tandem.{table}" for table in tables]
    statements += [
        "UPDATE tandem.log_head SET next_position = 0",
        "ALTER TABLE tandem.event DISABLE TRIGGER ALL",
        "DROP TABLE tandem.event",
        "SET ROLE tandem_owner",
        "CREATE TABLE tandem.mine (id int)",
        "CREATE FUNCTION tandem.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ]
    try:
        for statement in statements:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_an_auditor_reads_everything_and_runs_nothing(filled: Database) -> None:
    connection = await asyncpg.connect(filled.auditor)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'tandem'")
        for (table,) in tables:
            if table in OPENS_DOORS:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetch(f"SELECT * FROM tandem.{table} LIMIT 1")
            else:
                await connection.fetch(f"SELECT * FROM tandem.{table} LIMIT 1")
        assert len(tables) >= 11 + len(OPENS_DOORS)
        await connection.execute("SET default_transaction_read_only = off")
        for call in ("mark_seen('p1', 1)", "reserve('a', 'b', 'c')", "show('{}', '{}', '{}')"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"SELECT tandem.{call}")
    finally:
        await connection.close()


async def test_an_auditor_is_read_only_from_the_start(filled: Database) -> None:
    connection = await asyncpg.connect(filled.auditor)
    try:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("CREATE TEMPORARY TABLE mine (id int)")
    finally:
        await connection.close()


async def test_the_owner_cannot_log_in(filled: Database) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(filled.app.replace("tandem_app", "tandem_owner"))


async def test_functions_that_write_for_others_pin_their_search_path(filled: Database) -> None:
    connection = await asyncpg.connect(filled.admin)
    rows = await connection.fetch(
        "SELECT proname, proconfig, has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc "
        "WHERE pronamespace = 'tandem'::regnamespace AND prosecdef"
    )
    await connection.close()
    assert {row[0] for row in rows} >= {"append", "show", "mark_seen", "refuse", "reserve"}
    assert all("search_path=pg_catalog, pg_temp" in row[1] and not row[2] for row in rows)
