"""kill -9 of the sealer and of PostgreSQL during load: no checkpoint is ever inconsistent with an earlier one."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from dev.home import CHECKOUT
from domain.checkpoint import COSIGNATURE, Checkpoint, Key, Note
from domain.merkle import consistent, root
from store.postgres import PostgresStore
from store.tree import Tree
from tests.e2e.system import System, running
from tests.e2e.test_faults import PATIENCE, Load
from tests.workflows.test_sealing import until

EACH = 7
NAME = "witness.example/w1"


@pytest.fixture(scope="module")
async def sealed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A system that seals, with a second place and a witness."""
    folder = tmp_path_factory.mktemp("seal")
    made = tandem("witness", "new-key", str(folder / "witness.key"), "--name", NAME)
    settings = {
        "TANDEM_ANCHOR_FILE": str(folder / "anchored"),
        "TANDEM_WITNESS_KEYS": made.stdout.strip(),
    }
    async with running(settings) as system:
        yield system


def tandem(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", "cli", *words], capture_output=True, text=True, cwd=CHECKOUT)
    assert done.returncode == code, done.stderr
    return done


def folder_of(system: System) -> Path:
    return Path(system.settings()["TANDEM_ANCHOR_FILE"]).parent


def anchored(system: System) -> list[Note]:
    file = folder_of(system) / "anchored"
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [Note.parse(orjson.loads(line)["note"]) for line in lines]


async def loaded(system: System, *blows: str) -> None:
    """About 150 commands, with a blow in the middle for each of the parts."""
    load = Load(system)
    projects = await load.started()
    jobs = [asyncio.create_task(load.capture(project, number)) for number in range(EACH) for project in projects]
    await load.enough.wait()
    for part in blows:
        system.kill(part)
        await asyncio.sleep(0.5)
        await system.restart(part)
    await asyncio.gather(*jobs)


async def everything_is_sealed(store: PostgresStore) -> None:
    tree = Tree(store.pool)

    async def lacking() -> tuple[str, str, int]:
        health = await tree.health()
        return health.state, health.detail, health.head - health.sealed

    await until(lacking, ("sealing", "", 0), PATIENCE)


async def every_checkpoint_continues_every_earlier_one(system: System, store: PostgresStore) -> None:
    """Those in the database and those in the second place, checked from the leaves and from the proofs."""
    tree = Tree(store.pool)
    leaves = await store.leaves(0, await store.head())
    keys = [Key.parse(period.vkey) for period in await tree.keys()]
    notes = [Note.parse(point.note) for point in await tree.checkpoints(0, 100_000)]
    assert len(keys) == 1
    for note in [*notes, *anchored(system)]:
        assert note.verified(keys) == keys
        assert note.checkpoint.root == root(leaves[: note.checkpoint.size])
    assert len({note.checkpoint.size for note in notes}) == len(notes)
    for old, new in pairwise(note.checkpoint for note in notes):
        path = await tree.consistency(old.size, new.size)
        assert consistent(old.size, old.root, new.size, new.root, path)

    async def brought() -> list[Note]:
        return anchored(system)[: len(notes)]

    await until(brought, notes, PATIENCE)


@pytest.mark.slow
@pytest.mark.parametrize("blows", [("worker",), ("postgres",), ("worker", "postgres", "worker")], ids="-".join)
async def test_kill_9_during_load_never_forks_the_log(sealed: System, blows: tuple[str, ...]) -> None:
    await loaded(sealed, *blows)
    store = await sealed.store()
    try:
        await everything_is_sealed(store)
        await every_checkpoint_continues_every_earlier_one(sealed, store)
    finally:
        await store.close()


@pytest.mark.slow
async def test_a_witness_of_another_organisation_signs_over_the_wire(sealed: System) -> None:
    """After all that was done to it above, the log still only grew."""
    store, folder = await sealed.store(), folder_of(sealed)
    await everything_is_sealed(store)
    log_key = (await Tree(store.pool).keys())[0].vkey
    await store.close()
    words = ["--key", str(folder / "witness.key"), "--name", NAME, "--state", str(folder / "memory"), "--post"]
    asked = ["witness", "sign", *words, "--url", sealed.url, "--token", "dev:an.jing"]
    tandem(*asked, "--log-key", log_key)
    line = tandem(*asked).stdout.strip()
    async with sealed.person("an.jing") as auditor:
        (witness,) = (Key.parse(vkey) for vkey in (await auditor.get("/v1/audit/keys")).json()["witnesses"])

        async def signers() -> list[Key]:
            """Under the latest checkpoint, which may be younger than what the witness saw: then it signs that too."""
            text = (await auditor.get("/v1/audit/checkpoint", headers={"Accept": "text/plain"})).text
            found = Note.parse(text).verified([witness, Key.parse(log_key)])
            if witness not in found:
                tandem(*asked)
            return found

        await until(signers, [Key.parse(log_key), witness], PATIENCE)
    assert witness.kind == COSIGNATURE
    assert line.startswith(f"— {NAME} ")
    remembered = orjson.loads((folder / "memory").read_bytes())
    seen = Checkpoint.parse(remembered["seen"])
    lie = Checkpoint(seen.origin, seen.size, bytes(32))
    (folder / "memory").write_bytes(orjson.dumps({**remembered, "seen": lie.body}))
    assert "NOT SIGNED" in tandem(*asked, code=1).stderr
