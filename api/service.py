"""How this installation is: alive, ready, its version, its numbers, and what its problems mean."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import asyncpg
import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from activities.ports import StoreUnavailable
from api import docs, shapes
from api.operation import Operation, path_parameter
from api.parts import Parts, surroundings
from api.problems import Problem, about

NO_STORE = {"Cache-Control": "no-store"}
PATIENCE = 3.0
MOST_LAGGING = 1000
UNKNOWN = "unknown"
SEALING_GOES = ("new", "sealing")
"""States of sealing in which nobody has to do anything."""


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, NO_STORE, "application/json")


async def livez(_: Request) -> Response:
    """This process answers."""
    return _json({"status": "alive"})


async def readyz(request: Request) -> Response:
    """Whether commands can be taken: the database answers and its schema is current.

    Temporal is reported and not needed: people go on without it, reminders follow when it is back. So is sealing:
    `no_key` means that nothing is sealed, `refused` that what is stored contradicts what was sealed. `history` is
    false while the watch has found that the log is not what was sealed: operators and auditors must look at once.
    """
    behind = surroundings(request).parts
    database, schema, engine = (False, False, False) if behind is None else await _checked(behind)
    ready = database and schema
    sealing = await _sealing(behind) if behind is not None and ready else UNKNOWN
    checks = {"database": database, "schema": schema, "temporal": engine, "sealing": sealing in SEALING_GOES}
    checks["history"] = behind is None or behind.watch.alarm is None
    told = {"status": "ready" if ready else "not ready", "checks": checks, "sealing": sealing}
    return _json(told, 200 if ready else 503)


async def _sealing(behind: Parts) -> str:
    try:
        return (await behind.tree.health()).state
    except (StoreUnavailable, asyncpg.PostgresError):
        return UNKNOWN


async def _checked(behind: Parts) -> tuple[bool, bool, bool]:
    engine = asyncio.create_task(behind.engine_is_reachable())
    try:
        async with asyncio.timeout(PATIENCE):
            await behind.store.ping()
            schema = await behind.schema_is_current()
        return True, schema, await engine
    except (StoreUnavailable, TimeoutError, OSError):
        return False, False, await engine


async def version(request: Request) -> Response:
    """What runs here. A launcher checks by `instance` that it is its own."""
    what = surroundings(request).installation
    return _json({"name": what.name, "version": what.version, "instance": what.instance, "api": "v1"})


async def metrics(request: Request) -> Response:
    """Numbers in Prometheus' text format."""
    around = surroundings(request)
    gauges = {} if around.parts is None else await _gauges(around.parts)
    text = around.metrics.text(gauges)
    return Response(text, headers=NO_STORE, media_type="text/plain; version=0.0.4")


async def _gauges(behind: Parts) -> dict[str, tuple[str, float]]:
    wakes = behind.door.wakes
    told: dict[str, tuple[str, float]] = {
        "tandem_wakes_told": ("Workflows that were told of facts.", wakes.told),
        "tandem_wakes_failed": ("Workflows that could not be told; the sweep does it.", wakes.failed),
        "tandem_wakes_dropped": ("Wakes dropped because too many were waiting.", wakes.dropped),
        "tandem_wakes_waiting": ("Projects whose workflow is being told.", wakes.waiting),
        "tandem_feed_listeners": ("Live feeds now.", behind.newest.listeners),
        "tandem_watch_alarm": ("1 while the log is not what was sealed: look at once.", behind.watch.alarm is not None),
        "tandem_watch_walks": ("Walks over the whole log that came to an end here.", behind.watch.walks),
        "tandem_watch_position": ("Events looked at by the walk under way here.", behind.watch.position),
    }
    with contextlib.suppress(StoreUnavailable):
        lagging = await behind.store.lagging(MOST_LAGGING, timedelta(0))
        told["tandem_wake_lagging_projects"] = ("Projects whose workflow has not followed yet.", len(lagging))
        behind_by = sum(head - seen for _, head, seen in lagging)
        told |= await _seal_gauges(behind)
        told["tandem_wake_lagging_events"] = ("Events that workflows have not followed yet.", behind_by)
    return told


async def _seal_gauges(behind: Parts) -> dict[str, tuple[str, float]]:
    health, places = await behind.tree.health(), await behind.tree.places()
    behind_by = max((health.sealed - size for size in places.values()), default=0)
    return {
        "tandem_sealed_events": ("Events under the last checkpoint.", health.sealed),
        "tandem_seal_lag_events": ("Events that are not sealed yet.", health.head - health.sealed),
        "tandem_seal_refused": (
            "1 while the log contradicts what was sealed: look at once.",
            health.state == "refused",
        ),
        "tandem_seal_without_key": ("1 while there is no key to seal with.", health.state == "no_key"),
        "tandem_anchor_lag_events": ("Events that the slowest second place has no checkpoint over.", behind_by),
    }


async def problem_page(request: Request) -> Response:
    """What a problem's `type` means, in Markdown."""
    page = about(request.path_params["code"])
    if page is None:
        raise Problem("NotFound")
    return PlainTextResponse(page, media_type="text/markdown")


async def openapi(request: Request) -> Response:
    """This document."""
    return Response(orjson.dumps(request.app.openapi()), media_type="application/json")


def _told(path: str, name: str, answers: Any, shape: type[BaseModel] | None, **rest: Any) -> Operation:
    return Operation("GET", path, name, "service", answers, shape, **{"problems": (), **rest})


OPERATIONS = (
    _told("/livez", "isAlive", livez, shapes.Health),
    _told(
        "/readyz",
        "isReady",
        readyz,
        shapes.Health,
        others={503: {"description": "Commands cannot be taken now.", "model": shapes.Health}},
    ),
    _told("/version", "readVersion", version, shapes.VersionState),
    _told("/metrics", "readMetrics", metrics, None, content={"text/plain": {"schema": {"type": "string"}}}),
    _told("/openapi.json", "readContract", openapi, None),
    _told("/docs", "readDocs", docs.page, None, listed=False),
    _told("/docs/{name}", "readDocsFile", docs.file, None, listed=False),
    _told(
        "/problems/{code}",
        "readProblem",
        problem_page,
        None,
        content={"text/markdown": {"schema": {"type": "string"}}},
        problems=(404,),
        extra={"parameters": [path_parameter("code", "A problem's code.")]},
    ),
)
