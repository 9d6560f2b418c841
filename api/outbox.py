"""What people were told, and how: deliveries to the caller or of a project, and messages that were not sent."""

import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.asking import project_id, whole
from api.feeding import said
from api.language import language_of
from api.operation import Operation, path_parameter
from api.parts import asker, parts
from api.plain import moment
from api.problems import Problem, invalid
from api.projects import PRIVATE, Parameters
from api.shapes import Shape
from api.sight import reader_of, seen_project
from auth.identity import Scope
from domain.directory.record import OrganisationRole
from domain.values import Role
from projections.deliveries import Deliveries, Place, Told
from projections.outbox import Kept, Outbox

MOST_ID = 2**63 - 1
LOOK_AFTER = frozenset({Role.PMO, Role.AUDITOR})
LOOK_AFTER_ALL = frozenset({OrganisationRole.PMO, OrganisationRole.AUDITOR})
"""Who sees every delivery of a project, in it or in the organisation."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_PLACE = re.compile(r"([0-9]{1,16})~([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})~([0-9a-z._#-]{1,64})~([a-z]{1,20})")


class OutboxLine(Shape):
    """A message that was not sent."""

    id: int
    at: str
    event: str
    recipient: str
    channel: str
    state: str
    message_id: str
    language: str
    subject: str
    text: str
    html: str
    href: Annotated[str, Field(description="The message as a file that mail programs open.")]


class OutboxPage(Shape):
    """The newest first."""

    items: list[OutboxLine]
    next: str | None


class DeliveryLine(Shape):
    """One notice on its way to one person through one channel."""

    event: str
    recipient: str
    channel: Annotated[str, Field(description="`inbox`, `mail`, `chat`, `room`, or `digest`: it waits for one.")]
    state: Annotated[str, Field(description="`waiting`, `delivered`, `kept` in the outbox, or `failed`.")]
    attempts: int
    detail: Annotated[str, Field(description="What was said to the last attempt.")]
    since: str
    at: Annotated[str, Field(description="When the state was last noted.")]
    kind: str
    ref: str
    text: str
    project: str
    code: str


class DeliveryPage(Shape):
    """The newest notices first."""

    items: list[DeliveryLine]
    next: str | None


class PageParameters(Parameters):
    """How much."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many on a page.")] = 50
    cursor: Annotated[str | None, Field(max_length=120, description="`next` of the page before.")] = None


class OutboxParameters(PageParameters):
    """How much of the outbox, and whose."""

    whose: Annotated[
        str, Field(pattern="^(mine|everyone)$", description="`everyone` is for PMO officers who administer.")
    ] = "mine"


async def read_outbox(request: Request, asked: Annotated[OutboxParameters, Query()]) -> Response:
    """Messages as they would have been sent: no server is set, none took them, or the address is not confirmed."""
    behind = parts(request)
    everyone, who = asked.whose == "everyone", await reader_of(request)
    if everyone:
        await _check_officer(request)
    kept = Outbox(behind.store.pool, behind.vault)
    rows = await kept.page(_number(asked.cursor), asked.limit + 1, None if everyone else who.person, who)
    following = str(rows[asked.limit - 1].id) if len(rows) > asked.limit else None
    return said({"items": [_kept(row) for row in rows[: asked.limit]], "next": following})


async def read_letter(request: Request) -> Response:
    """One of these messages as a file that mail programs open; to its reader, or a PMO officer who administers."""
    behind, number = parts(request), whole(request.path_params["letter_id"], MOST_ID)
    who = await reader_of(request)
    kept = None if number is None else await Outbox(behind.store.pool, behind.vault).find(number, who)
    if kept is None:
        raise Problem("NoMessage")
    if kept.recipient != who.person:
        try:
            await _check_officer(request)
        except Problem:
            raise Problem("NoMessage") from None
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{kept.id}.eml"'}
    return Response(_file(kept), headers=headers, media_type="message/rfc822")


async def list_deliveries(request: Request, asked: Annotated[PageParameters, Query()]) -> Response:
    """What became of the caller's own notices beyond the inbox."""
    found, who = Deliveries(parts(request).store.pool), await reader_of(request)
    rows = await found.to(who, _before(asked.cursor), asked.limit + 1)
    return said(_page(rows, asked.limit, language_of(request)))


async def list_project_deliveries(request: Request, asked: Annotated[PageParameters, Query()]) -> Response:
    """What became of a project's notices: all of them for its PMO and auditors; else those one caused or was sent."""
    project, who = await seen_project(request, project_id(request.path_params["id"])), asker(request).principal
    whole = bool(project.team.roles(who) & LOOK_AFTER or (await reader_of(request)).roles & LOOK_AFTER_ALL)
    found = Deliveries(parts(request).store.pool)
    rows = await found.of_project(project.id, None if whole else who, _before(asked.cursor), asked.limit + 1)
    return said(_page(rows, asked.limit, language_of(request)))


async def _check_officer(request: Request) -> None:
    """Raises Problem (403)."""
    who = asker(request)
    if Scope.ADMINISTER not in who.scopes:
        raise Problem("ScopeMissing")
    if not await parts(request).is_officer(who.principal):
        raise Problem("ForOfficers")


def _number(cursor: str | None) -> int | None:
    if cursor is not None and whole(cursor, MOST_ID) is None:
        raise invalid("/query/cursor", "Give `next` of the page before, unchanged.")
    return None if cursor is None else whole(cursor, MOST_ID)


def _before(cursor: str | None) -> Place | None:
    """Where the page before ended. Raises Problem."""
    if cursor is None:
        return None
    found = _PLACE.fullmatch(cursor)
    if found is None:
        raise invalid("/query/cursor", "Give `next` of the page before, unchanged.")
    return EPOCH + int(found[1]) * MICROSECOND, UUID(found[2]), found[3], found[4]


def _page(rows: list[Told], limit: int, language: str) -> dict[str, Any]:
    last = rows[limit - 1] if len(rows) > limit else None
    following = last and f"{(last.since - EPOCH) // MICROSECOND}~{last.event_id}~{last.recipient}~{last.channel}"
    return {"items": [_delivery(row, language) for row in rows[:limit]], "next": following}


def _delivery(told: Told, language: str) -> dict[str, Any]:
    return {
        "event": str(told.event_id),
        "recipient": told.recipient,
        "channel": told.channel,
        "state": told.state,
        "attempts": told.attempts,
        "detail": told.detail,
        "since": moment(told.since),
        "at": moment(told.at),
        "kind": told.kind,
        "ref": told.ref,
        "text": told.text_zh if language == "zh" else told.text_en,
        "project": told.project_id,
        "code": told.code,
    }


def _kept(kept: Kept) -> dict[str, Any]:
    return {
        "id": kept.id,
        "at": moment(kept.at),
        "event": str(kept.event_id),
        "recipient": kept.recipient,
        "channel": kept.channel,
        "state": "kept",
        "message_id": kept.message_id,
        "language": kept.language,
        "subject": kept.subject,
        "text": kept.text,
        "html": kept.html,
        "href": f"/v1/outbox/{kept.id}/message.eml",
    }


def _file(kept: Kept) -> bytes:
    """As it would have gone over the wire; addresses are not in the outbox, so it is to a name."""
    mail = EmailMessage(SMTP)
    mail["To"], mail["Subject"] = f"{kept.recipient}:;", kept.subject
    mail["Date"], mail["Message-ID"] = format_datetime(kept.at), kept.message_id
    mail["Content-Language"] = kept.language
    mail.set_content(kept.text)
    if kept.html:
        mail.add_alternative(kept.html, subtype="html")
    return mail.as_bytes()


READING = (401, 403, 404, 422, 503)
OPERATIONS = (
    Operation("GET", "/v1/outbox", "readOutbox", "inbox", read_outbox, OutboxPage, problems=READING),
    Operation(
        "GET",
        "/v1/outbox/{letter_id}/message.eml",
        "readLetter",
        "inbox",
        read_letter,
        None,
        problems=READING,
        content={"message/rfc822": {"schema": {"type": "string", "format": "binary"}}},
        extra={"parameters": [path_parameter("letter_id", "A message of the outbox.")]},
    ),
    Operation("GET", "/v1/me/deliveries", "listDeliveries", "inbox", list_deliveries, DeliveryPage, problems=READING),
    Operation(
        "GET",
        "/v1/projects/{id}/deliveries",
        "listProjectDeliveries",
        "projects",
        list_project_deliveries,
        DeliveryPage,
        problems=READING,
        extra={"parameters": [path_parameter("id", "A project.")]},
    ),
)
