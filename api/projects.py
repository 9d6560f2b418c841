"""Reading projects: the list, and the state of one now or as of a version or an instant."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from activities.folding import Folded, advance, stream_of
from api import asking, shapes
from api.operation import NOT_MODIFIED, Operation, header
from api.parts import Parts, asker, parts
from api.plain import moment, plain
from api.problems import Problem, invalid
from api.showing import state
from domain.project.aggregate import Project
from domain.values import Person, Stage
from projections.project import Cursor, ProjectRow, listed

PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept-Language"}
CHUNK = 500


class Parameters(BaseModel):
    """Query parameters; others than these are refused."""

    model_config = ConfigDict(extra="forbid")


class ListParameters(Parameters):
    """Which projects, and how many."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many at most.")] = 50
    cursor: Annotated[str | None, Field(max_length=200, description="`next` of the page before.")] = None
    stage: Annotated[Stage | None, Field(description="Only projects in this stage.")] = None
    person: Annotated[Person | None, Field(description="Only projects in which this person holds a role.")] = None


class StateParameters(Parameters):
    """Which moment of the project."""

    as_of: Annotated[
        str | None,
        Field(max_length=40, description="A version, or an RFC 3339 instant such as `2026-03-02T09:00:00Z`."),
    ] = None


async def list_projects(request: Request, asked: Annotated[ListParameters, Query()]) -> Response:
    """Projects, the latest changed first."""
    after = None if asked.cursor is None else cursor_of(asked.cursor)
    rows, following = await listed(parts(request).store.pool, asked.limit, after, asked.stage, asked.person)
    shown = {"items": [_row(row) for row in rows], "next": None if following is None else cursor_text(following)}
    return Response(orjson.dumps(shown), headers=PRIVATE, media_type="application/json")


async def read_project(request: Request, id: str, asked: Annotated[StateParameters, Query()]) -> Response:
    """The state of one project, with `_actions`: what the caller may do now, and why not."""
    behind, reader = parts(request), asker(request).principal
    current = await existing(behind, id)
    project = current if asked.as_of is None else await _as_of(behind, current, asked.as_of)
    headers = {"ETag": f'"{project.version}"', **PRIVATE}
    if asking.none_match(request, project.version):
        return Response(status_code=304, headers=headers)
    revealed = current.retrospective.revealed
    shown = state(project, reader, datetime.now(UTC), revealed=revealed)
    return Response(orjson.dumps(shown), headers=headers, media_type="application/json")


async def existing(behind: Parts, project_id: str) -> Project:
    """The project as the store has it now. Raises Problem (404)."""
    folded = await behind.step.states.current(asking.project_id(project_id))
    if not folded.project.exists:
        raise Problem("NoProject")
    return folded.project


async def _as_of(behind: Parts, current: Project, wanted: str) -> Project:
    if re.fullmatch(r"[0-9]{1,18}", wanted):
        version = int(wanted)
        if not 1 <= version <= current.version:
            raise Problem("NoSuchVersion", f"The project is at version {current.version}.")
        return await _folded(behind, current.id, version, None)
    project = await _folded(behind, current.id, current.version, _instant(wanted))
    if not project.exists:
        raise Problem("NoSuchVersion", "The project did not exist then.")
    return project


def _instant(wanted: str) -> datetime:
    try:
        at = datetime.fromisoformat(wanted.replace(" ", "+"))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid("/query/as_of", "A version, or an instant such as 2026-03-02T09:00:00Z.") from None


async def _folded(behind: Parts, project_id: str, upto: int, at: datetime | None) -> Project:
    """The project after the events up to a version and, where given, up to an instant."""
    folded = Folded(Project(project_id))
    while folded.version < upto:
        limit = min(CHUNK, upto - folded.version)
        facts = await behind.store.read(stream_of(project_id), after=folded.version, limit=limit)
        then = [fact for fact in facts if at is None or fact.recorded_at <= at]
        folded = advance(folded, then)
        if not then or len(then) < len(facts):
            break
    return folded.project


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
