"""`tandem backup`, `restore`, `rebuild` and `verify` of a backup: what they print, and their exit codes."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

import cli
from dev.embedded import EmbeddedPostgres
from store.postgres import PostgresStore
from tests.audit.building import key_of
from tests.conftest import Database
from tests.store.test_backup import lived
from tests.vaults import MASTER_TEXT, keys_of

Tandem = Callable[..., Any]


@pytest.fixture
def tandem(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tandem:
    """The command line on this database; it has an event loop of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_DATABASE_URL", database.app)
    monkeypatch.setenv("TANDEM_MIGRATION_URL", database.admin)
    monkeypatch.setenv("TANDEM_VAULT_KEY", MASTER_TEXT)

    async def asked(*words: str) -> Any:
        return await asyncio.to_thread(lambda: CliRunner().invoke(cli.app, list(words)))

    return asked


async def test_there_and_back(
    tandem: Tandem,
    store: PostgresStore,
    postgres: EmbeddedPostgres,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    await lived(store)
    told = json.loads((await tandem("backup", str(tmp_path), "--json")).stdout)
    assert (told["events"], told["sealed"], Path(told["file"]).parent) == (44, 33, tmp_path)
    key = (await key_of(store)).vkey
    found = await tandem("verify", told["file"], "--key", key)
    assert (found.exit_code, found.stdout.split("\n")[0]) == (0, "valid")
    assert (await tandem("backup", told["file"])).exit_code == 2, "a backup replaces no other one"
    listed = tmp_path / "erased.ndjson"
    listed.write_text(json.dumps({"person": "li.wei", "erased_at": datetime(2026, 3, 9, tzinfo=UTC).isoformat()}))
    monkeypatch.setenv("TANDEM_MIGRATION_URL", await postgres.create_database("kept"))
    done = await tandem("restore", told["file"], "--erased", str(listed))
    assert (done.exit_code, done.stdout.count("44 events, 33 sealed"), done.stdout.count("1 persons erased")) == (
        0,
        1,
        1,
    )
    again = await PostgresStore.open(postgres.dsn("tandem_app", "kept"))
    assert [person for person, _ in await keys_of(again).erasures()] == ["pan.mei", "li.wei"]
    await again.close()
    refused = await tandem("restore", told["file"])
    assert (refused.exit_code, "not empty" in refused.stderr) == (1, True)


async def test_a_damaged_backup_is_named(tandem: Tandem, store: PostgresStore, tmp_path: Path) -> None:
    await lived(store)
    path = tmp_path / "b.zip"
    assert (await tandem("backup", str(path))).exit_code == 0
    raw = path.read_bytes()
    at = raw.index(ZipFile(path).read("tables/tandem.event")) + 20
    path.write_bytes(raw[:at] + b"?" + raw[at + 1 :])
    found = await tandem("verify", str(path))
    assert (found.exit_code, "tables/tandem.event is damaged" in found.stderr) == (1, True)
    path.write_bytes(raw[: len(raw) // 2])
    assert (await tandem("verify", str(path))).exit_code == 2
    assert (await tandem("restore", str(path))).exit_code == 1


async def test_keys_only_where_they_are_asked_for(tandem: Tandem, store: PostgresStore, tmp_path: Path) -> None:
    await lived(store)
    path = tmp_path / "keys.zip"
    told = await tandem("backup", str(path), "--with-keys")
    assert "THE SECRET KEYS ARE IN IT (vault)" in told.stderr
    assert ZipFile(path).read("keys/vault").decode() == MASTER_TEXT


async def test_rebuilding(
    tandem: Tandem, store: PostgresStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(store)
    same = await tandem("rebuild", "--check")
    assert (same.exit_code, same.stdout.split()[:3]) == (0, ["TABLE", "ROWS", "DIFFERING"])
    owner = await PostgresStore.open(database.admin)
    await owner.pool.execute("UPDATE tandem.project SET title = 'forged' WHERE code = 'P-00001'")
    await owner.close()
    for words, code in ((("--check",), 1), (("duties", "--check"), 0), ((), 0), (("--check",), 0), (("messages",), 1)):
        assert (await tandem("rebuild", *words)).exit_code == code, words
    monkeypatch.delenv("TANDEM_MIGRATION_URL")
    assert (await tandem("rebuild")).exit_code == 4
