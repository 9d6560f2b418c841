"""What happened: in one project, and over all of them as a page, as lines, or live."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from activities.folding import stream_of
from activities.ports import Recorded
from api import shapes
from api.happenings import Eyes, line
from api.language import language_of
from api.operation import Operation, header
from api.parts import Parts, asker, parts, surroundings
from api.problems import invalid
from api.projects import PRIVATE, Parameters
from api.sight import seen_project
from auth.identity import Unauthenticated

CHUNK = 200
HEARTBEAT_SECONDS = 15.0
MOST_POSITION = 2**53
LINES = "application/x-ndjson"
LIVE = "text/event-stream"
Actor = Annotated[str | None, Field(pattern=r"^[a-z][a-z0-9._-]{0,63}$", description="Only of this principal.")]
Types = Annotated[
    list[Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]{0,79}$")]],
    Field(max_length=50, description="Only events of these types."),
]


class HistoryParameters(Parameters):
    """Which events of a project."""

    after: Annotated[int, Field(ge=0, le=MOST_POSITION, description="Only later versions.")] = 0
    type: Types = []
    actor: Actor = None
    limit: Annotated[int | None, Field(ge=1, le=200, description="How many; 50 on a page, all as lines.")] = None

    def wants(self, fact: Recorded) -> bool:
        """Whether the filters let the fact through."""
        by = fact.metadata["actor"]["principal"]
        return (not self.type or fact.type in self.type) and (self.actor is None or by == self.actor)


class FeedParameters(Parameters):
    """Which events of all projects."""

    after: Annotated[int, Field(ge=-1, le=MOST_POSITION, description="Only later positions.")] = -1
    type: Types = []
    actor: Actor = None
    limit: Annotated[int, Field(ge=1, le=200, description="How many on a page.")] = 50


async def read_history(request: Request, id: str, asked: Annotated[HistoryParameters, Query()]) -> Response:
    """What happened in one project, the oldest first; as NDJSON with `Accept: application/x-ndjson`."""
    behind = parts(request)
    project = await seen_project(request, id)
    eyes = Eyes(behind, asker(request).principal, language_of(request))
    if accepts(request, LINES):
        return StreamingResponse(_lines(behind, project.id, asked, eyes), headers=PRIVATE, media_type=LINES)
    limit = asked.limit or 50
    found: list[Recorded] = []
    async for facts in _matching(behind, project.id, asked):
        found += facts
        if len(found) > limit:
            break
    shown = await eyes.see(found[:limit])
    return _page(shown, found[limit - 1].version if len(found) > limit else None)


async def read_feed(request: Request, asked: Annotated[FeedParameters, Query()]) -> Response:
    """What happened in all projects that the caller sees, in order of commits; live with `Accept: text/event-stream`.

    The live feed goes on after `Last-Event-ID`, or else after `after`. Its ids are positions.
    """
    behind = parts(request)
    eyes = Eyes(behind, asker(request).principal, language_of(request))
    if accepts(request, LIVE):
        position = _resumed(request, asked.after)
        live = _Live(behind, eyes, asked, request)
        return live.response(position)
    facts = await _feed(behind, eyes.reader, asked, asked.after, asked.limit + 1)
    shown = await eyes.see(facts[: asked.limit])
    return _page(shown, facts[asked.limit - 1].position if len(facts) > asked.limit else None)


def accepts(request: Request, media_type: str) -> bool:
    """Whether the caller asks for this media type by name."""
    wanted = request.headers.get("accept", "").split(",")
    return any(part.partition(";")[0].strip().lower() == media_type for part in wanted)


def _page(items: list[dict[str, Any]], following: int | None) -> Response:
    body = orjson.dumps({"items": items, "next": following})
    return Response(body, headers=PRIVATE, media_type="application/json")


async def _matching(behind: Parts, project_id: str, asked: HistoryParameters) -> AsyncIterator[list[Recorded]]:
    """The facts that the filters let through, chunk by chunk."""
    after = asked.after
    while facts := await behind.store.read(stream_of(project_id), after=after, limit=CHUNK):
        yield [fact for fact in facts if asked.wants(fact)]
        after = facts[-1].version


async def _lines(behind: Parts, project_id: str, asked: HistoryParameters, eyes: Eyes) -> AsyncIterator[bytes]:
    left = asked.limit
    async for facts in _matching(behind, project_id, asked):
        for seen in await eyes.see(facts if left is None else facts[:left]):
            yield line(seen)
        if left is not None:
            left -= len(facts)
            if left <= 0:
                return


async def _feed(behind: Parts, reader: str, asked: FeedParameters, after: int, limit: int) -> list[Recorded]:
    """What exists for the reader as of now, however long ago the feed began."""
    keys = await behind.sight.keys(reader)
    return await behind.store.feed(after, limit, asked.type or None, asked.actor, keys=keys)


def _resumed(request: Request, after: int) -> int:
    """Where a live feed goes on. Raises Problem for an id that was never given."""
    last = request.headers.get("last-event-id", "").strip()
    if not last:
        return after
    if not re.fullmatch(r"[0-9]{1,15}", last):
        raise invalid("/header/Last-Event-ID", "A position, as it was given in `id`.")
    return int(last)


class _Live:
    """One live feed: what is there, then whatever comes, with heartbeats, until either side ends it."""

    def __init__(self, behind: Parts, eyes: Eyes, asked: FeedParameters, request: Request) -> None:
        self._behind = behind
        self._eyes = eyes
        self._asked = asked
        self._around, self._headers = surroundings(request), request.headers
        self._closing = self._around.closing

    def response(self, position: int) -> Response:
        """Raises Problem where every place for a live feed is taken."""
        self._behind.newest.check_room()
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(position), headers=headers, media_type=LIVE)

    async def _stream(self, position: int) -> AsyncIterator[bytes]:
        async with self._behind.newest.place():
            yield b"retry: 1000\n\n"
            while not self._closing.is_set() and not await self._ended():
                head = await self._behind.store.head() - 1
                while facts := await _feed(self._behind, self._eyes.reader, self._asked, position, CHUNK):
                    for seen in await self._eyes.see(facts):
                        yield _sent(seen)
                    position = facts[-1].position
                position = max(position, head)
                if not await self._more(position):
                    yield b": still here\n\n"

    async def _ended(self) -> bool:
        """Whether the reader was deactivated meanwhile, or the session or token ended."""
        try:
            await self._around.known(self._headers)
        except Unauthenticated:
            return True
        return False

    async def _more(self, position: int) -> bool:
        """Whether there is something after `position`; waits for it as long as a heartbeat."""
        coming = asyncio.create_task(self._behind.newest.beyond(position, HEARTBEAT_SECONDS))
        ending = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait({coming, ending}, return_when=asyncio.FIRST_COMPLETED)
            return coming.done() and coming.result()
        finally:
            coming.cancel()
            ending.cancel()


def _sent(seen: dict[str, Any]) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seen["position"], seen["type"].encode(), orjson.dumps(seen))


OPERATIONS = (
    Operation(
        "GET",
        "/v1/projects/{id}/events",
        "readHistory",
        "events",
        read_history,
        shapes.EventList,
        content={LINES: {"schema": {"type": "string"}}},
    ),
    Operation(
        "GET",
        "/v1/events",
        "readFeed",
        "events",
        read_feed,
        shapes.EventList,
        content={LIVE: {"schema": {"type": "string"}}},
        extra={"parameters": [header("Last-Event-ID", "The position after which a live feed goes on.", "41")]},
    ),
)
