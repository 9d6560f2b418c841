"""Backups of a running system: every table that holds state, and the log as a pack, all of one moment, in one ZIP.

Taken through SQL alone, in one snapshot: nobody waits, and any PostgreSQL will do. The keys that seal, open and sign
are not in the database, and so in no backup, unless they are asked for.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import asyncpg
import orjson

from domain.canonical import instant
from store.connect import Pool, connect, reaching
from store.migrate import migrations
from store.packing import NotSealedYet, Packer, zipped

FORMAT = "tandem-backup/1"
PACK = "log.zip"
SCHEMAS = ["tandem", "tandem_webhook", "vault"]
BLOCK = 1 << 20
# Parents before those that refer to them; generated columns are made anew.
TABLES = """
    SELECT n.nspname || '.' || c.relname AS name, n.nspname AS schema, c.relname AS table,
           array_agg(a.attname::text ORDER BY a.attnum) AS columns,
           max(pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname))
             FILTER (WHERE a.attidentity <> '') AS sequence
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    WHERE c.relkind = 'r' AND n.nspname = ANY ($1)
    GROUP BY n.nspname, c.relname, c.oid
    ORDER BY EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f'), 1
"""
MOMENT = """
    SELECT (SELECT 'tandem/' || id FROM tandem.log), (SELECT next_position FROM tandem.log_head),
           (SELECT coalesce(max(size), 0) FROM tandem.checkpoint)
"""


class BadBackup(Exception):
    """The backup is damaged, unreadable or of a newer program; the message says which part and how."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table as it is kept: `name` with its schema, the file `tables/<name>`."""

    name: str
    schema: str
    table: str
    columns: list[str]
    sequence: str | None
    """Gives out the numbers of its rows."""

    @property
    def file(self) -> str:
        return f"tables/{self.name}"


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup that was written."""

    path: Path
    bytes: int
    events: int
    sealed: int
    """How many of the events are under a checkpoint."""
    digest: str
    """SHA-256 of the whole file."""


async def back_up(
    dsn: str,
    path: Path,
    keys: Mapping[str, bytes] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Taken:
    """Write the backup to `path`, whole or not at all, readable by its owner alone. `dsn` is the database's owner's.

    Raises StoreUnavailable and OSError.
    """
    draft = path.with_name(f"{path.name}.part")
    draft.unlink(missing_ok=True)
    try:
        with reaching():
            async with _snapshot(dsn) as connection:
                manifest = await _manifest(connection, now())
                parts = _written(connection, manifest, keys or {}, now)
                size, digest = await _to_file(draft, parts)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return Taken(path, size, manifest["events"], manifest["checkpoint_size"], digest)


@asynccontextmanager
async def _snapshot(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """One moment of the database, for as long as it takes."""
    connection = await connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        connection.terminate()


async def _manifest(connection: asyncpg.Connection, at: datetime) -> dict[str, Any]:
    # The first query: it is the snapshot's moment.
    origin, events, sealed = await connection.fetchrow(MOMENT)
    applied = await connection.fetch("SELECT number, name, checksum FROM public.tandem_migration ORDER BY number")
    tables = [Table(*row) for row in await connection.fetch(TABLES, SCHEMAS)]
    return {
        "format": FORMAT,
        "log": origin,
        "made_at": instant(at),
        "events": events,
        "checkpoint_size": sealed,
        "migrations": [{"number": number, "name": name, "sha256": raw.hex()} for number, name, raw in applied],
        "tables": [{name: getattr(table, name) for name in Table.__slots__} for table in tables],
        "sequences": {},
    }


async def _written(
    connection: asyncpg.Connection, manifest: dict[str, Any], keys: Mapping[str, bytes], now: Callable[[], datetime]
) -> AsyncGenerator[bytes, None]:
    tables = [Table(**table) for table in manifest["tables"]]
    files = {table.file: copied(connection, table) for table in tables}
    with suppress(NotSealedYet):
        files[PACK] = await Packer(Pool(OneAtATime(connection)), now).log()
    files |= {f"keys/{name}": _whole(key) for name, key in keys.items()}
    for table in tables:
        if table.sequence:
            # Not of the snapshot, but never behind it: a number may be left out, none is given twice. The name is from
            # PostgreSQL's own catalogue, like those of columns and tables below (S608 is excused for that).
            row = await connection.fetchrow(f"SELECT last_value, is_called FROM {table.sequence}")  # noqa: S608
            manifest["sequences"][table.sequence] = list(row)
    async for part in zipped(files, manifest):
        yield part


class OneAtATime:
    """What a pool is asked for, of one connection; whoever asks meanwhile waits."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        """All rows."""
        async with self._lock:
            return await self._connection.fetch(sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        """The first row or None."""
        async with self._lock:
            return await self._connection.fetchrow(sql, *arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """The first column of the first row or None."""
        async with self._lock:
            return await self._connection.fetchval(sql, *arguments)


async def copied(connection: asyncpg.Connection, table: Table) -> AsyncIterator[bytes]:
    """The rows as COPY writes them; only a few blocks are held."""
    blocks: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=4)
    columns = ", ".join(f'"{column}"' for column in table.columns)
    sql = f'SELECT {columns} FROM "{table.schema}"."{table.table}"'  # noqa: S608

    async def copy() -> None:
        try:
            await connection.copy_from_query(sql, output=blocks.put, format="text", encoding="utf-8")
        finally:
            await blocks.put(None)

    copying = asyncio.create_task(copy())
    try:
        while (block := await blocks.get()) is not None:
            yield block
        await copying
    finally:
        copying.cancel()


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _to_file(path: Path, parts: AsyncIterator[bytes]) -> tuple[int, str]:
    """How many bytes, and their SHA-256. A file that is there already would keep its mode: it must not be there."""
    digest = sha256()
    # Written as fast as it comes, and only the backup waits for it (ASYNC230 is excused for that).
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: ASYNC230
        async for part in parts:
            digest.update(part)
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
        return file.tell(), digest.hexdigest()


def manifest_of(path: Path) -> dict[str, Any]:
    """What the backup says of itself. Raises BadBackup where it is none, damaged or too new."""
    try:
        with ZipFile(path) as backup:
            manifest: dict[str, Any] = orjson.loads(backup.read("manifest.json"))
        form = manifest["format"]
    except (OSError, BadZipFile, KeyError, ValueError, TypeError) as error:
        raise BadBackup(f"{path.name} is no whole backup: {error}") from error
    if form != FORMAT:
        raise BadBackup(f"{path.name} has the format {form}, this program reads {FORMAT}")
    known = {migration.number: migration for migration in migrations()}
    for applied in manifest["migrations"]:
        number, name = applied["number"], applied["name"]
        if number not in known:
            raise BadBackup(
                f"it has migration {number:04} ({name}), newer than this program: restore it with a newer one"
            )
        if known[number].checksum.hex() != applied["sha256"]:
            raise BadBackup(f"it has another migration {number:04} ({name}) than this program")
    return manifest


def check_files(path: Path) -> dict[str, Any]:
    """Every file against the manifest's SHA-256; the manifest. Raises BadBackup, which names the first damaged one."""
    manifest = manifest_of(path)
    with ZipFile(path) as backup:
        if set(backup.namelist()) != {*manifest["files"], "manifest.json"}:
            raise BadBackup("it does not hold the files that its manifest names")
        for name, told in manifest["files"].items():
            try:
                found = _digest(backup, name)
            except (OSError, BadZipFile, EOFError) as error:
                raise BadBackup(f"{name} is damaged: {error}") from error
            if found != told["sha256"]:
                raise BadBackup(f"{name} is damaged: it does not have the SHA-256 of the manifest")
    return manifest


def _digest(backup: ZipFile, name: str) -> str:
    digest = sha256()
    with backup.open(name) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
