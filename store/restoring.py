"""From a backup into an empty database: its rows as they were, and checked to be the log that was sealed.

Everything is there afterwards or nothing, but for the migrations. What is outside of the database is the operator's:
the keys, and the list of erased persons that is kept apart from backups.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import asyncpg

from activities.seal import Sealed
from domain.checkpoint import Note
from store.backup import BLOCK, BadBackup, OneAtATime, Table, check_files
from store.connect import Pool, connect, reaching
from store.migrate import migrate
from store.packing import Packer
from store.rebuilding import rebuild
from store.tree import Tree
from verifier.tandem_verify import Walk

CHUNK = 1000
SEEDED = {"tandem.log_head", "tandem.log", "tandem.sealing", "tandem.index_reach"}
"""Tables that a fresh schema has a row or two in: the backup's take their place."""
GUARDED = ("tandem.log",)
"""Those of them whose triggers refuse it."""
SCHEMA_THERE = "SELECT to_regclass('public.tandem_migration') IS NOT NULL OR to_regnamespace('tandem') IS NOT NULL"


class NotRestored(Exception):
    """The message says why, and what is in the database now."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back."""

    events: int
    sealed: int
    root: bytes
    """Of the tree over the sealed ones: that of the newest checkpoint."""
    rows: int
    """Of pages and indexes, the same as written anew from the events."""


async def restore(dsn: str, path: Path) -> Restored:
    """Bring the backup into an empty database. `dsn` is the owner's.

    Raises BadBackup, NotRestored, StoreUnavailable.
    """
    manifest = check_files(path)
    await _check_untouched(dsn)
    await migrate(dsn, upto=len(manifest["migrations"]))
    with reaching():
        connection = await connect(dsn)
        try:
            async with connection.transaction():
                await _filled(connection, path, manifest)
                sealed, root = await _checked(connection, manifest)
        finally:
            await connection.close()
    await migrate(dsn)
    told = await rebuild(dsn, check=True)
    if wrong := [f"{one.differing} of {one.table}" for one in told if one.differing]:
        raise NotRestored(
            "The log is back and whole, but rows derived from it are not what it tells "
            f"({', '.join(wrong)}): run `tandem rebuild`."
        )
    return Restored(manifest["events"], sealed, root, sum(one.rows for one in told))


async def _check_untouched(dsn: str) -> None:
    with reaching():
        connection = await connect(dsn)
        try:
            there = await connection.fetchval(SCHEMA_THERE)
            if there and not await _blank(connection):
                raise NotRestored("This database is not empty; nothing was changed. Create a new one to restore into.")
        finally:
            await connection.close()


async def _blank(connection: asyncpg.Connection) -> bool:
    """Whether the schema is there without anything in it, as an attempt that was cut short leaves it."""
    if await connection.fetchval("SELECT to_regclass('tandem.log_head')") is None:
        return True
    return not await connection.fetchval(
        "SELECT (SELECT next_position FROM tandem.log_head) + (SELECT count(*) FROM tandem.command) "
        "+ (SELECT count(*) FROM tandem.refusal) + (SELECT count(*) FROM tandem.reservation)"
    )


async def _filled(connection: asyncpg.Connection, path: Path, manifest: dict[str, Any]) -> None:
    applied = await connection.fetchval("SELECT count(*) FROM public.tandem_migration")
    if applied != len(manifest["migrations"]):
        raise NotRestored(f"The database has {applied} migrations, the backup other ones: create a new database.")
    for name in GUARDED:
        await connection.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
    with ZipFile(path) as backup:
        for table in (Table(**told) for told in manifest["tables"]):
            # What is put into SQL is a name of SEEDED, whatever the backup says (S608 is excused for that).
            if table.name in SEEDED:
                await connection.execute(f"DELETE FROM {table.name}")  # noqa: S608
            await connection.copy_to_table(
                table.table,
                schema_name=table.schema,
                columns=table.columns,
                source=_blocks(backup, table.file),
                format="text",
                encoding="utf-8",
            )
    for name in GUARDED:
        for trigger in ("no_change", "no_truncate"):
            await connection.execute(f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER {trigger}")
    for sequence, (last, called) in manifest["sequences"].items():
        await connection.execute("SELECT setval($1::text::regclass, $2, $3)", sequence, last, called)


async def _blocks(backup: ZipFile, name: str) -> AsyncIterator[bytes]:
    with backup.open(name) as file:
        while block := file.read(BLOCK):
            yield block


# Whether it is the log that was sealed


async def _checked(connection: asyncpg.Connection, manifest: dict[str, Any]) -> tuple[int, bytes]:
    """Every hash computed again, and the root: how many events are sealed, under which one. Raises BadBackup."""
    pool = Pool(OneAtATime(connection))
    tree, packer, walk = Tree(pool), Packer(pool), Walk()
    head = await tree.head()
    if head != manifest["events"]:
        raise BadBackup(f"its manifest tells of {manifest['events']} events, its tables of {head}")
    newest = await tree.latest()
    if newest is not None:
        await _walked(packer, walk, newest.size)
        _check_seal(newest, walk)
    await _walked(packer, walk, head)
    return (newest.size, newest.root) if newest else (0, walk.tree.root())


async def _walked(packer: Packer, walk: Walk, stop: int) -> None:
    while (start := walk.tree.size) < stop:
        rows = await packer.stretch(start - 1, min(CHUNK, stop - start))
        if not rows:
            raise BadBackup(f"{stop - start} events are missing from position {start} on")
        for position, line, leaf in rows:
            if position != walk.tree.size:
                raise BadBackup(f"the event at position {walk.tree.size} is missing")
            if found := walk.add(line):
                raise BadBackup(f"the event at position {position} does not follow: {found.says}")
            if walk.leaf != leaf:
                raise BadBackup(f"the event at position {position} does not have the hash that is stored with it")


def _check_seal(newest: Sealed, walk: Walk) -> None:
    told = Note.parse(newest.note).checkpoint
    if not walk.tree.root() == newest.root == told.root:
        raise BadBackup(f"the {newest.size} sealed events do not have the root of their checkpoint")
