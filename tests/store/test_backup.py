"""What was backed up comes back as it was, and nothing that is damaged or does not fit is let in."""

import asyncio
import json
import stat
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import asyncpg
import pytest

from dev.embedded import EmbeddedPostgres
from store.backup import FORMAT, PACK, SCHEMAS, TABLES, BadBackup, Table, back_up, check_files
from store.postgres import PostgresStore
from store.restoring import NotRestored, restore
from store.tree import Tree
from tests.audit.building import Life, key_of, packer, seal, written
from tests.audit.building import checked as verified
from tests.conftest import Database
from tests.store.test_rebuilding import index
from tests.vaults import keys_of
from verifier.tandem_verify import VALID

_numbers = count(1)
RESERVE = "SELECT * FROM tandem.reserve('li.wei', $1, $1)"


async def empty(postgres: EmbeddedPostgres) -> str:
    """The owner's dsn of a new database."""
    return await postgres.create_database(f"restored_{next(_numbers)}")


async def state(dsn: str) -> dict[str, list[str]]:
    """Every row of every table."""
    connection = await asyncpg.connect(dsn)
    tables = [Table(*row) for row in await connection.fetch(TABLES, SCHEMAS)]
    rows = {
        table.name: sorted(row[0] for row in await connection.fetch(f"SELECT t::text FROM {table.name} t"))
        for table in tables
    }
    await connection.close()
    return rows


async def lived(store: PostgresStore) -> Life:
    """A log with something in every corner: sealed and not, refused, indexed, reserved, a vault with an erasure."""
    life, vault = Life(store), keys_of(store)
    await life.kickoff(0, 1, 2)
    await seal(store)
    await life.kickoff(3)
    await vault.put_profile("li.wei", {"name": '李伟\tLi\\N "Wei"\n'})
    await vault.keys(["pan.mei"], make=True)
    await vault.erase("pan.mei", datetime(2026, 3, 3, tzinfo=UTC))
    await store.pool.fetch(RESERVE, "first")
    await index(store)
    return life


def rezipped(path: Path, to: Path, change: dict[str, bytes | None]) -> Path:
    """The backup with other files in it; None leaves one out."""
    with ZipFile(path) as old, ZipFile(to, "w", ZIP_STORED) as new:
        for name in old.namelist():
            content = change.get(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return to


async def test_everything_comes_back(
    store: PostgresStore, database: Database, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    await lived(store)
    taken = await back_up(database.admin, tmp_path / "b.zip")
    assert stat.S_IMODE(taken.path.stat().st_mode) == 0o600
    assert (taken.events, taken.sealed) == (44, 33)
    there = await empty(postgres)
    told = await restore(there, taken.path)
    assert (told.events, told.sealed, told.root) == (44, 33, await Tree(store.pool).root(33))
    assert await state(there) == await state(database.admin)
    again = await PostgresStore.open(there.replace("postgres@", "tandem_app@"))
    assert (await again.pool.fetch(RESERVE, "first"))[0]["number"] == 1
    assert (await again.pool.fetch(RESERVE, "second"))[0]["number"] > 1, "no number is given twice"
    await Life(again, count=500).kickoff(40)
    await seal(again)
    pack = await written(await packer(again).log(), tmp_path / "log.zip")
    assert verified(pack, await key_of(store)).code == VALID, "sealed on under the same name and key"
    connection = await asyncpg.connect(there)
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await connection.execute("DELETE FROM tandem.log")
    await connection.close()
    await again.close()
    with pytest.raises(NotRestored, match="not empty"):
        await restore(there, taken.path)


async def test_it_is_one_moment_of_a_running_system(
    store: PostgresStore, database: Database, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    life, done = await lived(store), asyncio.Event()

    async def load() -> None:
        project = 100
        while not done.is_set():
            await life.kickoff(project)
            await seal(store)
            project += 1

    loading = asyncio.create_task(load())
    taken = [await back_up(database.admin, tmp_path / f"{no}.zip") for no in range(3)]
    done.set()
    await loading
    assert taken[2].events > taken[0].events
    assert (await restore(await empty(postgres), taken[2].path)).events == taken[2].events


async def test_each_damaged_file_is_named(store: PostgresStore, database: Database, tmp_path: Path) -> None:
    await lived(store)
    path = (await back_up(database.admin, tmp_path / "b.zip")).path
    assert check_files(path)["format"] == FORMAT
    with ZipFile(path) as backup:
        contents = {name: backup.read(name) for name in backup.namelist() if backup.getinfo(name).file_size}
    del contents["manifest.json"]
    assert {PACK, "tables/tandem.event", "tables/vault.erased"} < set(contents)
    for name, content in contents.items():
        flipped = bytes([content[0] ^ 1]) + content[1:]
        with pytest.raises(BadBackup, match=f"^{name} is damaged"):
            check_files(rezipped(path, tmp_path / "changed.zip", {name: flipped}))
    with pytest.raises(BadBackup, match="names"):
        check_files(rezipped(path, tmp_path / "less.zip", {"tables/tandem.event": None}))
    raw = path.read_bytes()
    at = raw.index(contents["tables/tandem.command"])
    (tmp_path / "flipped.zip").write_bytes(raw[:at] + b"\x00" + raw[at + 1 :])
    with pytest.raises(BadBackup, match=r"^tables/tandem.command is damaged"):
        check_files(tmp_path / "flipped.zip")
    for length in (0, len(raw) // 2, len(raw) - 1):
        (tmp_path / "cut.zip").write_bytes(raw[:length])
        with pytest.raises(BadBackup, match="no whole backup"):
            check_files(tmp_path / "cut.zip")


async def test_a_backup_of_another_program_is_refused(
    store: PostgresStore, database: Database, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    await lived(store)
    path = (await back_up(database.admin, tmp_path / "b.zip")).path
    manifest = json.loads(ZipFile(path).read("manifest.json"))
    newer = [*manifest["migrations"], {"number": 9999, "name": "later", "sha256": "00"}]
    other = [manifest["migrations"][0] | {"sha256": "00"}, *manifest["migrations"][1:]]
    for change, says in (
        ({"format": "tandem-backup/2"}, "tandem-backup/2"),
        ({"migrations": newer}, "9999 .later., newer"),
        ({"migrations": other}, "another migration 0001"),
    ):
        changed = rezipped(path, tmp_path / "c.zip", {"manifest.json": json.dumps(manifest | change).encode()})
        with pytest.raises(BadBackup, match=says):
            await restore(database.admin, changed)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ('UPDATE tandem.event SET data = data || \'{"title": "forged"}\' WHERE position = 7', "position 7"),
        ("DELETE FROM tandem.event WHERE position = 40", "missing"),
        ("UPDATE tandem.checkpoint SET root = sha256('other')", "root of their checkpoint"),
        ("UPDATE tandem.log_head SET next_position = next_position - 1", "tables"),
        ("UPDATE tandem.project SET title = 'forged' WHERE code = 'P-00001'", "1 of project.*tandem rebuild"),
    ],
)
async def test_a_copy_of_a_forged_database_is_not_taken_for_whole(
    store: PostgresStore, database: Database, postgres: EmbeddedPostgres, tmp_path: Path, damage: str, says: str
) -> None:
    await lived(store)
    connection = await asyncpg.connect(database.admin)
    for table in ("event", "checkpoint"):
        await connection.execute(f"ALTER TABLE tandem.{table} DISABLE TRIGGER USER")
    await connection.execute(damage)
    await connection.close()
    path = (await back_up(database.admin, tmp_path / "b.zip")).path
    if "log_head" in damage:
        manifest = json.loads(ZipFile(path).read("manifest.json"))
        told = json.dumps(manifest | {"events": manifest["events"] + 1}).encode()
        path = rezipped(path, tmp_path / "c.zip", {"manifest.json": told})
    there = await empty(postgres)
    with pytest.raises((BadBackup, NotRestored), match=says):
        await restore(there, path)
    if "project" not in damage:
        assert (await state(there))["tandem.event"] == [], "nothing was let in"


async def test_keys_are_in_it_only_where_they_are_asked_for(
    store: PostgresStore, database: Database, tmp_path: Path
) -> None:
    await lived(store)
    plain = await back_up(database.admin, tmp_path / "plain.zip")
    assert not [name for name in ZipFile(plain.path).namelist() if name.startswith("keys/")]
    with_keys = await back_up(database.admin, tmp_path / "keys.zip", {"seal": b"secret"})
    assert ZipFile(with_keys.path).read("keys/seal") == b"secret"
