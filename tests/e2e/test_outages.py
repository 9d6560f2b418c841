"""What stops, is lost, is doubled or is replaced, and comes back: people go on, and nothing is missed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.e2e.life import PMO, Life, everybody_followed, temporal, until
from tests.e2e.system import QUEUE, System, pid_of, running

pytestmark = pytest.mark.slow
MANY = 5


@asynccontextmanager
async def lives(system: System, number: int = MANY) -> AsyncIterator[list[Life]]:
    """So many fresh projects, their workflows under way."""
    async with system.person(PMO) as client:
        made = [Life(system, client) for _ in range(number)]
        await asyncio.gather(*(life.start() for life in made))
        await asyncio.gather(*(life.begun() for life in made))
        yield made


async def nudged(life: Life, times: int) -> None:
    """So many commands, each acknowledged."""
    for _ in range(times):
        await life.do(PMO, "CaptureLesson")


async def test_people_go_on_while_temporal_is_stopped_and_the_lifecycle_catches_up(fragile: System) -> None:
    async with lives(fragile, 2) as (going, fresh_before):
        await fragile.temporal.stop()
        begun_without = Life(fragile, going.client)
        await begun_without.start()
        await going.through_kickoff()
        await going.through_agreement()
        await fresh_before.do(PMO, "DraftCharter")
        assert {e["data"]["stage"] for e in await going.events("PeopleInvited")} == {"KICKOFF"}
        assert not await begun_without.events("PeopleInvited")
        await fragile.temporal.start()
        for life in (going, begun_without, fresh_before):
            await life.begun()
        await going.recorded("CheckInScheduled")
        assert (await going.events("PeopleInvited"))[-1]["data"]["stage"] == "EXECUTION"
        await everybody_followed(fragile)
        await told(fragile, going, "AgreementActivated")


async def told(system: System, life: Life, kind: str) -> None:
    """Wait until messages of this kind have reached people's inboxes."""
    store = await system.store()
    try:

        async def there() -> bool:
            sql = "SELECT count(*) FROM tandem.message WHERE project_id = $1 AND kind = $2"
            return bool(await store.pool.fetchval(sql, life.project, kind))

        await until(there)
    finally:
        await store.close()


async def test_every_project_goes_on_after_temporal_lost_its_database(fragile: System) -> None:
    async with lives(fragile) as projects:
        before = [(await life.described())["execution"]["runId"] for life in projects]
        await fragile.temporal.stop()
        for file in fragile.temporal.folder.glob("temporal-*.db*"):
            file.unlink()
        await fragile.temporal.start()
        asleep, going = projects[:-1], projects[-1]

        async def running_again() -> bool:
            found = await temporal(fragile, "workflow", "list", "--query", "ExecutionStatus = 'Running'")
            return {life.workflow for life in projects} <= {item["execution"]["workflowId"] for item in found or []}

        await until(running_again, 45)
        after = [(await life.described())["execution"]["runId"] for life in projects]
        assert not set(before) & set(after)
        assert [len(await life.events("PeopleInvited")) for life in asleep] == [1] * len(asleep)
        await going.through_kickoff()
        await going.through_agreement()
        await going.baseline()
        await going.to_the_end()


async def test_a_worker_that_is_asked_to_stop_under_load_loses_nothing(fragile: System) -> None:
    async with lives(fragile) as projects:
        over = asyncio.Event()
        load = [asyncio.create_task(busy(life, over)) for life in projects]
        await asyncio.sleep(0.5)
        await fragile.worker.stop()
        assert fragile.exit_code_of_worker() == 0, "it was killed, or fell over"
        over.set()
        captured = await asyncio.gather(*load)
        await fragile.worker.start()
        await everybody_followed(fragile)
        for life, times in zip(projects, captured, strict=True):
            assert len(await life.events("LessonCaptured")) == times > 1
            assert not (await cut_off(life))


async def busy(life: Life, over: asyncio.Event) -> int:
    """A command after the other; how many were acknowledged. A page of events holds them all."""
    times = 0
    while not over.is_set() and times < 150:
        await life.do(PMO, "CaptureLesson")
        await asyncio.sleep(0.03)
        times += 1
    return times


async def cut_off(life: Life) -> list[str]:
    """Steps that failed or ran out of time. (A task that waited in vain for the worker that is gone is none.)"""
    shown = await temporal(life.system, "workflow", "show", "--workflow-id", life.workflow)
    bad = {f"EVENT_TYPE_{end}" for end in ("ACTIVITY_TASK_FAILED", "ACTIVITY_TASK_TIMED_OUT", "WORKFLOW_TASK_FAILED")}
    return [event["eventType"] for event in shown["events"] if event["eventType"] in bad]


async def test_two_workers_at_once_act_once(fragile: System) -> None:
    second = fragile.another_worker("second")
    await second.start()

    async def both_ask_for_work() -> bool:
        found = await temporal(fragile, "task-queue", "describe", "--task-queue", QUEUE)
        asking = {str(poller["identity"]).partition("@")[0] for poller in found["pollers"]}
        return {str(pid_of(fragile.worker)), str(pid_of(second))} <= asking

    try:
        await until(both_ask_for_work)
        async with lives(fragile) as projects:
            await asyncio.gather(*(nudged(life, 10) for life in projects))
            await everybody_followed(fragile)
            for life in projects:
                assert len(await life.events("PeopleInvited")) == len(await life.events("StageClockStarted")) == 1
    finally:
        await second.stop()


async def test_a_running_project_moves_to_the_newer_build() -> None:
    async with running({"TANDEM_BUILD_ID": "a"}) as system, system.person(PMO) as client:
        await make_current(system, "a")
        life = Life(system, client)
        await life.start()
        await life.begun()
        assert await build_of(life) == "a"
        newer = system.another_worker("newer", TANDEM_BUILD_ID="b")
        await newer.start()
        try:
            await make_current(system, "b")

            async def moved() -> bool:
                # A workflow hears of the new build when it has something to do.
                await life.do(PMO, "CaptureLesson")
                return await build_of(life) == "b"

            await until(moved)
            await system.worker.stop()
            await life.through_kickoff()
            await life.begun()
        finally:
            await newer.stop()


async def make_current(system: System, build: str) -> None:
    """New projects, and those that continue as new, go to this build from now on."""

    async def done() -> bool:
        # The version is known once its worker has asked for work.
        words = ("worker", "deployment", "set-current-version", "--deployment-name", "tandem", "--build-id", build)
        try:
            await temporal(system, *words, "--yes")
        except AssertionError:
            return False
        return True

    await until(done)


async def build_of(life: Life) -> str:
    """The build that the workflow's latest run is pinned to."""
    version = (await life.described()).get("versioningInfo", {}).get("deploymentVersion", {})
    return str(version.get("buildId", ""))
