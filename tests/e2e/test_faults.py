"""kill -9 of each process in the middle of 200 concurrent commands: nothing acknowledged is lost or doubled."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from activities.folding import Folded, advance, stream_of
from activities.pages import page
from activities.ports import GENESIS, Recorded
from domain.canonical import leaf_hash
from domain.messages import COMMANDS
from domain.project.aggregate import Project
from store.postgres import PostgresStore
from tests.e2e.leaving import DEPUTY, LEAVER, PRODUCT, SECOND, Organisation, eventually
from tests.e2e.system import System

PROJECTS, COMMANDS_EACH = 20, 10
KILL_AFTER = 60
"""Acknowledged commands after which the blow falls."""
PATIENCE = 90.0
PMO = "pei.min"


class Load:
    """Clients that send each command with one key until it is acknowledged."""

    def __init__(self, system: System) -> None:
        self.client = system.person(PMO)
        self.acknowledged: dict[str, str] = {}
        """idempotency key → project."""
        self.enough = asyncio.Event()

    async def started(self) -> list[str]:
        """Fresh projects to send commands to."""
        answers = await asyncio.gather(
            *(self._send("/v1/projects", str(uuid4()), COMMANDS["StartProject"].example) for _ in range(PROJECTS))
        )
        return [answer["id"] for answer in answers]

    async def capture(self, project: str, number: int) -> None:
        """One lesson, acknowledged in the end."""
        key = str(uuid4())
        body = {"text": f"Lesson {number}", "evidence": "Seen under load"}
        await self._send(f"/v1/projects/{project}/capture-lesson", key, body)
        self.acknowledged[key] = project
        if len(self.acknowledged) >= KILL_AFTER:
            self.enough.set()

    async def _send(self, path: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    answer = await self.client.post(path, json=body, headers={"Idempotency-Key": key})
                except httpx2.HTTPError:
                    await asyncio.sleep(0.2)
                    continue
                if answer.is_success:
                    told: dict[str, Any] = answer.json()
                    return told
                assert answer.status_code in {503}, answer.text
                await asyncio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["worker", "server", "temporal", "postgres"])
async def test_kill_9_in_the_middle_of_200_commands(fragile: System, part: str) -> None:
    load = Load(fragile)
    projects = await load.started()
    jobs = [asyncio.create_task(load.capture(p, n)) for n in range(COMMANDS_EACH) for p in projects]
    await load.enough.wait()
    fragile.kill(part)
    await asyncio.sleep(1)
    await fragile.restart(part)
    await asyncio.gather(*jobs)
    assert len(load.acknowledged) == PROJECTS * COMMANDS_EACH
    store = await fragile.store()
    try:
        await every_project_goes_on(store, load, projects)
        await every_acknowledged_command_is_there_once(store, load)
        await the_log_is_whole(store)
        for project in projects:
            await the_page_is_what_a_replay_gives(store, project)
    finally:
        await store.close()


async def every_acknowledged_command_is_there_once(store: PostgresStore, load: Load) -> None:
    for project in set(load.acknowledged.values()):
        facts = await store.read(stream_of(project))
        times = Counter(fact.metadata["command_id"] for fact in facts)
        for key, where in load.acknowledged.items():
            assert where != project or times[key] == 1, key


async def the_log_is_whole(store: PostgresStore) -> None:
    """Positions are dense, versions are dense in each stream, every chain verifies."""
    facts: list[Recorded] = []
    while batch := await store.feed(len(facts) - 1, 1000):
        facts.extend(batch)
    assert [fact.position for fact in facts] == list(range(len(facts)))
    heads: dict[str, tuple[int, bytes]] = {}
    for fact in facts:
        version, prev = heads.get(fact.stream, (0, GENESIS))
        assert (fact.version, fact.prev_hash) == (version + 1, prev)
        attested = {n: getattr(fact, n) for n in Recorded.__dataclass_fields__ if n not in {"leaf_hash", "position"}}
        assert leaf_hash(**attested) == fact.leaf_hash, f"{fact.stream} {fact.version}"
        heads[fact.stream] = (fact.version, fact.leaf_hash)


async def the_page_is_what_a_replay_gives(store: PostgresStore, project: str) -> None:
    replayed = advance(Folded(Project(project)), await store.read(stream_of(project))).project
    wanted = page(Project(project), replayed)
    row = await store.pool.fetchrow("SELECT * FROM tandem.project WHERE id = $1", project)
    assert row is not None
    assert (row["version"], row["stage"], row["next_due"]) == (replayed.version, wanted.stage, wanted.next_due)
    duties = await store.pool.fetch("SELECT person, kind, ref FROM tandem.duty WHERE project_id = $1", project)
    assert {tuple(d) for d in duties} == {(d.person, d.kind, d.ref) for d in wanted.duties or ()}


async def every_project_goes_on(store: PostgresStore, load: Load, projects: list[str]) -> None:
    """One more command each, and the workflow follows."""
    await asyncio.gather(*(load.capture(project, 99) for project in projects))

    async def settled() -> bool:
        rows = await store.pool.fetch("SELECT stream FROM tandem.wake WHERE seen < head")
        begun = await store.pool.fetch("SELECT DISTINCT stream FROM tandem.event WHERE type = 'StageClockStarted'")
        return not rows and {row["stream"] for row in begun} >= {stream_of(p) for p in projects}

    async with asyncio.timeout(PATIENCE):
        # The lifecycle has no event of "nothing more to do" to wait for.
        while not await settled():  # noqa: ASYNC110
            await asyncio.sleep(0.5)


@pytest.mark.slow
async def test_somebody_is_deactivated_and_the_worker_dies_meanwhile(fragile: System) -> None:
    """Each open seat of theirs goes to others or is blocked, people are told, and nothing is recorded again."""
    store = await fragile.store()
    try:
        company = Organisation(fragile, store)
        await company.found()
        covered = [await company.start(deputy=True) for _ in range(4)]
        stuck = [await company.start() for _ in range(4)]
        await company.deactivate(LEAVER)
        fragile.kill("worker")
        await fragile.restart("worker")

        async def everywhere() -> bool:
            return all([await company.left(project) == [LEAVER] for project in covered + stuck])

        async def everybody_told() -> bool:
            passed_on = [DEPUTY in await company.told(project, "HolderLeft") for project in covered]
            return all(passed_on) and all([PMO in await company.told(project, "DecisionBlocked") for project in stuck])

        await eventually(everywhere)
        await eventually(everybody_told)
        for project in covered:
            assert (await company.state(project))["state"] == "OPEN"
            assert await company.waits_for(project) == {PMO, PRODUCT, DEPUTY}
        for project in stuck:
            assert (await company.state(project))["state"] == "BLOCKED"
        await nothing_is_recorded_again(fragile, company, covered + stuck)
    finally:
        await store.close()


async def nothing_is_recorded_again(fragile: System, company: Organisation, projects: list[str]) -> None:
    """A fresh worker has looked at everybody once it has noted somebody else."""
    other = await company.start(sponsor=SECOND)
    fragile.kill("worker")
    await fragile.restart("worker")
    await company.deactivate(SECOND)

    async def looked() -> bool:
        return await company.left(other) == [SECOND]

    await eventually(looked)
    assert [await company.left(project) for project in projects] == [[LEAVER]] * len(projects)
