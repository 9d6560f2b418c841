"""`tandem privacy` and `tandem archive`, as operators type them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli import app
from store.postgres import PostgresStore
from tests.api.asking import PMO, Api
from tests.conftest import Database
from tests.privacy.lives import Closed
from tests.privacy.test_erasure import OFFICERS, erase, officers
from tests.vaults import MASTER_TEXT, keys_of

__all__ = ["officers"]
Tandem = Callable[..., Awaitable[Result]]


@pytest.fixture
def tandem(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tandem:
    monkeypatch.setenv("TANDEM_DATABASE_URL", database.app)
    monkeypatch.setenv("TANDEM_MIGRATION_URL", database.admin)
    monkeypatch.setenv("TANDEM_VAULT_KEY", MASTER_TEXT)
    monkeypatch.setenv("TANDEM_ARCHIVE_FOLDER", str(tmp_path / "archive"))

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, list(words))

    return run


async def test_a_scan_finds_what_got_in(tandem: Tandem, api: Api, tmp_path: Path) -> None:
    clean = await tandem("privacy", "scan")
    assert (clean.exit_code, clean.stdout) == (0, "")
    project = await api.start()
    await api.do(project, "hold-project", {"reason": "Until 李伟 answers li.wei@example.com"})
    names = tmp_path / "names"
    names.write_text("王芳\n李伟\n", encoding="utf-8")
    found = await tandem("privacy", "scan", "--names", str(names), "--json")
    assert found.exit_code == 1
    told = [json.loads(line) for line in found.stdout.splitlines()]
    assert [(one["type"], one["path"], one["kind"]) for one in told] == [
        ("ProjectHeld", "data.reason", "e-mail"),
        ("ProjectHeld", "data.reason", "name"),
    ]
    assert "example.com" not in found.stdout


async def test_the_list_of_the_erased_is_kept_apart_and_replayed(
    tandem: Tandem, officers: Api, store: PostgresStore, database: Database, tmp_path: Path
) -> None:
    await erase(officers, PMO)
    listed = await tandem("privacy", "erased")
    assert [json.loads(line)["person"] for line in listed.stdout.splitlines()] == [PMO]
    kept = tmp_path / "erased"
    kept.write_text(listed.stdout, encoding="utf-8")
    connection = await asyncpg.connect(database.admin)
    await connection.execute("DELETE FROM vault.erased")
    await connection.close()
    await keys_of(store).keys([PMO], make=True)
    again = await tandem("privacy", "replay", str(kept))
    assert (again.exit_code, again.stdout) == (0, f"{PMO}\n")
    assert (await tandem("privacy", "replay")).stdout == ""
    assert await keys_of(store).keys([PMO], make=False) == {PMO: None}
    assert OFFICERS


async def test_a_new_master_key(tandem: Tandem, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.key"
    fresh.write_text("short")
    assert (await tandem("privacy", "rewrap", str(fresh))).exit_code == 2
    fresh.write_text(MASTER_TEXT[::-1].lstrip("=") + "=")
    done = await tandem("privacy", "rewrap", str(fresh))
    assert done.exit_code == 0, done.output
    assert done.stdout == "4 keys wrapped anew\n"


async def test_archiving_by_age_and_by_name(tandem: Tandem, closed: Closed, store: PostgresStore) -> None:
    nothing = await tandem("archive", "--older-than", "1")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    done = await tandem("archive", "project", closed.project, "--by", "ops.an")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"project-{closed.project} project-{closed.project}.")
    facts = await store.read(f"archive-project-{closed.project}")
    assert {fact.metadata["actor"]["principal"] for fact in facts} == {"ops.an"}
    assert (await tandem("archive", "restore", closed.project)).stdout.endswith("events restored\n")
    assert (await tandem("archive", "restore", closed.project)).exit_code == 1
    assert (await tandem("archive", "hold", closed.project)).exit_code == 0
    held = await tandem("archive", "project", closed.project)
    assert (held.exit_code, held.stdout) == (1, "")
    assert "legal hold" in held.stderr


async def test_only_the_owner_archives(
    tandem: Tandem, closed: Closed, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_MIGRATION_URL", database.app)
    assert (await tandem("archive", "project", closed.project)).exit_code == 4
    monkeypatch.delenv("TANDEM_ARCHIVE_FOLDER")
    assert (await tandem("archive", "project", closed.project)).exit_code == 2
