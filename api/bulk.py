"""Many commands in one request, each through the door by itself, each with its own answer (DR18)."""

import asyncio
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from activities.decide import Contended
from activities.ports import StoreUnavailable, StreamRewound
from api import asking, shapes
from api.commands import answer_of, count_outcome, count_refusal, routed
from api.dispatch import Asked
from api.language import language_of
from api.operation import KEY, Operation
from api.parts import asker, parts, surroundings
from api.problems import Problem, invalid, problem_fields, refusal_fields
from domain.messages import wrong_fields
from domain.refusals import Refused

AT_ONCE = 8
"""Projects whose commands are sent at the same time; those of one project go in order."""


class Item(BaseModel):
    """One command on one project."""

    model_config = ConfigDict(extra="forbid", strict=True)

    project: Annotated[str, Field(max_length=100)]
    command: Annotated[str, Field(max_length=100, description="As in the route, e.g. `vote`.")]
    data: dict[str, Any] = {}
    idempotency_key: Annotated[str | None, Field(pattern=r"^[\x21-\x7e]{1,255}$")] = None
    if_match: Annotated[int | None, Field(ge=0, le=2**53, description="Only if the project is at this version.")] = None


class Bulk(BaseModel):
    """Up to 100 commands."""

    model_config = ConfigDict(extra="forbid", strict=True)

    items: Annotated[list[Item], Field(min_length=1, max_length=100)]


_bulk = TypeAdapter(Bulk)


async def submit_bulk(request: Request) -> Response:
    """Send up to 100 commands, each decided by itself; decisions that must not be signed in bulk refuse.

    Commands of one project go in their order. Without keys of their own items get keys from the request's
    `Idempotency-Key`, so that the whole can be sent again.
    """
    asking.no_query(request)
    key = asking.idempotency_key(request)
    wanted = _read(await asking.body(request))
    surroundings(request).limits.person(asker(request), len(wanted.items) - 1)
    results: list[dict[str, Any]] = [{} for _ in wanted.items]
    places: dict[str, list[int]] = {}
    for index, item in enumerate(wanted.items):
        places.setdefault(item.project.lower(), []).append(index)
    room = asyncio.Semaphore(AT_ONCE)

    async def one_project(indexes: list[int]) -> None:
        async with room:
            for index in indexes:
                own = f"{key}/{index}" if key else None
                results[index] = {"index": index, **await _sent(request, wanted.items[index], own)}

    await asyncio.gather(*(one_project(indexes) for indexes in places.values()))
    return Response(orjson.dumps({"items": results}), media_type="application/json")


def _read(raw: bytes) -> Bulk:
    try:
        return _bulk.validate_json(raw)
    except ValidationError as error:
        raise Problem("Invalid", errors=wrong_fields(error)) from None


async def _sent(request: Request, item: Item, key: str | None) -> dict[str, Any]:
    """Status, and an answer or a problem, as the command would have had alone."""
    language = language_of(request)
    try:
        return await _submitted(request, item, key)
    except Refused as refusal:
        count_refusal(request, refusal)
        fields = refusal_fields(refusal, language)
    except Problem as problem:
        fields = problem_fields(problem, language)
    except (StoreUnavailable, Contended, StreamRewound) as outage:
        fields = problem_fields(Problem(type(outage).__name__), language)
    return {"status": fields["status"], "problem": fields}


async def _submitted(request: Request, item: Item, key: str | None) -> dict[str, Any]:
    name = next((n for n, kind in routed().items() if item.command in {n, kind.route()}), None)
    if name is None:
        raise invalid("/command", "There is no such command.", "unknown")
    key, request_id = item.idempotency_key or key, asking.request_id(request)
    asked = Asked(name, item.data, key, item.if_match, client="bulk", request_id=request_id)
    outcome = await parts(request).door.submit(asker(request), asking.project_id(item.project), asked)
    count_outcome(request, name, outcome)
    return {"status": 200, "answer": answer_of(outcome), "repeated": outcome.repeated}


OPERATIONS = (
    Operation(
        "POST",
        "/v1/bulk",
        "submitBulk",
        "commands",
        submit_bulk,
        shapes.BulkAnswer,
        problems=(401, 413, 415, 422, 503),
        body=Bulk,
        extra={"parameters": [KEY]},
    ),
)
