"""Keys of persons: made once, wrapped, destroyed for ever, and not brought back by an older copy."""

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from activities.vault import VaultLocked
from store.vault import HeldByLaw, PostgresVault, WrongMasterKey, master_key
from tests.conftest import Database
from tests.store.building import START

MASTER = bytes(range(32))


@pytest.fixture
async def vault(database: Database) -> AsyncIterator[PostgresVault]:
    opened = await PostgresVault.open(database.app, MASTER)
    yield opened
    opened.close()


async def test_a_key_is_made_once_however_many_ask(vault: PostgresVault) -> None:
    answers = await asyncio.gather(*(vault.keys(["li.wei", "pan.mei"], make=True) for _ in range(6)))
    assert all(answer == answers[0] for answer in answers)
    assert {len(key or b"") for key in answers[0].values()} == {32}
    assert answers[0]["li.wei"] != answers[0]["pan.mei"]
    assert await vault.keys(["nobody"], make=False) == {}


async def test_the_database_never_holds_a_key_in_clear(vault: PostgresVault, database: Database) -> None:
    key = (await vault.keys(["li.wei"], make=True))["li.wei"]
    connection = await asyncpg.connect(database.admin)
    rows = await connection.fetch("SELECT * FROM vault.person")
    await connection.close()
    assert key
    assert len(rows) == 1
    assert all(key not in value for value in rows[0].values() if isinstance(value, bytes))


async def test_another_master_key_opens_nothing(vault: PostgresVault, database: Database) -> None:
    await vault.keys(["li.wei"], make=True)
    for master, error in ((os.urandom(32), WrongMasterKey), (None, VaultLocked)):
        other = await PostgresVault.open(database.app, master)
        with pytest.raises(error):
            await other.keys(["li.wei"], make=False)
        other.close()


async def test_an_erased_person_never_gets_a_key_again(vault: PostgresVault) -> None:
    await vault.keys(["li.wei"], make=True)
    assert await vault.put_profile("li.wei", {"name": "李伟"})
    assert await vault.profiles(["li.wei"]) == {"li.wei": {"name": "李伟"}}
    assert await vault.erase("li.wei", START)
    assert not await vault.erase("li.wei", START)
    assert await vault.keys(["li.wei"], make=True) == {"li.wei": None}
    assert await vault.profiles(["li.wei"]) == {}
    assert not await vault.put_profile("li.wei", {"name": "李伟"})
    assert await vault.erasures() == [("li.wei", START)]


async def test_a_legal_hold_keeps_the_key(vault: PostgresVault) -> None:
    before = await vault.keys(["li.wei"], make=True)
    await vault.hold("li.wei", START)
    with pytest.raises(HeldByLaw):
        await vault.erase("li.wei", START)
    assert await vault.keys(["li.wei"], make=False) == before
    await vault.release("li.wei")
    assert await vault.erase("li.wei", START)


async def test_an_older_copy_is_made_to_forget_again(vault: PostgresVault, database: Database) -> None:
    await vault.keys(["li.wei", "pan.mei"], make=True)
    connection = await asyncpg.connect(database.admin)
    try:
        await connection.execute("CREATE TABLE copy AS TABLE vault.person")
        await vault.erase("li.wei", START)
        kept = await vault.erasures()
        # What restoring yesterday's copy of the vault does: the key is back, and the list does not know.
        await connection.execute("DELETE FROM vault.person; DELETE FROM vault.erased")
        await connection.execute("INSERT INTO vault.person TABLE copy")
        assert (await vault.keys(["li.wei"], make=False))["li.wei"]
        assert await vault.replay(kept) == ["li.wei"]
        assert await vault.replay(kept) == []
        assert await vault.keys(["li.wei"], make=True) == {"li.wei": None}
        assert (await vault.keys(["pan.mei"], make=False))["pan.mei"]
    finally:
        await connection.close()


async def test_other_processes_are_told_of_an_erasure(vault: PostgresVault) -> None:
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    listening = asyncio.create_task(vault.listen(heard.put_nowait))
    async with asyncio.timeout(10):
        assert await heard.get() is None
        await vault.erase("li.wei", START + timedelta(days=1))
        assert await heard.get() == "li.wei"
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening


async def test_a_new_master_key_changes_no_persons_key(vault: PostgresVault, database: Database) -> None:
    before = await vault.keys(["li.wei", "pan.mei"], make=True)
    owner = await PostgresVault.open(database.admin, MASTER)
    fresh = os.urandom(32)
    assert await owner.rewrap(fresh) == 2
    assert await owner.rewrap(fresh) == 0
    renewed = await PostgresVault.open(database.app, fresh)
    assert await renewed.keys(["li.wei", "pan.mei"], make=False) == before
    with pytest.raises(WrongMasterKey):
        await vault.keys(["li.wei"], make=False)
    owner.close()
    renewed.close()


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM vault.person", "DELETE FROM vault.erased", "SELECT vault.every()", "SET ROLE tandem_vault"],
)
@pytest.mark.parametrize("role", ["app", "auditor"])
async def test_the_tables_are_closed(database: Database, role: str, statement: str) -> None:
    connection = await asyncpg.connect(getattr(database, role))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    await connection.close()


def test_a_master_key_is_32_bytes_in_hex_or_base64() -> None:
    assert master_key(MASTER.hex() + "\n") == master_key(b64encode(MASTER).decode()) == MASTER
    for text in ("", "kurz", "A" * 44, "!" * 44, "g" * 64):
        with pytest.raises(WrongMasterKey):
            master_key(text)
