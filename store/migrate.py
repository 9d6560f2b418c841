"""Plain numbered SQL files, applied once each, in order, and never changed afterwards."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import asyncpg

from store.connect import connect, reaching

FOLDER = Path(__file__).parent / "migrations"
LOCK = 7_264_636_911
"""Key of the advisory lock that keeps two runners apart."""
TABLE = """
    CREATE TABLE IF NOT EXISTS public.tandem_migration (
      number     int         PRIMARY KEY,
      name       text        NOT NULL,
      checksum   bytea       NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""


class MigrationRefused(Exception):
    """The files and the database contradict each other; the message says which file and how."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `0001_log.sql` has number 1 and name `log`."""

    number: int
    name: str
    sql: str
    checksum: bytes
    """SHA-256 of the file."""


@dataclass(frozen=True, slots=True)
class Status:
    """A file and when it was applied to the database; None where it was not."""

    migration: Migration
    applied_at: datetime | None


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """The files in order. Raises MigrationRefused where a number is missing or given twice."""
    found = [_load(path) for path in sorted(folder.glob("*.sql"))]
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationRefused(f"numbers must run from 0001 without a gap: {[m.number for m in found]}")
    return found


async def migrate(dsn: str, folder: Path = FOLDER, upto: int | None = None) -> list[Migration]:
    """Apply what is missing, one transaction each, and return it; none beyond number `upto`.

    A second runner waits for the first.

    Raises MigrationRefused, StoreUnavailable, and PostgreSQL's error where a file fails: the files before it stay.
    """
    wanted = migrations(folder)
    async with _alone(dsn) as connection:
        await connection.execute(TABLE)
        missing = [status.migration for status in await _compare(connection, wanted) if not status.applied_at]
        missing = [migration for migration in missing if upto is None or migration.number <= upto]
        for migration in missing:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute("RESET ROLE")
                await connection.execute(
                    "INSERT INTO public.tandem_migration (number, name, checksum) VALUES ($1, $2, $3)",
                    migration.number,
                    migration.name,
                    migration.checksum,
                )
        return missing


async def status(dsn: str, folder: Path = FOLDER) -> list[Status]:
    """Every file and when it was applied. Changes nothing. Raises MigrationRefused and StoreUnavailable."""
    with reaching():
        connection = await connect(dsn)
        try:
            return await _compare(connection, migrations(folder))
        finally:
            await connection.close()


async def _compare(connection: asyncpg.Connection, wanted: Sequence[Migration]) -> list[Status]:
    applied = await _applied(connection)
    known = {migration.number: migration for migration in wanted}
    for number, row in applied.items():
        if number not in known:
            raise MigrationRefused(f"the database has migration {number:04} ({row['name']}), newer than this program")
        if row["checksum"] != known[number].checksum:
            raise MigrationRefused(
                f"{number:04}_{known[number].name}.sql was changed after it was applied: "
                "restore the file and put the change into a new one"
            )
    return [Status(m, applied[m.number]["applied_at"] if m.number in applied else None) for m in wanted]


async def _applied(connection: asyncpg.Connection) -> dict[int, asyncpg.Record]:
    if await connection.fetchval("SELECT to_regclass('public.tandem_migration')") is None:
        return {}
    rows = await connection.fetch("SELECT number, name, checksum, applied_at FROM public.tandem_migration")
    return {row["number"]: row for row in rows}


@asynccontextmanager
async def _alone(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that holds the runners' lock."""
    with reaching():
        connection = await connect(dsn)
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
            yield connection
        finally:
            await connection.close()


def _load(path: Path) -> Migration:
    number, _, name = path.stem.partition("_")
    if not number.isdigit() or not name:
        raise MigrationRefused(f"{path.name} is not named like 0001_what.sql")
    content = path.read_bytes()
    return Migration(int(number), name, content.decode(), sha256(content).digest())
