"""What people do meanwhile: projects that go from kickoff into execution, with questions, nudges and changes."""

import asyncio
import json
import time
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import uuid4

import httpx2

from domain.decider import COMMANDS
from tests.e2e.system import System

AT_ONCE = 20
PATIENCE = 60.0
BUSY = frozenset({429, 503})
PARTS = {"sponsor": "sun.lei", "pmo": "pei.min", "product": "pan.mei", "member": "tao.yun", "auditor": "an.jing"}
"""The names that stand in commands' examples."""


class Asking:
    """Sends commands, some at once, each with one key until it is acknowledged."""

    def __init__(self, system: System) -> None:
        self._client = httpx2.AsyncClient(base_url=system.url, timeout=30)
        self._room = asyncio.Semaphore(AT_ONCE)
        self.acknowledged = 0

    async def close(self) -> None:
        await self._client.aclose()

    async def do(self, person: str, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
        """A command that must succeed."""
        headers = {"Authorization": f"Bearer dev:{person}", "Idempotency-Key": str(uuid4())}
        async with self._room, asyncio.timeout(PATIENCE):
            while True:
                answer = await self._client.request(method, path, json=body, headers=headers)
                if answer.status_code not in BUSY:
                    break
                await asyncio.sleep(0.2)
        assert answer.is_success, f"{person} {path}: {answer.text}"
        self.acknowledged += 1
        return dict(answer.json())

    async def read(self, person: str, path: str) -> dict[str, Any]:
        async with self._room:
            answer = await self._client.get(path, headers={"Authorization": f"Bearer dev:{person}"})
        assert answer.is_success, f"{person} {path}: {answer.text}"
        return dict(answer.json())


@dataclass
class Play:
    """One project. `pace` are the seconds between two commands, on average; after `ends` nothing new is begun."""

    asking: Asking
    template: str
    people: dict[str, str]
    """Part → person."""
    pace: float
    ends: float
    lingers: bool
    """Whether the charter stays open until the end: what is reminded of has to wait for somebody."""
    chance: Random
    project: str = ""

    async def whole(self) -> None:
        """From kickoff as far as time allows."""
        await asyncio.sleep(self.chance.uniform(0, 2 * self.pace))
        await self._kick_off()
        if not self.lingers:
            await self._sign("CHARTER", "pmo", "product", "sponsor")
            await self._propose("product", "ProposeAgreement", "AGREEMENT")
            await self._sign("AGREEMENT", "pmo", "product")
            await self._propose("pmo", "ProposePlan", "BASELINE")
            await self._sign("BASELINE", "pmo", "product")
        while time.monotonic() < self.ends:
            await self._discuss("CHARTER") if self.lingers else await self._change()

    async def _kick_off(self) -> None:
        example = self._own(COMMANDS["StartProject"].example)
        started = await self.asking.do(self.people["pmo"], "/v1/projects", example | {"template": self.template})
        self.project = started["id"]
        await self._do("pmo", "DraftCharter")
        await self._propose("pmo", "ProposeCharter", "CHARTER")
        await self._discuss("CHARTER")

    async def _propose(self, part: str, command: str, kind: str) -> None:
        await self._do(part, command)
        decision = await self._open(kind)
        await self._do(part, "NudgeApprovers", decision=decision["id"])

    async def _discuss(self, kind: str) -> None:
        """An opinion is asked for and given."""
        decision = await self._open(kind)
        asked = {"decision": decision["id"], "person": self.people["member"], "question": "Can we test this in time?"}
        await self._do("pmo", "Consult", **asked)
        waiting = (await self._open(kind))["questions"][-1]
        given = {"decision": decision["id"], "question": waiting["id"], "answer": "With one more tester."}
        await self._do("member", "AnswerConsult", **given)

    async def _change(self) -> None:
        """Somebody asks for a change and thinks better of it."""
        asked = COMMANDS["SubmitChange"].example | {"title": f"Change of {time.monotonic():.3f}"}
        await self._do("member", "SubmitChange", **asked)
        change = (await self._state())["changes"][-1]["id"]
        await self._do("pmo", "TriageChange", change=change, change_class="NORMAL")
        await self._do("member", "WithdrawChange", change=change, reason="Solved otherwise")

    async def _sign(self, kind: str, *parts: str) -> None:
        decision = await self._open(kind)
        subject = decision["subject"]
        exact = {"revision": subject["revision"], "content_hash": subject["content_hash"]}
        for part in parts:
            await self._do(part, "Vote", decision=decision["id"], value="APPROVE", **exact)

    async def _open(self, kind: str) -> dict[str, Any]:
        decisions = (await self._state())["decisions"]
        return dict(next(d for d in decisions if d["kind"] == kind and d["open"]))

    async def _state(self) -> dict[str, Any]:
        return await self.asking.read(self.people["pmo"], f"/v1/projects/{self.project}")

    async def _do(self, part: str, command: str, **body: Any) -> None:
        kind = COMMANDS[command]
        path = f"/v1/projects/{self.project}/{kind.route()}"
        await self.asking.do(self.people[part], path, body or self._own(kind.example))
        await asyncio.sleep(self.chance.uniform(0, 2 * self.pace))

    def _own(self, example: dict[str, Any]) -> dict[str, Any]:
        """An example with the people of this project."""
        text = json.dumps(example)
        for part, name in PARTS.items():
            text = text.replace(name, self.people[part])
        return dict(json.loads(text))
