"""What was exported and is brought into an empty installation is the same: root, state, pages."""

from pathlib import Path

import asyncpg
import pytest

from activities.decide import Step
from activities.folding import PREFIX
from dev.embedded import EmbeddedPostgres
from domain.merkle import root
from store.postgres import PostgresStore
from store.tree import Tree
from store.unpacking import NotImported, bring_in
from tests.audit.building import TEMPLATES, Life, checked, key_of, packer, seal, written
from tests.audit.conftest import Baseline
from tests.conftest import Database
from verifier.tandem_verify import VALID

PAGES = (
    "SELECT * FROM tandem.project ORDER BY id",
    "SELECT * FROM tandem.membership ORDER BY project_id, person, role",
    "SELECT * FROM tandem.duty ORDER BY project_id, person, kind, ref",
    "SELECT position, version, recorded_at, event_id, stream, leaf_hash, prev_hash, metadata, data FROM tandem.event "
    "ORDER BY position",
    "SELECT stream, command_id, version, position, answer FROM tandem.command ORDER BY stream, command_id",
)


async def everything(dsn: str) -> list[list[tuple[object, ...]]]:
    """Every page, event and answered command."""
    connection = await asyncpg.connect(dsn)
    try:
        return [[tuple(row) for row in await connection.fetch(sql)] for sql in PAGES]
    finally:
        await connection.close()


async def test_the_same_root_and_the_same_state(
    copy: Database, database: Database, baseline: Baseline, tmp_path: Path
) -> None:
    there, here = await PostgresStore.open(copy.app), await PostgresStore.open(database.app)
    pack = await written(await packer(there).log(), tmp_path / "log.zip")
    told = await bring_in(database.admin, pack)
    leaves = await Tree(there.pool).leaves(0, told.events)
    assert (told.events, told.projects, told.root) == (baseline.sizes[2], 27, root(leaves))
    assert await everything(database.admin) == await everything(copy.admin)
    for stream in baseline.projects:
        project = stream.removeprefix(PREFIX)
        assert await Step(here, TEMPLATES).states.current(project) == await Step(there, TEMPLATES).states.current(
            project
        )
    note = await seal(here)
    assert (note.checkpoint.root, note.checkpoint.size) == (told.root, told.events)
    assert checked(await written(await packer(here).log(), tmp_path / "again.zip"), await key_of(here)).code == VALID
    life = Life(here, count=1000)
    await life.kickoff(40)
    assert await here.head() == told.events + 11
    with pytest.raises(NotImported, match="not empty"):
        await bring_in(database.admin, pack)
    for store in (there, here):
        await store.close()


async def test_a_pack_of_a_project_or_of_other_events_is_refused(
    copy: Database, database: Database, baseline: Baseline, tmp_path: Path, postgres: EmbeddedPostgres
) -> None:
    there = await PostgresStore.open(copy.app)
    one = await written(await packer(there).stream(baseline.projects[0]), tmp_path / "one.zip")
    whole = await written(await packer(there).log(), tmp_path / "log.zip")
    await there.close()
    with pytest.raises(NotImported, match="whole log"):
        await bring_in(database.admin, one)
    raw = whole.read_bytes()
    at = raw.index(b"Members renew online")
    whole.write_bytes(raw[:at] + b"Nobody" + raw[at + 6 :])
    with pytest.raises(NotImported, match="CRC-32"):
        await bring_in(database.admin, whole)
    connection = await asyncpg.connect(database.admin)
    assert await connection.fetchval("SELECT count(*) FROM tandem.event") == 0
    await connection.close()
