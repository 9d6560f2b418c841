"""A route for each command of the registry, and the one that starts a project."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from activities.decide import Outcome
from activities.folding import stream_of
from api import asking
from api.dispatch import Asked, Carried
from api.parts import Parts, asker, parts, surroundings
from domain.decider import COMMANDS
from domain.messages import Command
from domain.permissions import START
from domain.refusals import Refused
from domain.values import Role

Endpoint = Callable[[Request], Awaitable[Response]]
FIRST_LOOK, LAST_LOOK = 0.02, 0.5
"""Seconds between two looks at whether the workflow has followed: the first pause, and the longest."""


def routed() -> dict[str, type[Command]]:
    """The commands that have a route under a project, by name: all but the lifecycle's own and the start."""
    return {name: kind for name, kind in COMMANDS.items() if Role.SYSTEM not in kind.roles and name != START}


def endpoint(name: str) -> Endpoint:
    """What answers `POST /v1/projects/{id}/<route of the command>`."""

    async def submit(request: Request) -> Response:
        only_signed = asking.only_signed(request)
        project_id = asking.project_id(request.path_params["id"])
        asked = await read(request, name, project_id)
        if only_signed:
            return signed_answer(parts(request).door.sign(asker(request), project_id, asked))
        outcome = await parts(request).door.submit(asker(request), project_id, asked)
        return await _answered(request, name, outcome, 200, answer_of(outcome))

    return submit


async def start(request: Request) -> Response:
    """Answers `POST /v1/projects`."""
    asking.no_query(request)
    asked = await read(request, START, "new")
    outcome = await parts(request).door.start(asker(request), asked)
    shown = {
        "id": outcome.project_id,
        "code": outcome.code,
        "stage": outcome.stage,
        "version": outcome.version,
        "position": outcome.position,
    }
    headers = {"Location": f"/v1/projects/{outcome.project_id}"}
    return await _answered(request, START, outcome, 201, shown, headers)


async def read(request: Request, name: str, project_id: str) -> Asked:
    """The command in the request. Raises Problem, and Refused where the body is no JSON."""
    key, condition = asking.idempotency_key(request), asking.precondition(request)
    raw = await asking.body(request)
    try:
        return Asked(name, asking.decoded(raw), key, condition.version, request_id=asking.request_id(request))
    except asking.NotAnObject as error:
        kept = Asked(name, {"unreadable": raw[:2000].decode(errors="replace")}, key)
        door, wrong = parts(request).door, {"pointer": "", "code": error.code, "message": str(error)}
        raise await door.refuse_unreadable(asker(request), project_id, kept, wrong) from None


def signed_answer(carried: Carried) -> Response:
    """The envelope, to be delivered by whoever asked for it."""
    shown = {
        "workflow_id": carried.workflow_id,
        "signal": "submit",
        "input": carried.submission.model_dump(mode="json"),
    }
    return Response(orjson.dumps(shown), 200, {"Cache-Control": "no-store"}, "application/json")


def answer_of(outcome: Outcome) -> dict[str, Any]:
    """What a command is answered with."""
    return {
        "id": outcome.project_id,
        "stage": outcome.stage,
        "version": outcome.version,
        "position": outcome.position,
        "events": outcome.events,
    }


async def _answered(
    request: Request,
    name: str,
    outcome: Outcome,
    status: int,
    shown: dict[str, Any],
    headers: dict[str, str] | None = None,
) -> Response:
    count_outcome(request, name, outcome)
    told = {"ETag": f'"{outcome.version}"', "Cache-Control": "no-store", **(headers or {})}
    if outcome.repeated:
        told["Idempotent-Replayed"] = "true"
    patience = asking.patience(request)
    if patience is not None:
        await followed(parts(request), outcome, patience)
        told["Preference-Applied"] = f"wait={patience}"
    return Response(orjson.dumps(shown), status, told, "application/json")


async def followed(behind: Parts, outcome: Outcome, patience: int) -> bool:
    """Whether the workflow has acted on the outcome; waits at most `patience` seconds for it."""
    stream, pause = stream_of(outcome.project_id), FIRST_LOOK
    deadline = asyncio.get_running_loop().time() + patience
    while await behind.store.seen(stream) < outcome.version:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LAST_LOOK)
    return True


def count_outcome(request: Request, name: str, outcome: Outcome) -> None:
    """One more command, for the metrics."""
    counted = "repeated" if outcome.repeated else "recorded" if outcome.events else "nothing"
    surroundings(request).metrics.commands[name, counted] += 1


def count_refusal(request: Request, refusal: Refused) -> None:
    """One more refusal, for the metrics."""
    surroundings(request).metrics.refusals[(refusal.code,)] += 1
