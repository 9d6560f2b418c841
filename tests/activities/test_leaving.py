"""Deactivating somebody reaches every project, on the real store: once, whatever is repeated, raced or missed."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from activities.decide import Step
from activities.folding import stream_of
from activities.indexing import Indexer
from activities.keeping import Keeping
from activities.leaving import Leaving
from activities.roster import StoredRoster
from domain.directory.importing import ImportPeople, ImportRow
from domain.directory.people import DeactivatePerson, FoundDirectory, ReactivatePerson
from domain.directory.record import STREAM, OrganisationRole
from domain.keeping.record import KeepingCommand
from domain.messages import COMMANDS, Actor, Envelope
from domain.project.decision import State
from projections import duties
from projections.leaving import KeptTraces
from store.postgres import PostgresStore
from store.searching import Indexes
from tests.vaults import vault_of
from tests.workflows.world import MEMBER, PMO, PRODUCT, SPONSOR, plain_policy

ROOT, OFFICER, DEPUTY = "root.admin", "wu.di", "zhao.min"


@dataclass
class Woken:
    """The projects that were woken; the engine is away where `away`."""

    projects: list[str] = field(default_factory=list)
    away: bool = False
    first: asyncio.Event = field(default_factory=asyncio.Event)

    async def wake(self, project_id: str, version: int) -> None:
        if self.away:
            raise OSError("the engine is away")
        self.projects.append(project_id)
        self.first.set()


class Site:
    """A store with a directory and what leads there; `another` is a process that has just started."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.step = Step(store, {"standard": plain_policy()}, vault=vault_of(store))
        self.keeping = Keeping(store)
        self.woken = Woken()
        self.leaving = self.another()

    def another(self, every: float = 3.0) -> Leaving:
        return Leaving(KeptTraces(self.store.pool), self.store, StoredRoster(self.store), self.step, self.woken, every)

    async def look(self, leaving: Leaving | None = None) -> int:
        await Indexer(Indexes(self.store.pool), self.store).catch_up()
        return await (leaving or self.leaving).once()

    async def directory(self, command: KeepingCommand) -> None:
        await self.keeping.submit(STREAM, command, Actor(ROOT), str(uuid4()))

    async def leave(self, person: str) -> None:
        await self.directory(DeactivatePerson(person=person, basis="left the organisation"))

    async def back(self, person: str) -> None:
        await self.directory(ReactivatePerson(person=person))

    async def do(self, project: str, command: str, by: str = PMO, **data: Any) -> None:
        envelope = Envelope(str(uuid4()), project, command, Actor(by), datetime.now(UTC), data)
        await self.step.submit(envelope, project)

    async def start(self) -> str:
        """A project with its charter open for signature."""
        project = str(uuid4())
        await self.do(project, "StartProject", **COMMANDS["StartProject"].example)
        await self.do(project, "DraftCharter", **COMMANDS["DraftCharter"].example)
        await self.do(project, "ProposeCharter", revision=1)
        return project

    async def events(self, project: str, *types: str) -> list[str]:
        kinds = types or ("HolderLeft", "HolderReturned")
        return [fact.type for fact in await self.store.read(stream_of(project)) if fact.type in kinds]

    async def state(self, project: str) -> State:
        return (await self.step.states.current(project)).project.decisions["D-1"].state


@pytest.fixture
async def site(store: PostgresStore) -> Site:
    made = Site(store)
    await made.directory(FoundDirectory())
    officer = ImportRow(person=OFFICER, role=OrganisationRole.PMO)
    others = (ImportRow(person=person) for person in (SPONSOR, PMO, PRODUCT, MEMBER, DEPUTY))
    await made.directory(ImportPeople(rows=(officer, *others)))
    return made


async def test_somebody_who_leaves_leaves_every_project_once(site: Site) -> None:
    projects = [await site.start() for _ in range(3)]
    assert await site.look() == 0
    await site.leave(SPONSOR)
    assert await site.look() == 3
    assert await site.look() == await site.look(site.another()) == 0
    for project in projects:
        assert await site.events(project) == ["HolderLeft"]
        assert await site.state(project) is State.BLOCKED
        assert (PMO, "hand-on", SPONSOR, None) in await duties.of_project(site.store.pool, project)
    assert sorted(site.woken.projects) == sorted(projects)
    [cause] = [fact for fact in await site.store.read(STREAM) if fact.type == "PersonDeactivated"]
    noted = (await site.store.read(stream_of(projects[0])))[-1]
    assert noted.metadata["causation_id"] == str(cause.event_id)
    assert noted.metadata["correlation_id"] == cause.metadata["correlation_id"]


async def test_whoever_is_back_returns_and_can_leave_again(site: Site) -> None:
    project = await site.start()
    await site.leave(SPONSOR)
    await site.back(SPONSOR)
    assert await site.look() == 0, "unseen in between"
    for times in (1, 2):
        await site.leave(SPONSOR)
        assert await site.look() == 1
        await site.back(SPONSOR)
        assert await site.look() == 1
        assert await site.look() == 0
        assert await site.events(project) == ["HolderLeft", "HolderReturned"] * times
    assert await site.state(project) is State.OPEN


async def test_a_left_person_named_later_leaves_as_well(site: Site) -> None:
    await site.leave(DEPUTY)
    project = await site.start()
    assert await site.look() == 0
    await site.do(project, "AssignRole", person=DEPUTY, role="SPONSOR", reason="Deputy")
    assert await site.look() == 1, "also while it waits for a second person"
    late = await site.start()
    await site.do(late, "AssignRole", person=DEPUTY, role="MEMBER", reason="Joins")
    assert await site.look(site.another()) == 1


async def test_where_nobody_is_left_to_repair_the_officers_are_told(site: Site) -> None:
    project = await site.start()
    for person in (SPONSOR, PMO, PRODUCT):
        await site.leave(person)
    assert await site.look() == 3
    facts = await site.store.read(stream_of(project))
    assert [f.data["officers"] for f in facts if f.type == "OfficersCalled"] == [[OFFICER]] * 2
    assert await site.state(project) is State.BLOCKED


async def test_two_at_once_record_once(site: Site) -> None:
    """And need no engine for it."""
    projects = [await site.start() for _ in range(3)]
    site.woken.away = True
    await site.leave(SPONSOR)
    await asyncio.gather(*(site.look(site.another()) for _ in range(3)))
    assert [await site.events(project) for project in projects] == [["HolderLeft"]] * 3


async def test_one_that_died_half_way_is_gone_on_with(site: Site) -> None:
    projects = [await site.start() for _ in range(3)]
    await site.leave(SPONSOR)
    doomed = asyncio.create_task(site.look(site.another()))
    await site.woken.first.wait()
    doomed.cancel()
    with suppress(asyncio.CancelledError):
        await doomed
    await site.look(site.another())
    assert [await site.events(project) for project in projects] == [["HolderLeft"]] * 3


async def test_the_leader_looks_by_itself(site: Site) -> None:
    project = await site.start()
    jobs = [asyncio.create_task(site.another(every=0.05).run(site.store)) for _ in range(2)]
    await site.leave(SPONSOR)
    async with asyncio.timeout(10):
        await site.woken.first.wait()
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    assert await site.events(project) == ["HolderLeft"]
