"""A project played on real servers: PostgreSQL, a Temporal server and a worker; people act at the door."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio import activity
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.decide import Outcome, Step
from activities.engine import Engine
from activities.folding import stream_of
from activities.ports import Recorded
from config import Settings, load_templates
from domain.messages import COMMANDS, Actor, Envelope
from domain.project.aggregate import Project
from domain.project.decision_events import voters_awaited
from domain.template import Policy
from store.postgres import PostgresStore
from tests.envelopes import SIGNER
from tests.vaults import keys_of, vault_of
from worker import build

SPONSOR, PMO, PRODUCT, MEMBER, AUDITOR = "sun.lei", "pei.min", "pan.mei", "tao.yun", "an.jing"
TEMPLATES = load_templates(Path("domain/templates"))


def plain_policy(**changes: Any) -> Policy:
    """The standard template on a calendar without holidays, with some fields changed."""
    standard = TEMPLATES["standard"]
    calendar = standard.calendar.model_copy(update={"region": None, "timezone": "UTC"})
    return standard.model_copy(update={"calendar": calendar, **changes})


@dataclass
class World:
    """One worker, one store, one engine; time is the server's."""

    environment: WorkflowEnvironment
    store: PostgresStore
    queue: str
    policy: Policy = field(default_factory=plain_policy)
    settings: dict[str, Any] = field(default_factory=dict)
    """What the worker is set up with beyond the usual."""
    client: Client = field(init=False)
    engine: Engine = field(init=False)
    step: Step = field(init=False)
    _now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.client = self.environment.client
        self.engine = Engine(self.client, self.queue)
        self.step = self._step()

    def _step(self) -> Step:
        return Step(self.store, {"standard": self.policy}, now=self.now, vault=vault_of(self.store))

    def now(self) -> datetime:
        """The server's time: a step's own when inside one."""
        if activity.in_activity():
            return max(self._now, activity.info().started_time.astimezone(UTC))
        return self._now

    async def do(self, project_id: str, person: str, command: str, **data: Any) -> Outcome:
        """A person's command at the door, and the workflow woken."""
        self._now = (await self.environment.get_current_time()).astimezone(UTC)
        envelope = Envelope(str(uuid4()), project_id, command, Actor(person), self._now, data)
        outcome = await self.step.submit(envelope, code="P-1")
        await self.engine.wake(project_id, outcome.version)
        return outcome

    async def start(self) -> str:
        """A new project; gives its id."""
        project_id = str(uuid4())
        await self.do(project_id, PMO, "StartProject", **COMMANDS["StartProject"].example)
        return project_id

    async def state(self, project_id: str) -> Project:
        return (await self.step.states.current(project_id)).project

    async def events(self, project_id: str, *types: str) -> list[Recorded]:
        """The stored facts of these types, or all."""
        facts = await self.store.read(stream_of(project_id))
        return [f for f in facts if not types or f.type in types]

    async def sign(self, project_id: str, kind: str) -> None:
        """Everybody who is asked approves the open decision of this kind."""
        project = await self.state(project_id)
        decision = next(d for d in project.open_decisions() if d.kind == kind)
        for person in (PMO, PRODUCT, SPONSOR):
            project = await self.state(project_id)
            if not project.decisions[decision.id].is_open:
                return
            if person in project.team.members() and self._is_asked(project, decision.id, person):
                await self.do(
                    project_id,
                    person,
                    "Vote",
                    decision=decision.id,
                    value="APPROVE",
                    revision=decision.subject.revision,
                    content_hash=decision.subject.content_hash,
                )

    @staticmethod
    def _is_asked(project: Project, decision_id: str, person: str) -> bool:
        return person in voters_awaited(project, project.decisions[decision_id])

    async def through_kickoff(self, project_id: str) -> None:
        await self.do(project_id, PMO, "DraftCharter", **COMMANDS["DraftCharter"].example)
        await self.do(project_id, PMO, "ProposeCharter", revision=1)
        await self.sign(project_id, "CHARTER")

    async def through_agreement(self, project_id: str) -> None:
        await self.do(project_id, PRODUCT, "ProposeAgreement", **COMMANDS["ProposeAgreement"].example)
        await self.sign(project_id, "AGREEMENT")

    async def baseline(self, project_id: str) -> None:
        await self.do(project_id, PMO, "ProposePlan", **COMMANDS["ProposePlan"].example)
        await self.sign(project_id, "BASELINE")

    async def through_execution(self, project_id: str) -> None:
        await self.do(project_id, PMO, "ProposeCompletion", **COMMANDS["ProposeCompletion"].example)
        await self.sign(project_id, "COMPLETION")

    async def through_review(self, project_id: str) -> None:
        await self.do(project_id, PMO, "ProposeAcceptance", **COMMANDS["ProposeAcceptance"].example)
        await self.sign(project_id, "ACCEPTANCE")

    async def through_retrospective(self, project_id: str) -> None:
        for person in (PMO, PRODUCT):
            await self.do(project_id, person, "SubmitEvaluation", **COMMANDS["SubmitEvaluation"].example)
        await self.do(project_id, PMO, "CaptureLesson", **COMMANDS["CaptureLesson"].example)
        await self.do(project_id, PRODUCT, "ValidateLesson", lesson="L-1")
        await self.do(project_id, PMO, "ProposeClosing", **COMMANDS["ProposeClosing"].example)
        await self.sign(project_id, "CLOSING")

    async def to_execution(self) -> str:
        """A project in execution with a baseline."""
        project_id = await self.start()
        await self.through_kickoff(project_id)
        await self.through_agreement(project_id)
        await self.baseline(project_id)
        return project_id

    async def until(self, true: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
        """Wait in real time for what the lifecycle does by itself."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await true():
            assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
            await asyncio.sleep(0.05)

    async def recorded(self, project_id: str, event: str, times: int = 1) -> list[Recorded]:
        """Wait until the lifecycle has recorded this event so many times."""

        async def there() -> bool:
            return len(await self.events(project_id, event)) >= times

        await self.until(there)
        return await self.events(project_id, event)

    async def followed(self, project_id: str) -> None:
        """Wait until the workflow has acted on everything."""

        async def caught_up() -> bool:
            stream = stream_of(project_id)
            return await self.store.seen(stream) == (await self.state(project_id)).version

        await self.until(caught_up)

    async def pass_days(self, days: float) -> None:
        """Let the server's time go on."""
        await self.environment.sleep(timedelta(days=days))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """With a worker running."""
        settings = Settings(
            mode="development",
            task_queue=self.queue,
            webhook_private_addresses=True,
            webhook_seconds=1,
            envelope_public_keys=SIGNER.public,
            **self.settings,
        )
        async with build(settings, self.client, self.store, self._step(), keys_of(self.store)):
            yield
