"""People of an organisation, one of whom is deactivated: what every project of theirs must look like in the end."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2

from activities.folding import stream_of
from domain.messages import COMMANDS
from store.postgres import PostgresStore
from tests.e2e.system import System

ROOT, PMO, PRODUCT = "root.admin", "pei.min", "pan.mei"
LEAVER, DEPUTY, SECOND = "gone.soon", "zhao.min", "gone.later"
PATIENCE = 60.0


class Organisation:
    """Asks over HTTP as whoever it takes."""

    def __init__(self, system: System, store: PostgresStore) -> None:
        self._clients = {name: system.person(name) for name in (ROOT, PMO, PRODUCT)}
        self._store = store

    async def ask(self, who: str, path: str, body: Any) -> dict[str, Any]:
        """A command that must succeed."""
        key = {"Idempotency-Key": str(uuid4())}
        answer: httpx2.Response = await self._clients[who].post(path, json=body, headers=key)
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def found(self) -> None:
        await self.ask(ROOT, "/v1/directory/found", {})
        for person in (PMO, PRODUCT, LEAVER, DEPUTY, SECOND):
            await self.ask(ROOT, "/v1/directory/add-person", {"person": person})

    async def deactivate(self, person: str) -> None:
        await self.ask(ROOT, "/v1/directory/deactivate-person", {"person": person, "basis": "left the organisation"})

    async def start(self, sponsor: str = LEAVER, *, deputy: bool = False) -> str:
        """A project whose charter is open for signature; with a deputy somebody else may sign as sponsor, too."""
        people = {"sponsor": sponsor, "pmo": PMO, "product_manager": PRODUCT}
        start = await self.ask(PMO, "/v1/projects", COMMANDS["StartProject"].example | {"people": people})
        path = f"/v1/projects/{start['id']}"
        if deputy:
            named = {"person": DEPUTY, "role": "SPONSOR", "reason": "Deputy"}
            await self.ask(PMO, f"{path}/assign-role", named)
            await self.ask(PRODUCT, f"{path}/confirm-role", {"grant": "G-4"})
        content = COMMANDS["DraftCharter"].example["content"]
        roles = {"SPONSOR": sponsor, "PMO": PMO, "PRODUCT_MANAGER": PRODUCT}
        assigned = [{"person": person, "role": role} for role, person in roles.items()]
        await self.ask(PMO, f"{path}/draft-charter", {"content": content | {"assignments": assigned}})
        await self.ask(PMO, f"{path}/propose-charter", {"revision": 1})
        return str(start["id"])

    async def left(self, project: str) -> list[str]:
        """Whose leaving the project has recorded, once for each time."""
        facts = await self._store.read(stream_of(project))
        return [fact.data["person"] for fact in facts if fact.type == "HolderLeft"]

    async def state(self, project: str) -> dict[str, Any]:
        """The open decision of the project."""
        answer = await self._clients[PMO].get(f"/v1/projects/{project}")
        return dict(next(d for d in answer.json()["decisions"] if d["open"]))

    async def told(self, project: str, kind: str) -> set[str]:
        """Who has a message about events of this type."""
        sql = "SELECT recipient FROM tandem.message WHERE project_id = $1 AND kind = $2"
        return {row["recipient"] for row in await self._store.pool.fetch(sql, project, kind)}

    async def waits_for(self, project: str) -> set[str]:
        """Whose signature is waited for."""
        sql = "SELECT person FROM tandem.duty WHERE project_id = $1 AND kind = 'sign'"
        return {row["person"] for row in await self._store.pool.fetch(sql, project)}


async def eventually(true: Any) -> None:
    """Until the coroutine function says so."""
    async with asyncio.timeout(PATIENCE):
        # What is waited for is written by other processes.
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(0.2)
