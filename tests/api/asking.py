"""How tests ask the API: as somebody, or as a stranger."""

from dataclasses import dataclass, field
from typing import Any

import httpx2

from domain.decider import COMMANDS

START = COMMANDS["StartProject"].example
SPONSOR, PMO, PRODUCT, MEMBER, AUDITOR = "sun.lei", "pei.min", "pan.mei", "tao.yun", "an.jing"


def named(person: str | None) -> dict[str, str]:
    """The headers that say who asks."""
    return {} if person is None else {"Authorization": f"Bearer dev:{person}"}


@dataclass
class Recorder:
    """A waker that remembers whom it was to wake."""

    calls: list[tuple[str, int]] = field(default_factory=list)

    async def wake(self, project_id: str, version: int) -> None:
        self.calls.append((project_id, version))


@dataclass
class Api:
    """The API, asked as the PMO unless said otherwise."""

    client: httpx2.AsyncClient

    async def get(self, path: str, who: str | None = PMO, **rest: Any) -> httpx2.Response:
        headers = named(who) | rest.pop("headers", {})
        return await self.client.get(path, headers=headers, **rest)

    async def post(self, path: str, data: Any = None, who: str | None = PMO, **rest: Any) -> httpx2.Response:
        headers = named(who) | rest.pop("headers", {})
        return await self.client.post(path, json=data, headers=headers, **rest)

    async def start(self, **headers: str) -> str:
        """A fresh project's id."""
        answer = await self.post("/v1/projects", START, headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def do(self, project: str, command: str, data: Any, who: str = PMO) -> dict[str, Any]:
        """A command that must succeed."""
        answer = await self.post(f"/v1/projects/{project}/{command}", data, who)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def state(self, project: str, who: str = PMO, **query: Any) -> dict[str, Any]:
        """The project's state."""
        answer = await self.get(f"/v1/projects/{project}", who, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def sign(self, project: str, *people: str) -> None:
        """Everybody approves the decision that is open."""
        for person in people:
            decision = next(d for d in (await self.state(project))["decisions"] if d["open"])
            subject = decision["subject"]
            vote = {"decision": decision["id"], "value": "APPROVE"}
            vote |= {"revision": subject["revision"], "content_hash": subject["content_hash"]}
            await self.do(project, "vote", vote, person)


def problem(answer: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem in an answer, checked for its form."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["type"] == f"/problems/{found['code']}"
    assert found["title"]
    assert found["request_id"] == answer.headers["x-request-id"]
    if code is not None:
        assert found["code"] == code
    return found
