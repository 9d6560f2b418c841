"""An ended project's events go to a pack and come back from it; the log stays provable all the while."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from activities.keeping import Keeping
from api.parts import Parts
from domain.canonical import leaf_hash
from domain.messages import Actor
from domain.refusals import Refused
from store.archiving import Archives, NotArchivable, PackDamaged
from store.connect import Pool
from store.packing import Packer
from store.postgres import PostgresStore
from store.tree import Tree
from tests.api.asking import Api, problem
from tests.audit.building import checked, key_of, seal, written
from tests.conftest import Database
from tests.privacy.lives import Closed
from verifier.tandem_verify import VALID

ATTESTED = (
    "stream",
    "version",
    "event_id",
    "type",
    "schema_version",
    "recorded_at",
    "effective_at",
    "metadata",
    "data",
    "prev_hash",
)


@pytest.fixture
async def archives(store: PostgresStore, database: Database, tmp_path: Path) -> AsyncIterator[Archives]:
    owner = await Pool.open(database.admin, 1)
    yield Archives(store.pool, Keeping(store), owner, tmp_path / "archive", Actor("operator", client="cli"))
    owner.terminate()


@pytest.fixture
def ended(closed: Closed) -> str:
    return f"project-{closed.project}"


def fold_anew(behind: Parts, stream: str) -> None:
    behind.step.states.forget(stream.removeprefix("project-"))


async def test_there_and_back(
    archives: Archives, ended: str, store: PostgresStore, api: Api, behind: Parts, tmp_path: Path
) -> None:
    before, root = await store.read(ended), await Tree(store.pool).root(await store.head())
    record = await archives.archive(ended)
    assert record.archived
    assert record.file
    pack = archives.folder / record.file
    assert checked(pack, await key_of(store)).code == VALID

    gone = await store.read(ended)
    assert [fact.leaf_hash for fact in gone] == [fact.leaf_hash for fact in before]
    assert all(fact.data == {} and fact.metadata["archived"] == record.digest for fact in gone)
    assert await Tree(store.pool).root(len(before)) == root
    whole = checked(await written(await Packer(store.pool).log(), tmp_path / "log.zip"), await key_of(store))
    assert whole.findings == [], "the whole log is still proved, the archived part by its hashes"
    assert whole.unproven
    fold_anew(behind, ended)
    answer = problem(await api.get(f"/v1/projects/{ended.removeprefix('project-')}"), 409, "ProjectArchived")
    assert "tandem archive restore" in answer["detail"]
    feed = (await api.get("/v1/events", params={"limit": 200})).json()["items"]
    assert [event["sentence"] for event in feed if event["stream"] == ended] == [None] * len(before)

    assert await archives.restore(ended) == len(before)
    back = await store.read(ended)
    assert back == before
    assert [leaf_hash(**{name: getattr(fact, name) for name in ATTESTED}) for fact in back] == [
        fact.leaf_hash for fact in before
    ]
    told = [fact.type for fact in await store.read(f"archive-{ended}")]
    assert told == ["PackRecorded", "StreamArchived", "StreamRestored"]
    assert (await api.state(ended.removeprefix("project-")))["ended"]
    assert (await archives.archive(ended)).archived, "and once more"


async def test_what_was_cut_short_is_gone_on_with(
    archives: Archives, ended: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Archives._tell

    async def crash(self: Archives, stream: str, command: object, command_id: str) -> object:
        if type(command).__name__ in {"RecordArchived", "RecordRestored"}:
            raise ConnectionResetError("gone")
        return await whole(self, stream, command, command_id)  # type: ignore[arg-type]

    for move in (archives.archive, archives.restore):
        monkeypatch.setattr(Archives, "_tell", crash)
        with pytest.raises(ConnectionResetError):
            await move(ended)
        monkeypatch.setattr(Archives, "_tell", whole)
        await move(ended)
    told = [fact.type for fact in await store.read(f"archive-{ended}")]
    assert told == ["PackRecorded", "StreamArchived", "StreamRestored"]


async def test_a_damaged_pack_brings_nothing_back(archives: Archives, ended: str, store: PostgresStore) -> None:
    record = await archives.archive(ended)
    assert record.file
    pack = archives.folder / record.file
    pack.chmod(0o600)
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.write_bytes(content)
    with pytest.raises(PackDamaged, match="was recorded"):
        await archives.restore(ended)
    pack.unlink()
    with pytest.raises(PackDamaged, match="cannot be read"):
        await archives.restore(ended)
    assert {fact.metadata["archived"] for fact in await store.read(ended)} == {record.digest}


async def test_a_legal_hold_keeps_them(archives: Archives, ended: str, database: Database) -> None:
    await archives.hold(ended)
    with pytest.raises(Refused, match="legal hold"):
        await archives.archive(ended)
    connection = await asyncpg.connect(database.admin)
    with pytest.raises(asyncpg.PostgresError, match="no pack"):
        await connection.execute("SELECT tandem.archive($1, $2)", ended, "0" * 64)
    await connection.close()
    await archives.release(ended)
    assert (await archives.archive(ended)).archived


async def test_only_what_has_ended_and_is_sealed(archives: Archives, api: Api, store: PostgresStore) -> None:
    running = f"project-{await api.start()}"
    with pytest.raises(NotArchivable, match="not sealed yet"):
        await archives.archive(running)
    await seal(store)
    with pytest.raises(NotArchivable, match="has not ended"):
        await archives.archive(running)


async def test_what_ended_long_ago_is_due(archives: Archives, ended: str) -> None:
    now = datetime.now(UTC)
    assert await archives.due(now, timedelta(days=30)) == []
    assert await archives.due(now + timedelta(days=31), timedelta(days=30)) == [ended]
    await archives.archive(ended)
    assert await archives.due(now + timedelta(days=31), timedelta(days=30)) == []


async def test_nobody_else_changes_an_event(archives: Archives, ended: str, database: Database) -> None:
    record = await archives.archive(ended)
    admin, app = await asyncpg.connect(database.admin), await asyncpg.connect(database.app)
    try:
        for change in (
            "UPDATE tandem.event SET data = '{}'",
            "UPDATE tandem.event SET leaf_hash = prev_hash",
            "UPDATE tandem.event SET metadata = tandem.archived_metadata(repeat('0', 64)), data = '{}'",
            "DELETE FROM tandem.event",
        ):
            with pytest.raises(asyncpg.PostgresError, match=r"tandem.event is append-only"):
                await admin.execute(change)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("SELECT tandem.archive($1, $2)", ended, record.digest)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("SELECT tandem.unarchive($1, '{1}', '{}', '{}')", ended)
        with pytest.raises(asyncpg.PostgresError, match="not every event"):
            await admin.execute("SELECT tandem.unarchive($1, ARRAY[1], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb])", ended)
    finally:
        await admin.close()
        await app.close()
