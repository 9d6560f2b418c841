"""Sealing on real servers: woken, asleep, in an outage, refused, and with second places that come and go."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr
from temporalio.api.enums.v1 import EventType
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.engine import SEALING, Engine
from activities.seal import Anchor, SealOrder, SealReport, SealSteps
from activities.seal_wake import SealWake
from config import Settings
from domain.checkpoint import Checkpoint, Note, Signer, origin_of
from domain.merkle import leaf
from store.anchors import FileAnchor
from store.postgres import PostgresStore
from store.tree import Tree
from tests.conftest import Database
from tests.replay.short_sealing import ShortSealing
from tests.store.building import append
from tests.store.test_tree import assert_sound, fill
from worker import sandbox, seal_seed
from workflows.sealing import SealingWorkflow

SEED = bytes(range(32))
LIMIT = 20


class Gate:
    """A second place that is shut until it is opened."""

    place = "gate"
    every = timedelta(0)

    def __init__(self) -> None:
        self.open = False
        self.kept: list[str] = []
        self.tried = 0

    async def last(self, origin: str) -> Note | None:
        return Note.parse(self.kept[-1]) if self.kept else None

    async def keep(self, notes: Sequence[str]) -> None:
        self.tried += 1
        if not self.open:
            raise OSError("shut")
        self.kept += notes


class Ground:
    """A log, and what its owner can do to it."""

    def __init__(self, store: PostgresStore, database: Database) -> None:
        self.store = store
        self.tree = Tree(store.pool)
        self.database = database

    async def events(self, count: int = 1) -> int:
        """So many more events; gives how many there are now."""
        await fill(self.database, [leaf(uuid4().bytes) for _ in range(count)])
        return await self.tree.head()

    async def sealed(self, size: int) -> None:
        await until(self.tree.sealed_size, size)

    async def owner(self, *statements: str) -> None:
        """What only the owner of the database can do, triggers off."""
        connection = await asyncpg.connect(self.database.admin)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()


class Site(Ground):
    """A worker that seals, and who wakes it."""

    def __init__(self, environment: WorkflowEnvironment, store: PostgresStore, database: Database) -> None:
        super().__init__(store, database)
        self.environment = environment
        self.client = environment.client
        self.queue = f"queue-{uuid4()}"
        self.engine = Engine(self.client, self.queue)

    @asynccontextmanager
    async def working(
        self, anchors: Sequence[Anchor] = (), workflow: type = SealingWorkflow
    ) -> AsyncIterator[SealSteps]:
        steps = SealSteps(self.tree, SEED, anchors)
        worker = Worker(
            self.client,
            task_queue=self.queue,
            workflows=[workflow],
            activities=[steps.seal, steps.anchor],
            workflow_runner=sandbox(),
        )
        async with worker:
            yield steps

    async def history(self) -> list[str]:
        """The kinds of the events of the present run."""
        history = await self.client.get_workflow_handle(SEALING).fetch_history()
        return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events]


async def until(ask: Callable[[], Any], wanted: Any, seconds: float = LIMIT) -> None:
    """Wait in real time until the answer is the wanted one."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (found := await ask()) != wanted:
        assert asyncio.get_running_loop().time() < deadline, f"{found} did not become {wanted}"
        await asyncio.sleep(0.03)


@pytest.fixture
def ground(store: PostgresStore, database: Database) -> Ground:
    return Ground(store, database)


@pytest.fixture
def site(skipping: WorkflowEnvironment, store: PostgresStore, database: Database) -> Site:
    return Site(skipping, store, database)


async def test_it_seals_when_woken_and_sleeps_without_timers(site: Site) -> None:
    async with site.working():
        for count in (1, 300, 7):
            size = await site.events(count)
            await site.engine.wake_sealing(size)
            await site.sealed(size)
        await site.engine.wake_sealing(5)
        await site.environment.sleep(timedelta(days=3))
        assert [point.size for point in await assert_sound(site.tree)] == [1, 301, 308]
        history = await site.history()
    assert "TIMER_STARTED" not in history
    assert history.count("ACTIVITY_TASK_SCHEDULED") == 3


async def test_a_whole_backlog_is_sealed_by_one_wake(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.seal.MOST", 100)
    async with site.working():
        await site.engine.wake_sealing(await site.events(1050))
        await site.sealed(1050)
        assert len(await assert_sound(site.tree)) == 11


async def test_the_listener_wakes_it_soon_after_a_commit(site: Site) -> None:
    await site.store.append(append("p1"))
    listening = asyncio.create_task(SealWake(site.store, site.tree, site.engine).run())
    try:
        async with site.working():
            await site.sealed(1)
            await site.store.append(append("p2", facts=3))
            started = asyncio.get_running_loop().time()
            await site.sealed(4)
            assert asyncio.get_running_loop().time() - started < 5
            signals = (await site.history()).count("WORKFLOW_EXECUTION_SIGNALED")
            await asyncio.sleep(1.5)
            assert (await site.history()).count("WORKFLOW_EXECUTION_SIGNALED") == signals == 2
    finally:
        listening.cancel()


async def test_a_wake_that_nobody_took_is_made_good(site: Site) -> None:
    """The workflow is stopped by hand; the next events start it again."""
    async with site.working():
        await site.engine.wake_sealing(await site.events(2))
        await site.sealed(2)
        await site.client.get_workflow_handle(SEALING).terminate()
        await site.engine.wake_sealing(await site.events(2))
        await site.sealed(4)


async def test_without_a_key_nothing_is_sealed_and_it_is_said(site: Site) -> None:
    steps = SealSteps(site.tree)
    await site.events()
    with pytest.raises(ApplicationError) as missing:
        await steps.seal(SealOrder())
    assert missing.value.type == "NoSealKey"
    assert (await site.tree.health()).state == "no_key"
    async with site.working():
        await site.engine.wake_sealing(1)
        await site.sealed(1)
    assert (await site.tree.health()).state == "sealing"


# Never a checkpoint that contradicts an earlier one


async def refusal(steps: SealSteps, order: SealOrder | None = None) -> str:
    with pytest.raises(ApplicationError) as refused:
        await steps.seal(order or SealOrder())
    assert refused.value.type == "SealRefused"
    assert refused.value.non_retryable
    return str(refused.value)


CUT = (
    "ALTER TABLE tandem.checkpoint DISABLE TRIGGER ALL",
    "ALTER TABLE tandem.tile DISABLE TRIGGER ALL",
    "ALTER TABLE tandem.event DISABLE TRIGGER ALL",
)


def cut(size: int) -> tuple[str, ...]:
    """An older copy of the database: fewer events, and no checkpoint over more."""
    return (
        *CUT,
        f"DELETE FROM tandem.checkpoint WHERE size > {size}",
        f"DELETE FROM tandem.tile WHERE (number + 1) << (8 * (level + 1)) > {size}",
        f"DELETE FROM tandem.event WHERE position >= {size}",
        f"UPDATE tandem.log_head SET next_position = {size}",
    )


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE tandem.event SET leaf_hash = decode(repeat('ab', 32), 'hex') WHERE position = 300",
        "UPDATE tandem.tile SET root = decode(repeat('ab', 32), 'hex') WHERE number = 0",
        "DELETE FROM tandem.tile WHERE number = 0",
        "DELETE FROM tandem.event WHERE position = 300",
        "UPDATE tandem.checkpoint SET root = decode(repeat('ab', 32), 'hex')",
        "UPDATE tandem.checkpoint SET note = replace(note, '301', '300')",
        "UPDATE tandem.checkpoint SET note = ''",
        "UPDATE tandem.event SET position = 400 WHERE position = 301",
    ],
)
async def test_a_rewritten_database_is_not_sealed_over(ground: Ground, forgery: str) -> None:
    steps = SealSteps(ground.tree, SEED)
    await ground.events(301)
    await steps.seal(SealOrder())
    await ground.events(5)
    await ground.owner(*CUT, forgery)
    await refusal(steps)
    health = await ground.tree.health()
    assert (health.state, health.sealed) == ("refused", 301)
    assert health.detail


@pytest.mark.parametrize("regrown", [0, 50, 110, 200])
@pytest.mark.parametrize("memory", ["workflow", "file"])
async def test_a_restored_database_is_not_sealed_over(
    ground: Ground, memory: str, regrown: int, tmp_path: Path
) -> None:
    """Whatever grew since the copy: as long as one place remembers, nothing is signed."""
    anchor = FileAnchor(tmp_path / "checkpoints")
    steps = SealSteps(ground.tree, SEED, [anchor] if memory == "file" else [])
    await ground.events(290)
    await steps.seal(SealOrder())
    await ground.events(110)
    report = await steps.seal(SealOrder())
    await anchor.keep([report.note])
    await ground.owner(*cut(290))
    if regrown:
        await ground.events(regrown)
    order = SealOrder(size=report.size, note=report.note) if memory == "workflow" else SealOrder()
    words = await refusal(steps, order)
    assert ("the sealing workflow" if memory == "workflow" else "the anchor file") in words
    assert ("restored" if regrown < 110 else "another root") in words
    assert await ground.tree.sealed_size() == 290


async def test_a_database_that_got_everything_back_is_sealed_on(ground: Ground) -> None:
    """Only the checkpoints were lost: the events are those that were signed."""
    steps = SealSteps(ground.tree, SEED)
    await ground.events(290)
    report = await steps.seal(SealOrder())
    await ground.owner(*CUT, "DELETE FROM tandem.checkpoint", "DELETE FROM tandem.tile")
    await ground.events(10)
    again = await steps.seal(SealOrder(size=report.size, note=report.note))
    assert again.size == 300
    await assert_sound(ground.tree)


async def test_the_workflow_goes_on_once_the_right_database_is_back(site: Site) -> None:
    async with site.working():
        await site.engine.wake_sealing(await site.events(10))
        await site.sealed(10)
        await site.owner(*CUT, "UPDATE tandem.log_head SET next_position = 9")
        await site.owner(
            "CREATE TABLE tandem.aside AS SELECT * FROM tandem.checkpoint", "DELETE FROM tandem.checkpoint"
        )
        await site.engine.wake_sealing(11)

        async def state() -> str:
            return (await site.tree.health()).state

        await until(state, "refused")
        await site.owner(
            "INSERT INTO tandem.checkpoint SELECT * FROM tandem.aside",
            "UPDATE tandem.log_head SET next_position = 10",
        )
        await site.engine.wake_sealing(await site.events(3))
        await site.sealed(13)
        assert await state() == "sealing"
        await assert_sound(site.tree)


async def test_another_log_in_its_place_is_a_log_of_its_own(ground: Ground) -> None:
    """A fresh database has another name: what is remembered is of another log."""
    other = Signer(origin_of(str(uuid4())), SEED)
    point = Checkpoint(other.name, 5000, bytes(32))
    note = str(Note(point, (other.sign(point),)))
    await ground.events(3)
    assert (await SealSteps(ground.tree, SEED).seal(SealOrder(size=5000, note=note))).size == 3


# Second places


async def test_a_second_place_that_is_away_holds_nothing_up_and_lacks_nothing_later(site: Site) -> None:
    gate = Gate()
    async with site.working([gate]):
        for _ in range(3):
            size = await site.events()
            await site.engine.wake_sealing(size)
            await site.sealed(size)
        assert gate.kept == []
        assert gate.tried
        gate.open = True
        await site.environment.sleep(timedelta(minutes=6))
        await until(lambda: site.tree.places(), {"gate": 3})
        assert gate.kept == [point.note for point in await site.tree.checkpoints()]


async def test_a_place_that_wants_few_gets_the_last_one_in_the_end(site: Site) -> None:
    gate = Gate()
    gate.open, gate.every = True, timedelta(seconds=1.5)
    async with site.working([gate]):
        for size in (1, 2, 3):
            await site.engine.wake_sealing(await site.events())
            await site.sealed(size)
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.6)
        await site.environment.sleep(timedelta(seconds=2))
        await until(lambda: site.tree.places(), {"gate": 3})
    assert gate.tried < 3


async def test_a_long_run_continues_and_remembers(site: Site) -> None:
    handle = site.client.get_workflow_handle(SEALING)
    async with site.working([Gate()], ShortSealing):
        for size in range(1, 10):
            await site.engine.wake_sealing(await site.events())
            await site.sealed(size)
        history = await handle.fetch_history()
        started = history.events[0].workflow_execution_started_event_attributes
        assert started.continued_execution_run_id
        (remembered,) = await pydantic_data_converter.decode([*started.input.payloads], [SealOrder])
        points = {point.size: point.note for point in await assert_sound(site.tree)}
        assert points[remembered.size] == remembered.note


def test_the_key_is_read_from_settings_or_a_file_and_a_bad_one_stops_nobody(tmp_path: Path) -> None:
    written = b64encode(SEED).decode()
    file = tmp_path / "seal.key"
    assert seal_seed(Settings(seal_key=SecretStr(written))) == SEED
    assert seal_seed(Settings(seal_key_file=file)) is None
    file.write_text(written + "\n")
    assert seal_seed(Settings(seal_key_file=file)) == SEED
    file.write_bytes(b"\xff\xfe")
    assert seal_seed(Settings(seal_key_file=file)) is None
    assert seal_seed(Settings(seal_key=SecretStr("short"))) is None
    assert seal_seed(Settings()) is None


def test_a_report_is_what_the_next_order_is_made_of() -> None:
    assert set(SealOrder.model_fields) <= set(SealReport.model_fields)
