"""Webhooks: endpoints that are sent events. Sending is the worker's; here owners say what and whereto."""

import secrets
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid5

import orjson
from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from activities.cloud import TEST_TYPE
from activities.webhooks import digest
from api import shapes
from api.asking import idempotency_key, no_query, whole
from api.feeding import MOST_OWNED, Body, Position, Wanted, checked_position, projects_of, read, said, uuid_of
from api.ids import uuid7
from api.operation import KEY, WRITING, Operation, path_parameter
from api.parts import Parts, asker, parts
from api.plain import moment, plain
from api.problems import Problem, invalid
from api.projects import Parameters
from api.sight import seen_event
from notifications.addresses import AddressRefused, checked_url
from store.webhooks import Line, Webhook

BY_KEY = UUID("5b3f5f0e-6d0e-5c0e-9a57-0f1f6b9c2f11")
"""Ids of what was asked for with an Idempotency-Key: the same key, the same id."""
SECRET_BYTES = 32
MOST_RESENT = 500
MOST_OVERLAP_HOURS = 168
MOST_NUMBER = 2**63 - 1
READING = (401, 403, 404, 422, 503)
ID = path_parameter("webhook_id", "A webhook of the caller's.")
Url = Annotated[str, Field(min_length=1, max_length=2000, description="Where events are posted to.")]
Description = Annotated[str, Field(max_length=200, pattern=r"^[^\u0000-\u001f]*$")]


class WebhookBody(Wanted):
    """An endpoint, and what it is sent."""

    url: Url
    description: Description = ""
    after: Annotated[Position | None, Field(description="Begin behind this position; else with what comes now.")] = None


class WebhookChange(Wanted):
    """What is to change; what is left out stays. `null` takes a filter away."""

    url: Annotated[Url | None, Field(description="Where events are posted to from now on.")] = None
    description: Description | None = None
    enabled: Annotated[bool | None, Field(description="Enabled again, it goes on where it had stopped.")] = None


class Rotation(Body):
    """How long the secret before stays live."""

    overlap_hours: Annotated[int, Field(ge=0, le=MOST_OVERLAP_HOURS)] = 24


class Nothing(Body):
    """No fields."""


class Resend(Body):
    """One event by its id, or the events between two positions, both included."""

    event: Annotated[str | None, Field(max_length=36, description="An event's id.")] = None
    first: Annotated[int | None, Field(ge=0, le=2**53)] = None
    last: Annotated[int | None, Field(ge=0, le=2**53)] = None


class LogParameters(Parameters):
    """Which attempts."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many on a page.")] = 50
    cursor: Annotated[str | None, Field(max_length=30, description="`next` of the page before.")] = None
    event: Annotated[str | None, Field(max_length=36, description="Only of the event with this id.")] = None
    state: Annotated[str | None, Field(pattern="^(delivered|retrying|failed)$", description="Only in this state.")] = (
        None
    )


async def create_webhook(request: Request) -> Response:
    """Have events posted to a URL. The answer has the secret, which is never shown again.

    The same `Idempotency-Key` again makes no second one; its answer comes without the secret.
    """
    behind, key = parts(request), idempotency_key(request)
    wanted = await read(request, WebhookBody)
    _check_url(behind, wanted.url)
    who, newest = asker(request).principal, await behind.store.head() - 1
    after = newest if wanted.after is None else await checked_position(behind, wanted.after, "/after")
    fresh = _fresh(wanted, who, uuid7() if key is None else uuid5(BY_KEY, f"{who}\n{key}"), after)
    secret = _new_secret()
    kept = await behind.webhooks.create(fresh, secret, MOST_OWNED)
    if kept is None:
        return said(_shown(await _made_before(behind, fresh), newest))
    return said(_shown(kept, newest) | {"secret": secret}, 201, Location=f"/v1/webhooks/{kept.id}")


async def list_webhooks(request: Request) -> Response:
    """The caller's webhooks, the oldest first."""
    no_query(request)
    behind = parts(request)
    newest = await behind.store.head() - 1
    found = await behind.webhooks.of(asker(request).principal)
    return said({"items": [_shown(webhook, newest) for webhook in found], "next": None})


async def read_webhook(request: Request) -> Response:
    """Where a webhook stands: how far it is, what is behind, whether it is paused or disabled and why."""
    no_query(request)
    behind = parts(request)
    return said(_shown(await _existing(behind, request), await behind.store.head() - 1))


async def change_webhook(request: Request) -> Response:
    """Change a webhook. Enabled again, or given another URL, it tries at once what had failed."""
    behind, before = parts(request), await _existing(parts(request), request)
    change = await read(request, WebhookChange)
    after = _changed(before, change)
    if change.url is not None:
        _check_url(behind, change.url)
    afresh = after.enabled and (not before.enabled or after.url != before.url)
    await behind.webhooks.change(after, afresh=afresh)
    return said(_shown(await _existing(behind, request), await behind.store.head() - 1))


async def delete_webhook(request: Request) -> Response:
    """Send nothing more, and forget the endpoint, its secrets and its log."""
    no_query(request)
    if not await parts(request).webhooks.remove(asker(request).principal, _id(request)):
        raise Problem("NoWebhook")
    return Response(status_code=204)


async def rotate_secret(request: Request) -> Response:
    """Make a new secret, shown once. The one before signs beside it for `overlap_hours`; older ones end now."""
    behind, key = parts(request), idempotency_key(request)
    webhook, wanted = await _existing(behind, request), await read(request, Rotation)
    overlap = timedelta(hours=wanted.overlap_hours)
    secret = await behind.webhooks.rotate(webhook.id, _new_secret(), overlap, key)
    return said({"secret": secret, "old_until": moment(datetime.now(UTC) + overlap)})


async def send_test(request: Request) -> Response:
    """Send an event that tells of nothing, once; what came of it is in the log."""
    behind, key = parts(request), idempotency_key(request)
    await read(request, Nothing)
    webhook = _enabled(await _existing(behind, request))
    event = uuid7() if key is None else uuid5(BY_KEY, f"{webhook.id}\n{key}")
    if not await behind.webhooks.log(webhook.id, await behind.sight.keys(webhook.owner), 1, event=event):
        await behind.webhooks.ask_for_test(webhook.id, event)
    return said({"events": [str(event)]}, 202)


async def resend(request: Request) -> Response:
    """Send events again, whether they were delivered or not, under the ids that they have.

    Between positions only what the webhook's filter lets through, and at most 500 events.
    """
    idempotency_key(request)
    behind = parts(request)
    webhook, wanted = _enabled(await _existing(behind, request)), await read(request, Resend)
    if (wanted.event is None) == (wanted.first is None) or (wanted.first is None) != (wanted.last is None):
        raise invalid("/event", "Give either `event`, or `first` and `last`.")
    if wanted.event is not None:
        facts = [await seen_event(request, uuid_of(wanted.event, "NoEvent"))]
    else:
        first, last = wanted.first or 0, wanted.last or 0
        keys = await behind.sight.keys(webhook.owner)
        facts = await behind.webhooks.between(keys, webhook.wanted, first, last, MOST_RESENT + 1)
        if len(facts) > MOST_RESENT:
            raise invalid("/last", f"These are more than {MOST_RESENT} events: send them in parts.")
    await behind.webhooks.ask_again(webhook.id, facts)
    return said({"events": [str(fact.event_id) for fact in facts]}, 202)


async def read_log(request: Request, asked: Annotated[LogParameters, Query()]) -> Response:
    """What became of each attempt to deliver, the latest first. Kept for 30 days."""
    behind = parts(request)
    webhook = await _existing(behind, request)
    event = None if asked.event is None else uuid_of(asked.event, "NoEvent")
    before = None if asked.cursor is None else _number(asked.cursor)
    only, keys = {"before": before, "event": event, "state": asked.state}, await behind.sight.keys(webhook.owner)
    lines = await behind.webhooks.log(webhook.id, keys, asked.limit + 1, **only)
    following = str(lines[asked.limit - 1].id) if len(lines) > asked.limit else None
    return said({"items": [_line(line) for line in lines[: asked.limit]], "next": following})


async def read_attempt(request: Request) -> Response:
    """One attempt with the event as it would be sent now, and whether that is what was sent then."""
    no_query(request)
    behind = parts(request)
    webhook = await _existing(behind, request)
    number, keys = _number(request.path_params["attempt"], "NoDelivery"), await behind.sight.keys(webhook.owner)
    line = await behind.webhooks.line(webhook.id, keys, number)
    if line is None:
        raise Problem("NoDelivery")
    body = await _body(behind, line)
    told = {"body": None if body is None else orjson.Fragment(body)}
    return said(_line(line) | told | {"body_as_sent": body is not None and digest(body) == line.body_hash})


async def _body(behind: Parts, line: Line) -> bytes | None:
    """The event as programs get it; None for a test, whose body is not kept."""
    fact = None if line.type == TEST_TYPE else await behind.store.event_by_id(line.event_id)
    return None if fact is None else await behind.cloud.body(fact)


def _new_secret() -> str:
    return "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _id(request: Request) -> UUID:
    return uuid_of(request.path_params["webhook_id"], "NoWebhook")


async def _existing(behind: Parts, request: Request) -> Webhook:
    found = await behind.webhooks.get(asker(request).principal, _id(request))
    if found is None:
        raise Problem("NoWebhook")
    return found


def _enabled(webhook: Webhook) -> Webhook:
    if not webhook.enabled:
        raise Problem("WebhookDisabled")
    return webhook


def _check_url(behind: Parts, url: str) -> None:
    try:
        checked_url(url, private=behind.private_addresses)
    except AddressRefused as refused:
        raise Problem(
            "AddressRefused", str(refused), errors=[{"pointer": "/url", "code": "refused", "message": str(refused)}]
        ) from None


def _fresh(wanted: WebhookBody, owner: str, webhook_id: UUID, after: int) -> Webhook:
    now, meant = datetime.now(UTC), wanted.filter
    return Webhook(
        id=webhook_id,
        owner=owner,
        url=wanted.url,
        description=wanted.description,
        types=meant.types,
        streams=meant.streams,
        enabled=True,
        disabled_because=None,
        checkpoint=after,
        created_at=now,
        changed_at=now,
        paused_until=None,
        last_success_at=None,
        lanes=0,
    )


async def _made_before(behind: Parts, fresh: Webhook) -> Webhook:
    """What the same key has made. Raises Problem where it was for something else, or where there are too many."""
    known = await behind.webhooks.get(fresh.owner, fresh.id)
    if known is None:
        raise Problem("TooManyFeeds")
    if (known.url, known.wanted) != (fresh.url, fresh.wanted):
        raise Problem("KeyReused")
    return known


def _changed(before: Webhook, change: WebhookChange) -> Webhook:
    given, meant = change.model_fields_set, change.filter
    return replace(
        before,
        url=before.url if change.url is None else change.url,
        description=before.description if change.description is None else change.description,
        enabled=before.enabled if change.enabled is None else change.enabled,
        types=meant.types if "types" in given else before.types,
        streams=meant.streams if "projects" in given else before.streams,
    )


def _number(text: str, otherwise: str = "") -> int:
    if (number := whole(text, MOST_NUMBER)) is not None:
        return number
    raise Problem(otherwise) if otherwise else invalid("/query/cursor", "Give `next` of the page before, unchanged.")


def _shown(webhook: Webhook, newest: int) -> dict[str, Any]:
    return {
        "id": str(webhook.id),
        "url": webhook.url,
        "description": webhook.description,
        "types": webhook.types,
        "projects": projects_of(list(webhook.streams) if webhook.streams is not None else None),
        "enabled": webhook.enabled,
        "disabled_because": webhook.disabled_because,
        "checkpoint": webhook.checkpoint,
        "newest": newest,
        "lag": max(0, newest - webhook.checkpoint),
        "behind": webhook.lanes,
        "paused_until": plain(webhook.paused_until),
        "last_success_at": plain(webhook.last_success_at),
        "created_at": moment(webhook.created_at),
        "changed_at": moment(webhook.changed_at),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "id": line.id,
        "at": moment(line.at),
        "event": str(line.event_id),
        "type": line.type,
        "position": line.position,
        "kind": line.kind,
        "attempt": line.attempt,
        "state": line.state,
        "status": line.status,
        "latency_ms": line.latency_ms,
        "problem": line.problem,
        "answer": line.answer,
        "next_at": plain(line.next_at),
        "bytes": line.size,
    }


def _one(method: str, rest: str, name: str, answers: Any, shape: type[BaseModel] | None, **more: Any) -> Operation:
    extra = {"parameters": [ID, *more.pop("also", ())]}
    return Operation(
        method,
        f"/v1/webhooks/{{webhook_id}}{rest}",
        name,
        "feeds",
        answers,
        shape,
        extra=extra,
        **{"problems": READING, **more},
    )


def _sent(rest: str, name: str, answers: Any, shape: type[BaseModel], body: type[BaseModel], **more: Any) -> Operation:
    return _one("POST", rest, name, answers, shape, problems=WRITING, body=body, also=(KEY,), **more)


OPERATIONS = (
    Operation(
        "POST",
        "/v1/webhooks",
        "createWebhook",
        "feeds",
        create_webhook,
        shapes.WebhookState,
        status=201,
        problems=WRITING,
        body=WebhookBody,
        others={200: {"description": "The same key has made it before.", "model": shapes.WebhookState}},
        extra={"parameters": [KEY]},
    ),
    Operation("GET", "/v1/webhooks", "listWebhooks", "feeds", list_webhooks, shapes.WebhookList, problems=READING),
    _one("GET", "", "readWebhook", read_webhook, shapes.WebhookState),
    _one("PATCH", "", "changeWebhook", change_webhook, shapes.WebhookState, problems=WRITING, body=WebhookChange),
    _one("DELETE", "", "deleteWebhook", delete_webhook, None, status=204),
    _sent("/rotate", "rotateWebhookSecret", rotate_secret, shapes.FreshSecret, Rotation),
    _sent("/test", "sendTest", send_test, shapes.Queued, Nothing, status=202),
    _sent("/resend", "resendEvents", resend, shapes.Queued, Resend, status=202),
    _one("GET", "/deliveries", "readDeliveries", read_log, shapes.DeliveryList),
    _one(
        "GET",
        "/deliveries/{attempt}",
        "readDelivery",
        read_attempt,
        shapes.DeliveryState,
        also=(path_parameter("attempt", "Its `id` in the log."),),
    ),
)
