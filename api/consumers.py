"""Consumers: programs that ask for events, each with a checkpoint that is kept for it."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from activities.ports import Recorded
from api import shapes
from api.asking import idempotency_key, no_query
from api.feeding import MOST_OWNED, Body, Position, Wanted, checked_position, projects_of, read, said
from api.operation import KEY, WRITING, Operation, path_parameter
from api.parts import Parts, asker, parts, surroundings
from api.plain import moment, plain
from api.problems import Problem, invalid
from api.projects import Parameters
from store.feeds import Consumer, wanted_facts

NAME_PATTERN = r"^[a-z][a-z0-9._-]{0,62}$"
NAME = path_parameter("name", "A consumer of the caller's.")
NAME["schema"] = {"type": "string", "pattern": NAME_PATTERN}
MOST_WAIT = 30
MOST_LEASE = 300


class ConsumerBody(Wanted):
    """Which events it gets, and where it begins."""

    after: Annotated[Position | None, Field(description="Where a new one begins: behind this position.")] = None


class Acknowledgement(Body):
    """Everything up to `position` was dealt with."""

    position: Annotated[Position, Field(description="As given with the batch, or with one of its events.")]
    fence: Annotated[int, Field(ge=0, le=2**53, description="As given with the batch.")]


class Reset(Body):
    """Where to go on."""

    position: Annotated[Position, Field(description="The next event is the first one behind it; -1: from the start.")]


class BatchParameters(Parameters):
    """How much, how patiently, and under which lease."""

    limit: Annotated[int, Field(ge=1, le=500, description="How many events at most.")] = 100
    wait: Annotated[int, Field(ge=0, le=MOST_WAIT, description="Seconds to wait where there is nothing.")] = 0
    lease: Annotated[int, Field(ge=1, le=MOST_LEASE, description="Seconds in which nobody else is given events.")] = 60
    fence: Annotated[
        int | None, Field(ge=0, le=2**53, description="Go on with this lease: the same events again, and more time.")
    ] = None


async def put_consumer(request: Request) -> Response:
    """Make a consumer, or change which events it gets; where it stands does not change.

    A new one begins with the first event there ever was, or behind `after`.
    """
    behind, name = parts(request), _name(request)
    wanted = await read(request, ConsumerBody)
    after = await checked_position(behind, -1 if wanted.after is None else wanted.after, "/after")
    kept = await behind.consumers.put(asker(request).principal, name, wanted.filter, after, MOST_OWNED)
    if kept is None:
        raise Problem("TooManyFeeds")
    consumer, fresh = kept
    location = {"Location": f"/v1/consumers/{name}"} if fresh else {}
    return said(await _shown(behind, consumer), 201 if fresh else 200, **location)


async def list_consumers(request: Request) -> Response:
    """The caller's consumers, by name."""
    no_query(request)
    behind = parts(request)
    found = await behind.consumers.of(asker(request).principal)
    return said({"items": [await _shown(behind, consumer) for consumer in found], "next": None})


async def read_consumer(request: Request) -> Response:
    """Where a consumer stands: its checkpoint, how far it is behind, and whether somebody holds its lease."""
    no_query(request)
    behind = parts(request)
    return said(await _shown(behind, await _existing(behind, request)))


async def delete_consumer(request: Request) -> Response:
    """Forget a consumer and its checkpoint."""
    no_query(request)
    if not await parts(request).consumers.remove(asker(request).principal, _name(request)):
        raise Problem("NoConsumer")
    return Response(status_code=204)


async def read_batch(request: Request, asked: Annotated[BatchParameters, Query()]) -> Response:
    """The next events after the checkpoint, as CloudEvents, under a lease.

    Until all of them are acknowledged, or the lease runs out, nobody else is given any. Whatever is not
    acknowledged comes again: at least once, and in order. The checkpoint moves past what the filter leaves out.
    """
    behind, name = parts(request), _name(request)
    lease = timedelta(seconds=asked.lease)
    taken = await behind.consumers.take(asker(request).principal, name, asked.fence, lease)
    if taken is None:
        raise await _refused(behind, request, asked.fence)
    facts, upto = await _next(request, taken, asked)
    kept = await (behind.consumers.hand(taken, upto, lease) if facts else behind.consumers.pass_over(taken, upto))
    if not kept:
        raise Problem("LeaseLost")
    return said(await _batch(behind, taken, facts, upto, lease))


async def acknowledge(request: Request) -> Response:
    """Everything up to a position was dealt with. Refused where another lease was taken since.

    With the last event of the batch the lease ends; before that, the rest stays with its holder.
    """
    idempotency_key(request)
    behind, name, who = parts(request), _name(request), asker(request).principal
    said_so = await read(request, Acknowledgement)
    moved = await behind.consumers.acknowledge(who, name, said_so.fence, said_so.position)
    if moved is None:
        raise _stale(await _existing(behind, request), said_so)
    return said(await _shown(behind, moved))


async def reset(request: Request) -> Response:
    """Go on somewhere else: back, to get events again, or ahead. Whoever holds the lease loses it."""
    idempotency_key(request)
    behind = parts(request)
    wanted = await read(request, Reset)
    position = await checked_position(behind, wanted.position, "/position")
    moved = await behind.consumers.reset(asker(request).principal, _name(request), position)
    if moved is None:
        raise Problem("NoConsumer")
    return said(await _shown(behind, moved))


def _name(request: Request) -> str:
    """Raises Problem where no consumer can have this name."""
    name = str(request.path_params["name"])
    if not re.fullmatch(NAME_PATTERN, name):
        raise Problem(
            "NoConsumer", "A name has up to 63 small letters, digits, dots, dashes, and begins with a letter."
        )
    return name


async def _existing(behind: Parts, request: Request) -> Consumer:
    found = await behind.consumers.get(asker(request).principal, _name(request))
    if found is None:
        raise Problem("NoConsumer")
    return found


async def _refused(behind: Parts, request: Request, fence: int | None) -> Problem:
    """Why no lease could be taken."""
    held = await _existing(behind, request)
    if fence is not None:
        return Problem("LeaseLost")
    left = 1 if held.lease_until is None else (held.lease_until - datetime.now(UTC)).total_seconds()
    return Problem("LeaseHeld", headers={"Retry-After": str(max(1, round(left)))})


def _stale(consumer: Consumer, said_so: Acknowledgement) -> Problem:
    if consumer.fence != said_so.fence:
        return Problem("LeaseLost")
    if said_so.position > consumer.handed:
        return invalid("/position", f"Events were given out up to position {consumer.handed}.")
    return Problem("StaleAck", f"Everything up to position {consumer.checkpoint} was acknowledged before.")


async def _next(request: Request, taken: Consumer, asked: BatchParameters) -> tuple[list[Recorded], int]:
    """What is wanted after the checkpoint; waits for it as long as the caller does."""
    behind, closing = parts(request), surroundings(request).closing
    ends = asyncio.get_running_loop().time() + min(asked.wait, asked.lease)
    pool, keys = behind.store.pool, await behind.sight.keys(taken.owner)
    facts, upto = await wanted_facts(pool, keys, taken.wanted, taken.checkpoint, asked.limit)
    if facts or not asked.wait:
        return facts, upto
    async with behind.newest.place():
        while not facts and not closing.is_set() and (left := ends - asyncio.get_running_loop().time()) > 0:
            # In short spells, since a server that stops does not wait for its callers.
            if await behind.newest.beyond(upto, min(left, 1.0)):
                keys = await behind.sight.keys(taken.owner)
                facts, upto = await wanted_facts(pool, keys, taken.wanted, upto, asked.limit)
    return facts, upto


async def _batch(behind: Parts, taken: Consumer, facts: list[Recorded], upto: int, lease: timedelta) -> dict[str, Any]:
    newest = await behind.store.head() - 1
    return {
        "items": [orjson.Fragment(await behind.cloud.body(fact)) for fact in facts],
        "position": upto,
        "fence": taken.fence,
        "lease_until": moment(datetime.now(UTC) + lease) if facts else None,
        "lag": max(0, newest - upto),
    }


async def _shown(behind: Parts, consumer: Consumer) -> dict[str, Any]:
    newest = await behind.store.head() - 1
    held = consumer.lease_until is not None and consumer.lease_until > datetime.now(UTC)
    return {
        "name": consumer.name,
        "types": consumer.types,
        "projects": projects_of(list(consumer.streams) if consumer.streams is not None else None),
        "checkpoint": consumer.checkpoint,
        "newest": newest,
        "lag": max(0, newest - consumer.checkpoint),
        "leased_until": plain(consumer.lease_until) if held else None,
        "created_at": moment(consumer.created_at),
        "changed_at": moment(consumer.changed_at),
    }


def _operation(
    method: str, rest: str, name: str, answers: Any, shape: type[BaseModel] | None, **more: Any
) -> Operation:
    extra = {"parameters": [NAME, *more.pop("headers", ())]}
    return Operation(method, f"/v1/consumers/{{name}}{rest}", name, "feeds", answers, shape, extra=extra, **more)


OPERATIONS = (
    Operation("GET", "/v1/consumers", "listConsumers", "feeds", list_consumers, shapes.ConsumerList),
    _operation(
        "PUT",
        "",
        "putConsumer",
        put_consumer,
        shapes.ConsumerState,
        problems=WRITING,
        body=ConsumerBody,
        others={201: {"description": "A new one.", "model": shapes.ConsumerState}},
    ),
    _operation("GET", "", "readConsumer", read_consumer, shapes.ConsumerState),
    _operation("DELETE", "", "deleteConsumer", delete_consumer, None, status=204),
    _operation("GET", "/events", "readBatch", read_batch, shapes.EventBatch, problems=(401, 404, 409, 422, 503)),
    _operation(
        "POST",
        "/ack",
        "acknowledgeBatch",
        acknowledge,
        shapes.ConsumerState,
        problems=WRITING,
        body=Acknowledgement,
        headers=(KEY,),
    ),
    _operation(
        "POST", "/reset", "resetConsumer", reset, shapes.ConsumerState, problems=WRITING, body=Reset, headers=(KEY,)
    ),
)
