"""The restore drill: a backup is taken under load, everything is destroyed, what was acknowledged goes on elsewhere."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx2
import pytest

from domain.checkpoint import Key
from domain.decider import COMMANDS
from store.backup import Taken, back_up
from store.packing import Packer
from store.restoring import Restored, restore
from store.tree import Tree
from tests.audit.building import checked, written
from tests.e2e.life import everybody_followed, temporal, until
from tests.e2e.system import System
from verifier.tandem_verify import VALID

PMO = "pei.min"
PROJECTS = 4
ENOUGH = 30
"""Commands acknowledged before the backup begins."""


class Load:
    """One command after the other on each project, until the end; what was acknowledged, and with which answer."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        self.acknowledged: dict[str, dict[str, str]] = {}
        self.enough, self.over = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        await asyncio.gather(*(self._project() for _ in range(PROJECTS)))

    async def _project(self) -> None:
        project = (await self._post("/v1/projects", COMMANDS["StartProject"].example))["id"]
        while not self.over.is_set():
            body = {"text": f"Lesson {len(self.acknowledged)}", "evidence": "Seen under load"}
            await self._post(f"/v1/projects/{project}/capture-lesson", body)

    async def _post(self, path: str, body: object) -> dict[str, str]:
        key = str(uuid4())
        answer = await self.client.post(path, json=body, headers={"Idempotency-Key": key})
        assert answer.is_success, answer.text
        self.acknowledged[key] = answer.json()
        if len(self.acknowledged) >= ENOUGH:
            self.enough.set()
        return self.acknowledged[key]


async def destroyed_under_load(system: System, backup: Path) -> tuple[Taken, dict[str, dict[str, str]], Key]:
    """The backup, what was acknowledged before it began, and the log's key; nothing runs any more."""
    async with system.person(PMO) as client:
        load = Load(client)
        running = asyncio.create_task(load.run())
        await load.enough.wait()
        before = dict(load.acknowledged)
        key = await sealed(system, 1)
        taken = await back_up(system.postgres.dsn(database="tandem"), backup)
        load.over.set()
        await running
    assert len(load.acknowledged) > len(before), "it went on while the backup was taken"
    for part in ("server", "worker", "temporal", "postgres"):
        system.kill(part)
    return taken, before, key


async def sealed(system: System, least: int) -> Key:
    """The log's key, once so many events are sealed."""
    store = await system.store()

    async def enough() -> bool:
        return await Tree(store.pool).sealed_size() >= least

    await until(enough)
    key = Key.parse((await Tree(store.pool).keys())[-1].vkey)
    await store.close()
    return key


async def brought_up(system: System, backup: Path) -> Restored:
    """A fresh machine, the backup in its database, then everything else."""
    await system.postgres.start()
    await system.postgres.create_database("tandem")
    told = await restore(system.postgres.dsn(database="tandem"), backup)
    await system.start_the_rest()
    return told


async def is_there_once(system: System, acknowledged: dict[str, dict[str, str]]) -> None:
    """Every command has its events, no more; sent again it gets its first answer."""
    store = await system.store()
    sql = "SELECT count(*) FROM tandem.command c WHERE c.command_id = ANY ($1)"
    assert await store.pool.fetchval(sql, list(acknowledged)) == len(acknowledged)
    sql = (
        "SELECT count(*) FROM tandem.event e WHERE e.metadata ->> 'command_id' = ANY ($1) AND e.type = 'LessonCaptured'"
    )
    assert await store.pool.fetchval(sql, list(acknowledged)) == len(acknowledged) - PROJECTS
    await store.close()


@pytest.mark.slow
async def test_everything_is_lost_but_the_backup(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        folders = [Path(stack.enter_context(TemporaryDirectory(prefix="tandem-"))) for _ in range(2)]
        old, new = (System(folder) for folder in folders)
        stack.push_async_callback(old.stop)
        await old.start()
        taken, acknowledged, key = await destroyed_under_load(old, tmp_path / "backup.zip")
        copyfile(old.home.secret("seal"), new.home.secret("seal"))  # As the operator does: it is in no backup.
        await old.stop()

        stack.push_async_callback(new.stop)
        told = await brought_up(new, taken.path)
        assert (told.events, told.sealed) == (taken.events, taken.sealed)
        await is_there_once(new, acknowledged)
        await goes_on(new, acknowledged)
        await still_proves(new, told, key, tmp_path)


async def goes_on(system: System, acknowledged: dict[str, dict[str, str]]) -> None:
    """A command sent again is known; new ones are decided, and the lifecycle follows them."""
    started = {key: answer["id"] for key, answer in acknowledged.items() if "id" in answer}
    async with system.person(PMO) as client:
        key, project = next(iter(started.items()))
        body = COMMANDS["StartProject"].example
        again = await client.post("/v1/projects", json=body, headers={"Idempotency-Key": key})
        assert (again.is_success, again.json()["id"]) == (True, project), again.text
        for project in started.values():
            await until(lambda project=project: runs(system, project))  # type: ignore[misc]
            body = {"text": "Afterwards", "evidence": "After the restore"}
            answer = await client.post(f"/v1/projects/{project}/capture-lesson", json=body)
            assert answer.is_success, answer.text
    await everybody_followed(system)


async def runs(system: System, project: str) -> bool:
    """Whether the project's workflow has been started again."""
    found = await temporal(system, "workflow", "list", "--query", f"WorkflowId = 'project-{project}'")
    return any(one["status"] == "WORKFLOW_EXECUTION_STATUS_RUNNING" for one in found or [])


async def still_proves(system: System, told: Restored, key: Key, folder: Path) -> None:
    """The log is sealed on, by the same key; what was sealed before is continued."""
    await sealed(system, told.events + PROJECTS)
    store = await system.store()
    older = [one.note for one in await Tree(store.pool).checkpoints() if one.size <= told.sealed]
    pack = await written(await Packer(store.pool).log(), folder / "log.zip")
    await store.close()
    report = checked(pack, key, older=tuple(older))
    assert (report.code, report.findings) == (VALID, [])
    assert report.events > told.events
