"""Reading projects: the list, and the state of one now or as of a version or an instant."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api import asking, shapes
from api.language import language_of
from api.opening import opened_state
from api.operation import NOT_MODIFIED, Operation, header
from api.parts import asker, parts
from api.past import Parameters, PastParameters, PastTime, view
from api.plain import moment, plain
from api.problems import Problem, invalid
from api.showing import state
from api.sight import keys_of
from api.then import Wanted, listed_then
from domain.values import Person, Stage
from projections.project import Cursor, ProjectRow, listed

__all__ = ["OPERATIONS", "PRIVATE", "Parameters", "cursor_of", "cursor_text"]
PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept-Language"}


class ListParameters(PastTime):
    """Which projects, and how many."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many at most.")] = 50
    cursor: Annotated[str | None, Field(max_length=200, description="`next` of the page before.")] = None
    stage: Annotated[Stage | None, Field(description="Only projects in this stage.")] = None
    person: Annotated[Person | None, Field(description="Only projects in which this person holds a role.")] = None


async def list_projects(request: Request, asked: Annotated[ListParameters, Query()]) -> Response:
    """Projects, the latest changed first; with `as_of` as they were then.

    A page of the past may hold fewer than `limit`: it is full, or at its end, only where `next` is null.
    """
    behind, at = parts(request), asked.instant()
    after = None if asked.cursor is None else cursor_of(asked.cursor)
    wanted = Wanted(await keys_of(request), asked.limit, after, asked.stage, asked.person)
    if at is None:
        rows, following = await listed(
            behind.store.pool, wanted.keys, wanted.limit, wanted.after, wanted.stage, wanted.person
        )
    else:
        rows, following = await listed_then(behind, at, wanted)
    shown = {"items": [_row(row) for row in rows], "next": None if following is None else cursor_text(following)}
    return Response(orjson.dumps(shown), headers=PRIVATE, media_type="application/json")


async def read_project(request: Request, id: str, asked: Annotated[PastParameters, Query()]) -> Response:
    """The state of one project, with `_actions`: what the caller may do now, and why not.

    `as_of` shows what was recorded by then, `effective_at` what was true then, both together what was true then as far
    as it was known then: see docs/explanation/time-travel.md.
    """
    behind, reader, language = parts(request), asker(request).principal, language_of(request)
    seen = await view(behind, id, asked, reader)
    headers = {**PRIVATE, **({} if seen.true_at else {"ETag": f'"{seen.project.version}"'})}
    if not seen.true_at and asking.none_match(request, seen.project.version):
        return Response(status_code=304, headers=headers)
    shown = state(seen.project, reader, seen.now, revealed=seen.revealed, language=language)
    shown = await opened_state(behind, seen.project, reader, shown, language)
    return Response(orjson.dumps(shown), headers=headers, media_type="application/json")


def _row(row: ProjectRow) -> dict[str, Any]:
    shown: dict[str, Any] = plain(row)
    del shown["stream"]
    return shown


def cursor_text(cursor: Cursor) -> str:
    """Opaque to clients."""
    return urlsafe_b64encode(orjson.dumps([moment(cursor.changed_at), cursor.id])).decode().rstrip("=")


def cursor_of(text: str) -> Cursor:
    """Raises Problem for what is no cursor of ours."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        at, last = orjson.loads(urlsafe_b64decode(padded))
        asking.project_id(last)
        return Cursor(datetime.fromisoformat(at).astimezone(UTC), last)
    except (ValueError, TypeError, AttributeError, OverflowError, Problem):
        raise invalid("/query/cursor", "Give `next` of the page before, unchanged.") from None


OPERATIONS = (
    Operation("GET", "/v1/projects", "listProjects", "projects", list_projects, shapes.ProjectList),
    Operation(
        "GET",
        "/v1/projects/{id}",
        "readProject",
        "projects",
        read_project,
        shapes.ProjectState,
        others=NOT_MODIFIED,
        extra={"parameters": [header("If-None-Match", "The ETag of an earlier answer.", '"12"')]},
    ),
)
