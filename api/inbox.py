"""What waits for the caller, and what the caller was told."""

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api import inbox_shapes
from api.asking import idempotency_key, no_query, whole
from api.chinese import spoken_detail
from api.language import language_of
from api.operation import KEY, Operation, path_parameter
from api.parts import Parts, asker, parts
from api.past import PastTime
from api.plain import moment, plain
from api.problems import Problem, invalid
from api.projects import PRIVATE
from api.sight import keys_of
from api.then import waiting_then
from api.waiting import (
    Awaited,
    Projects,
    awaited_by,
    decision_time_left,
    projects_of,
    with_projects_of,
    working_time_left,
)
from domain.project.aggregate import Project
from projections.duties import Waiting, waiting
from projections.messages import Line, Messages

MOST_ID = 2**63 - 1


class InboxParameters(PastTime):
    """How much of the inbox."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many duties, and how many messages.")] = 50
    cursor: Annotated[str | None, Field(max_length=30, description="`next` of the page of messages before.")] = None
    unread: Annotated[bool, Field(description="Only messages that were not read.")] = False


async def read_inbox(request: Request, asked: Annotated[InboxParameters, Query()]) -> Response:
    """What waits for the caller, overdue first, then by due time; open decisions that the caller asked for; messages.

    The newest message comes first. With `as_of` everything is as it was then.
    """
    who, behind, language, at = asker(request).principal, parts(request), language_of(request), asked.instant()
    now = behind.now() if at is None else min(at, behind.now())
    read = _now if at is None else _then
    duties, rows, unread = await read(behind, who, now, asked)
    projects: Projects = await projects_of(behind, who, None if at is None else now)
    if at is None:
        projects = await with_projects_of(behind, duties, projects)
    shown = {
        "duties": [_duty(duty, projects.get(duty.project_id), now) for duty in duties],
        "waiting_for": [_awaited(one, now, language) for one in awaited_by(who, projects, now)],
        "messages": [_message(row, language) for row in rows[: asked.limit]],
        "unread": unread,
        "next": str(rows[asked.limit - 1].id) if len(rows) > asked.limit else None,
    }
    return Response(orjson.dumps(shown), headers=PRIVATE, media_type="application/json")


async def _now(behind: Parts, who: str, now: datetime, asked: InboxParameters) -> tuple[list[Waiting], list[Line], int]:
    database, messages = behind.store.pool, Messages(behind.store.pool, await behind.sight.keys(who))
    duties = await waiting(database, who, now, asked.limit)
    rows = await messages.of(who, limit=asked.limit + 1, before=_before(asked.cursor), unread=asked.unread)
    return duties, rows, await messages.unread(who)


async def _then(behind: Parts, who: str, at: datetime, asked: InboxParameters) -> tuple[list[Waiting], list[Line], int]:
    before = _before(asked.cursor)
    messages = Messages(behind.store.pool, await behind.sight.keys(who))
    duties = await waiting_then(behind, who, at, asked.limit)
    rows = await messages.of_then(who, at, limit=asked.limit + 1, before=before, unread=asked.unread)
    return duties, rows, await messages.unread_then(who, at)


async def mark_read(request: Request) -> Response:
    """Mark one of the caller's messages as read; doing it twice changes nothing."""
    no_query(request)
    idempotency_key(request)
    number = whole(request.path_params["message_id"], MOST_ID)
    messages = Messages(parts(request).store.pool, await keys_of(request))
    if number is None or not await messages.mark_read(asker(request).principal, number):
        raise Problem("NoMessage")
    return Response(orjson.dumps({"id": number, "read": True}), media_type="application/json")


def _before(cursor: str | None) -> int | None:
    if cursor is not None and whole(cursor, MOST_ID) is None:
        raise invalid("/query/cursor", "Give `next` of the page before, unchanged.")
    return None if cursor is None else whole(cursor, MOST_ID)


def _duty(duty: Waiting, project: Project | None, now: datetime) -> dict[str, Any]:
    return {
        "project": duty.project_id,
        "code": duty.code,
        "project_title": duty.project_title,
        "kind": duty.kind,
        "ref": duty.ref,
        "title": duty.title,
        "since": moment(duty.since),
        "due_at": plain(duty.due_at),
        "overdue": duty.due_at is not None and duty.due_at <= now,
        "working_time_left": working_time_left(project, duty, now),
        "held": duty.held,
        "href": f"/v1/projects/{duty.project_id}",
    }


def _awaited(one: Awaited, now: datetime, language: str) -> dict[str, Any]:
    decision, project, refusal = one.decision, one.project, one.refusal
    why = None if refusal is None else spoken_detail(refusal.detail, language, refusal.code)
    return {
        "project": project.id,
        "code": project.code,
        "project_title": project.title,
        "decision": decision.id,
        "kind": decision.kind.value,
        "title": decision.title,
        "since": moment(decision.opened_at),
        "due_at": moment(decision.due_at),
        "overdue": decision.due_at <= now,
        "working_time_left": decision_time_left(project, decision, now),
        "held": project.held,
        "people": list(one.people),
        "nudges": decision.nudges,
        "nudge": {"allowed": refusal is None, "why": why},
        "href": f"/v1/projects/{project.id}/decisions/{decision.id}",
    }


def _message(row: Line, language: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "event": str(row.event_id),
        "project": row.project_id,
        "code": row.code,
        "kind": row.kind,
        "ref": row.ref,
        "text": row.text_zh if language == "zh" else row.text_en,
        "due_at": plain(row.due_at),
        "at": moment(row.at),
        "read": row.read_at is not None,
    }


OPERATIONS = (
    Operation(
        "POST",
        "/v1/inbox/{message_id}/read",
        "markMessageRead",
        "inbox",
        mark_read,
        inbox_shapes.Marked,
        extra={"parameters": [path_parameter("message_id", "A message of the caller's."), KEY]},
    ),
    Operation("GET", "/v1/inbox", "readInbox", "inbox", read_inbox, inbox_shapes.InboxState),
)
