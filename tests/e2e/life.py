"""A project played over HTTP by its people, on a system of real processes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx2

from dev.embedded import temporal_program
from domain.decider import COMMANDS
from domain.messages import Command
from tests.e2e.system import System

SPONSOR, PMO, PRODUCT, MEMBER, AUDITOR = "sun.lei", "pei.min", "pan.mei", "tao.yun", "an.jing"
SIGNERS = (PMO, PRODUCT, SPONSOR)
PATIENCE = 30.0
"""Seconds that the lifecycle gets for what it does by itself."""


async def until(true: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Wait until it is so. Raises TimeoutError where it takes longer."""
    async with asyncio.timeout(seconds):
        # What is waited for happens in other processes, which cannot set an event of ours.
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def temporal(system: System, *words: str) -> Any:
    """What the `temporal` program answers, as parsed JSON; None where it answers nothing."""
    command = [str(temporal_program()), *words, "--address", system.temporal.address, "--output", "json"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out) if out.strip() else None


async def everybody_followed(system: System) -> None:
    """Wait until every project's workflow has acted on every fact."""
    store = await system.store()
    try:

        async def caught_up() -> bool:
            return not await store.lagging(1)

        await until(caught_up)
    finally:
        await store.close()


class Life:
    """One project. Commands must succeed unless asked otherwise."""

    def __init__(self, system: System, client: httpx2.AsyncClient, project: str = "") -> None:
        self.system = system
        self.client = client
        self.project = project

    @property
    def workflow(self) -> str:
        return f"project-{self.project}"

    async def ask(self, person: str, command: type[Command], data: dict[str, Any], **headers: str) -> httpx2.Response:
        """Send a command; refusals come back as they are."""
        return await self.post(person, command.route() if self.project else "", data, **headers)

    async def signed(self, person: str, command: str, key: str, data: dict[str, Any]) -> dict[str, Any]:
        """The same command as an envelope, to be sent as a signal."""
        path = f"{COMMANDS[command].route()}?sign=only"
        answer = await self.post(person, path, data, **{"Idempotency-Key": key})
        assert answer.is_success, answer.text
        envelope: dict[str, Any] = answer.json()
        assert (envelope["workflow_id"], envelope["signal"]) == (self.workflow, "submit")
        return dict(envelope["input"])

    async def post(self, person: str, below: str, data: dict[str, Any], **headers: str) -> httpx2.Response:
        path = f"/v1/projects/{self.project}/{below}" if below else "/v1/projects"
        return await self.client.post(path, json=data, headers={"Authorization": f"Bearer dev:{person}", **headers})

    async def do(self, person: str, command: str, key: str = "", **data: Any) -> dict[str, Any]:
        """A command, with its example's data where none is given."""
        kind = COMMANDS[command]
        answer = await self.ask(person, kind, data or kind.example, **{"Idempotency-Key": key or str(uuid4())})
        assert answer.is_success, f"{command} by {person}: {answer.text}"
        outcome: dict[str, Any] = answer.json()
        return outcome

    async def refused(self, person: str, command: str, **data: Any) -> dict[str, Any]:
        """A command that the rules must refuse; the problem."""
        answer = await self.ask(person, COMMANDS[command], data)
        assert answer.is_client_error, answer.text
        problem: dict[str, Any] = answer.json()
        return problem

    async def get(self, path: str = "", person: str = AUDITOR, **query: Any) -> dict[str, Any]:
        """What the auditor reads of this project."""
        headers = {"Authorization": f"Bearer dev:{person}"}
        answer = await self.client.get(f"/v1/projects/{self.project}{path}", params=query, headers=headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def events(self, *types: str) -> list[dict[str, Any]]:
        """The facts of these types, or all."""
        found = (await self.get("/events", limit=200))["items"]
        return [event for event in found if not types or event["type"] in types]

    async def recorded(self, event: str, times: int = 1) -> None:
        """Wait until the lifecycle has recorded this so many times."""

        async def there() -> bool:
            return len(await self.events(event)) >= times

        await until(there)

    async def begun(self) -> None:
        """Wait until the workflow has invited the stage's people and started its clock."""

        async def there() -> bool:
            life = (await self.get())["lifecycle"]
            return bool(life["invited_visit"] == life["clocked_visit"] == life["visit"])

        await until(there)

    async def ballot(self, kind: str) -> dict[str, Any]:
        """A vote for exactly what the open decision of this kind is about."""
        decisions = (await self.get())["decisions"]
        decision = next(d for d in decisions if d["kind"] == kind and d["open"])
        subject = decision["subject"]
        exact = {"revision": subject["revision"], "content_hash": subject["content_hash"]}
        return {"decision": decision["id"], "value": "APPROVE", **exact}

    async def sign(self, kind: str, *people: str) -> dict[str, Any]:
        """These people approve; the last answer."""
        ballot, outcome = await self.ballot(kind), {}
        for person in people:
            outcome = await self.do(person, "Vote", **ballot)
        return outcome

    # The stages

    async def start(self) -> None:
        self.project = (await self.do(PMO, "StartProject"))["id"]

    async def through_kickoff(self) -> None:
        await self.do(PMO, "DraftCharter")
        await self.do(PMO, "ProposeCharter", revision=1)
        assert (await self.sign("CHARTER", *SIGNERS))["stage"] == "KPI_AGREEMENT"

    async def through_agreement(self) -> None:
        await self.do(PRODUCT, "ProposeAgreement")
        assert (await self.sign("AGREEMENT", PMO, PRODUCT))["stage"] == "EXECUTION"

    async def baseline(self) -> None:
        await self.do(PMO, "ProposePlan")
        await self.sign("BASELINE", PMO, PRODUCT)

    async def through_execution(self) -> None:
        await self.do(PMO, "ProposeCompletion")
        assert (await self.sign("COMPLETION", PMO, PRODUCT))["stage"] == "CHANGE_REVIEW"

    async def through_review(self) -> None:
        await self.do(PMO, "ProposeAcceptance")
        assert (await self.sign("ACCEPTANCE", *SIGNERS))["stage"] == "RETROSPECTIVE"

    async def through_retrospective(self) -> None:
        for person in (PMO, PRODUCT):
            await self.do(person, "SubmitEvaluation")
        await self.do(PMO, "CaptureLesson")
        await self.do(PRODUCT, "ValidateLesson", lesson="L-1")
        await self.do(PMO, "ProposeClosing")
        await self.sign("CLOSING", *SIGNERS)

    async def to_execution(self) -> None:
        await self.start()
        await self.through_kickoff()
        await self.through_agreement()
        await self.baseline()

    async def to_the_end(self) -> None:
        """From execution on, until the lifecycle has closed the project and its workflow."""
        await self.through_execution()
        await self.through_review()
        await self.through_retrospective()
        await self.closed("completed")

    async def closed(self, ending: str) -> None:
        """Wait until the project and its workflow have ended."""

        async def there() -> bool:
            return bool((await self.get())["ended"])

        await until(there)
        assert (await self.get())["lifecycle"]["ending"] == ending
        await until(self.completed)

    async def completed(self) -> bool:
        return str((await self.described())["status"]) == "WORKFLOW_EXECUTION_STATUS_COMPLETED"

    async def described(self) -> dict[str, Any]:
        """What Temporal knows of the workflow's latest run."""
        found = await temporal(self.system, "workflow", "describe", "--workflow-id", self.workflow)
        info: dict[str, Any] = found["workflowExecutionInfo"]
        return info

    async def signal_submit(self, submission: dict[str, Any]) -> None:
        """Send a command as a signal, as an operator would from a terminal: again where Temporal says "busy"."""
        words = ("--workflow-id", self.workflow, "--name", "submit", "--input", json.dumps(submission))

        async def sent() -> bool:
            try:
                await temporal(self.system, "workflow", "signal", *words)
            except AssertionError as failed:
                if "Workflow is busy" in str(failed):
                    return False
                raise
            return True

        await until(sent)
