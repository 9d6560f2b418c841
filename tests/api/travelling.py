"""Long histories in the store, and projects played on a clock of their own, to travel back through."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from activities.decide import Step
from activities.folding import stream_of
from activities.ports import GENESIS, Append, Fact
from domain.canonical import fingerprint
from domain.messages import Actor, Envelope, to_data
from domain.project.aggregate import Project
from store.postgres import PostgresStore
from tests.api.asking import Api
from tests.spec import Play
from tests.store import building


async def stored(store: PostgresStore, play: Play) -> str:
    """The id of a project in the store to which exactly the same has happened."""
    project = str(uuid4())
    facts = facts_of(project, play)
    command = f"all-of-{project}"
    await store.append(Append(stream_of(project), 0, command, fingerprint(command), facts, {}))
    return project


def facts_of(project: str, play: Play) -> list[Fact]:
    """What has happened in the play as the store keeps it."""
    made: list[Fact] = []
    before = Project(project)
    for version, told in enumerate(play.facts, 1):
        made.append(
            building.fact(
                stream_of(project),
                version,
                f"c-{version}",
                made[-1].leaf_hash if made else GENESIS,
                type=type(told.event).__name__,
                schema_version=told.event.schema_version,
                recorded_at=told.happened.at,
                effective_at=told.event.effective(before, told.happened.at),
                metadata={"actor": {"principal": told.happened.by}},
                data=to_data(told.event),
            )
        )
        before = told.after
    return made


@dataclass
class Clock:
    """The only time that steps and pages of a test know."""

    now: datetime = datetime(2026, 3, 2, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Traveller:
    """Plays through the API while time passes, and writes down what the live routes answer at each moment."""

    api: Api
    step: Step
    clock: Clock
    paths: Sequence[tuple[str, str]]
    """Who asks for what; `{id}` is each project in turn."""
    projects: list[str] = field(default_factory=list)
    seen: dict[tuple[datetime, str, str], Any] = field(default_factory=dict)

    async def look(self) -> None:
        """Some time later: what everybody sees now."""
        self.clock.now += timedelta(minutes=1)
        for who, path in self.paths:
            for project in self.projects if "{id}" in path else [""]:
                wanted = path.format(id=project)
                answer = await self.api.get(wanted, who)
                self.seen[self.clock.now, who, wanted] = answer.json()
        self.clock.now += timedelta(hours=5, minutes=7)

    async def system(self, project: str, command: str, **data: Any) -> None:
        """What the lifecycle does."""
        actor = Actor("lifecycle", system=True)
        await self.step.submit(Envelope(str(uuid4()), project, command, actor, self.clock.now, data))
        await self.look()


class Watched(Api):
    """An API after every other of whose commands everybody looks."""

    traveller: Traveller
    done: int = 0

    async def start(self, **headers: str) -> str:
        project = await super().start(**headers)
        self.traveller.projects.append(project)
        await self.traveller.look()
        return project

    async def do(self, project: str, command: str, data: Any, who: str = "pei.min") -> dict[str, Any]:
        done = await super().do(project, command, data, who)
        self.done += 1
        if self.done % 2 == 0:
            await self.traveller.look()
        return done
