"""Organisation roles in a running system, given over HTTP."""

from collections.abc import Mapping

import httpx2

from tests.e2e.system import System

FOUNDER = "root.admin"


async def found(system: System, roles: Mapping[str, str | None]) -> None:
    """Found the directory as `root.admin`, and give these people these roles, in force: `{"an.jing": "AUDITOR"}`.

    None: in the directory without a role. A founded directory stays. One more administrator at most, and as the last.
    """
    async with system.person(FOUNDER) as root:
        answer = await root.post("/v1/directory/found")
        assert answer.status_code in {200, 409}, answer.text
        for person, role in roles.items():
            await done(root, "add-person", {"person": person})
            if role is not None:
                given = await done(root, "grant-organisation-role", {"person": person, "role": role})
                assert given["grant"]["in_force"], given


async def done(root: httpx2.AsyncClient, command: str, body: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """A command on the directory that must succeed."""
    answer = await root.post(f"/v1/directory/{command}", json=dict(body))
    assert answer.status_code == 200, f"{command} {dict(body)}: {answer.text}"
    shown: dict[str, dict[str, object]] = answer.json()
    return shown
