"""The audit view: events, refusals and looks into the view itself, filtered, paged, or as a file.

Every look is noted before its first row goes out. It decides nothing and changes nothing that anybody acts on.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

import orjson
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import audit_looks, exports
from api.audit_filters import (
    FORMATS,
    PAGE,
    EventParameters,
    Form,
    PageParameters,
    ReadingParameters,
    RefusalParameters,
    cursor_before,
    cursor_from,
    form_of,
    window_of,
)
from api.audit_rows import EventView, Item, ReadingView, RefusalView, View
from api.exports import Gathering
from api.language import language_of
from api.operation import Operation
from api.pack import Cover, press
from api.parts import Parts, asker, parts
from api.problems import invalid
from api.projects import PRIVATE
from api.sight import scope_of
from store.auditing import Readings
from store.searching import Window
from store.tree import Tree

FILES = {FORMATS[form]: {"schema": {"type": "string"}} for form in ("ndjson", "csv")} | {
    FORMATS[form]: {"schema": {"type": "string", "format": "binary"}} for form in ("xlsx", "pdf")
}


async def read_audit_events(request: Request, asked: Annotated[EventParameters, Query()]) -> Response:
    """Events of every project that the caller may audit, the newest first, by any of the filters together.

    Each has its sentence in both languages, the rule that allowed it and its chain: `correlation_id` is the same for
    everything that one cause led to, `causation_id` the event that it answers. `index` says up to which position the
    search index reaches; what lies beyond is looked through as well, so that nothing is left out, but a page may
    then hold fewer than `limit` although there is a `next`. The look itself is noted.
    """
    behind, form = parts(request), form_of(request, asked)
    if asked.expand and form not in {"json", "ndjson"}:
        raise invalid("/query/expand", "The difference is shown in JSON and NDJSON alone.")
    reader, language = asker(request).principal, language_of(request)
    scope = await scope_of(behind, reader)
    wanted = await asked.wanted(behind, scope.keys)
    view = EventView(behind, reader, language, wanted, scope, difference=asked.expand is not None)
    return await _answer(request, view, asked, form)


async def read_refusals(request: Request, asked: Annotated[RefusalParameters, Query()]) -> Response:
    """Refused commands, the newest first: who tried what, when, and which rule said no. The look itself is noted."""
    behind, reader = parts(request), asker(request).principal
    scope = await scope_of(behind, reader)
    view = RefusalView(behind, reader, await asked.wanted(behind, scope.keys), scope)
    return await _answer(request, view, asked, form_of(request, asked))


async def read_reads(request: Request, asked: Annotated[ReadingParameters, Query()]) -> Response:
    """Who looked into the audit view, at what, in which form, and how many rows went out; this look included later.

    Without `ended_at` a look broke off before everything had gone out. Of others' looks it is told by what kind of
    filter they were narrowed, and not by which words or ids, unless within a project that the caller sees.
    """
    behind, reader = parts(request), asker(request).principal
    view = ReadingView(behind, reader, asked.wanted(), await scope_of(behind, reader))
    return await _answer(request, view, asked, form_of(request, asked))


async def _answer(request: Request, view: View, asked: PageParameters, form: Form) -> Response:
    """A page, or a file; noted before and after."""
    behind, reader = parts(request), asker(request).principal
    window = window_of(asked, asked.limit or PAGE)
    readings = Readings(behind.store.pool)
    request_id = request.scope["state"]["request_id"]
    reading = await readings.begin(reader, view.what, form, request_id, asked.noted())
    if form == "json":
        shown = await _page(view, window, asked)
        await readings.end(reading, len(shown["items"]))
        return Response(orjson.dumps(shown), headers=PRIVATE, media_type=FORMATS[form])
    head = await view.head()
    gathering = Gathering(view, replace(window, high=min(window.high, head)), asked.limit)
    body = await _body(behind, gathering, form, reader, asked)
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="audit-{view.what}-{head}.{form}"'}
    return StreamingResponse(_noted(body, readings, reading, gathering), headers=headers, media_type=FORMATS[form])


async def _page(view: View, window: Window, asked: PageParameters) -> Item:
    head, reach = await view.head(), await view.reach()
    found = await view.page(window)
    items = found.rows if window.newest == asked.newest else found.rows[::-1]
    onward = None if found.rest is None else _cursor(found.rest)
    backward = _backward(window, [item[view.number] for item in items], head)
    following, previous = (onward, backward) if window.newest == asked.newest else (backward, onward)
    shown = {"items": items, "next": following, "previous": previous}
    return shown if reach is None else {**shown, "index": {"upto": min(reach, head), "head": head}}


def _cursor(rest: Window) -> str:
    return cursor_before(rest.high) if rest.newest else cursor_from(rest.low)


def _backward(window: Window, numbers: list[int], head: int) -> str | None:
    """The cursor to where the page came from: to newer items there may be more at any time."""
    if window.newest:
        return cursor_from(max(numbers) + 1 if numbers else min(window.high, head))
    first = min(numbers) if numbers else window.low
    return cursor_before(first) if first > 0 else None


async def _body(
    behind: Parts, gathering: Gathering, form: Form, reader: str, asked: PageParameters
) -> AsyncIterator[bytes]:
    """The file. What is made whole is made before the answer begins: raises Problem where it would be too large."""
    match form:
        case "csv":
            return exports.comma_separated(gathering)
        case "xlsx":
            return exports.pieces(await exports.workbook(gathering))
        case "pdf":
            cover = await _cover(behind, gathering, reader, asked)
            return _whole(await exports.pressed(gathering, lambda items: press(cover, items)))
        case _:
            return exports.ndjson(gathering)


async def _whole(made: bytes) -> AsyncIterator[bytes]:
    yield made


async def _cover(behind: Parts, gathering: Gathering, reader: str, asked: PageParameters) -> Cover:
    sealed = await Tree(behind.store.pool).latest()
    checkpoint: dict[str, Any] | None = None
    if sealed is not None:
        checkpoint = {"size": sealed.size, "root": sealed.root.hex(), "note": sealed.note}
    return Cover(gathering.view.what, reader, asked.noted(), await behind.store.head(), checkpoint)


async def _noted(
    body: AsyncIterator[bytes], readings: Readings, reading: int, gathering: Gathering
) -> AsyncIterator[bytes]:
    """The body, and a note once all of it has gone out."""
    async for piece in body:
        yield piece
    await readings.end(reading, gathering.rows)


OPERATIONS = (
    Operation(
        "GET",
        "/v1/audit/events",
        "readAuditEvents",
        "audit",
        read_audit_events,
        audit_looks.AuditEventList,
        content=FILES,
    ),
    Operation(
        "GET", "/v1/audit/refusals", "readRefusals", "audit", read_refusals, audit_looks.RefusalList, content=FILES
    ),
    Operation(
        "GET", "/v1/audit/reads", "readAuditReads", "audit", read_reads, audit_looks.AuditReadList, content=FILES
    ),
)
