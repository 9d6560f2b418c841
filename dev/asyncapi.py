"""The AsyncAPI document, written from the registry of events: docs/reference/asyncapi.yaml.

A message for every shape that was ever stored, with the JSON schema of its data and an example from its golden
file. `python -m dev.reference` writes it with the other pages.
"""

import json
import sys
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from activities.cloud import MEDIA_TYPE, SEQUENCE_DIGITS, TEST_TYPE, type_of
from activities.folding import PREFIX
from api.shapes import EventState
from dev import golden
from dev.promises import ours
from domain.messages import EVENTS, Event

REF = "#/components/schemas/{model}"
PROJECT = "0198c1f2-7a10-7cc3-9d51-3b1f5a2c7e40"
LOG = "0198c1f0-1111-7000-8000-000000000001"
ABOUT = """What happens to projects, as events for programs.

There are three ways to get them: a live feed, consumers that ask at a pace of their own with a checkpoint that is
kept for them, and webhooks that are sent them, signed as Standard Webhooks say. Consumers and webhooks get
CloudEvents 1.0 in JSON, at least once, in order within a project; whoever has seen an `id` has seen the event.
A type ends in the version of its shape: new fields may come at any time, anything else is a new version."""


def document() -> dict[str, Any]:
    """The whole document."""
    messages = {message["name"]: message for message in _messages()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tandem events",
            "version": "1",
            "description": ABOUT,
            "license": {"name": "Apache 2.0"},
        },
        "defaultContentType": MEDIA_TYPE,
        "channels": _channels(list(messages)),
        "operations": _operations(),
        "components": {"schemas": _schemas(), "messages": messages | {"feed_event": _feed_event()}},
    }


@cache
def text() -> str:
    """The document as YAML."""
    # PyYAML has no types of its own, so its classes count as Any; it is for writing the reference alone.
    import yaml  # type: ignore[import-untyped]

    class Plain(yaml.SafeDumper):  # type: ignore[misc]
        """Writes everything out: no anchors, which readers of AsyncAPI rarely follow."""

        def ignore_aliases(self, _: Any) -> bool:
            return True

    note = "# Written by `python -m dev.reference`. Change the source, not this file.\n"
    return note + str(yaml.dump(document(), Dumper=Plain, sort_keys=False, allow_unicode=True, width=110))


def shapes() -> list[tuple[str, int, dict[str, Any]]]:
    """(name, version, example of its data) of every shape that was ever stored, from the golden files."""
    stored = [json.loads(path.read_text(encoding="utf-8")) for path in _files()]
    return [(shape["type"], shape["schema_version"], shape["data"]) for shape in stored]


def _files() -> list[Path]:
    return [path for path in sorted(golden.FOLDER.glob("*.json")) if ours(EVENTS[path.stem.partition(".")[0]])]


def _channels(names: list[str]) -> dict[str, Any]:
    events = {name: {"$ref": f"#/components/messages/{name}"} for name in names}
    only_events = {name: ref for name, ref in events.items() if name != TEST_TYPE}
    return {
        "feed": {
            "address": "/v1/events",
            "title": "Live feed",
            "description": "Server-sent events with `Accept: text/event-stream`; goes on after `Last-Event-ID`.",
            "messages": {"feed_event": {"$ref": "#/components/messages/feed_event"}},
        },
        "consumers": {
            "address": "/v1/consumers/{name}/events",
            "title": "Consumers",
            "description": "The next batch behind a checkpoint; acknowledged with a POST to /v1/consumers/{name}/ack.",
            "parameters": {"name": {"description": "A consumer of the caller's."}},
            "messages": only_events,
        },
        "webhooks": {
            "address": "{url}",
            "title": "Webhooks",
            "description": "One event a POST to the URL that was given to /v1/webhooks, signed with its secrets.",
            "parameters": {"url": {"description": "An endpoint of the receiver's."}},
            "messages": events,
        },
    }


def _operations() -> dict[str, Any]:
    """Seen from Tandem, which sends in every channel."""
    return {
        name: {"action": "send", "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}
        for name, channel, summary in (
            ("streamFeed", "feed", "Tell live what happens in all projects."),
            ("handBatch", "consumers", "Give a consumer its next events, under a lease."),
            ("deliverEvent", "webhooks", "Send an event to an endpoint, and again for days until it is taken."),
        )
    }


def _messages() -> Iterator[dict[str, Any]]:
    for name, version, data in shapes():
        kind, current = EVENTS[name], EVENTS[name].schema_version == version
        schema = {"$ref": REF.format(model=name)} if current else {"type": "object"}
        yield _message(type_of(name, version, _prefix(kind)), kind, schema, data)
    test: dict[str, Any] = {"webhook": PROJECT}
    wanted: dict[str, Any] = {"type": "object", "required": ["webhook"], "properties": {"webhook": {"type": "string"}}}
    yield {
        "name": TEST_TYPE,
        "title": "Test",
        "summary": "Tells of nothing: its owner tries an endpoint.",
        "contentType": MEDIA_TYPE,
        "headers": {"$ref": "#/components/schemas/WebhookHeaders"},
        "payload": _payload(TEST_TYPE, "TestContext", wanted),
        "examples": [{"name": "test", "payload": _context(TEST_TYPE) | {"data": test}}],
    }


def _prefix(kind: type[Event]) -> str:
    """How the streams are called that such events are in: a concept beside the projects names its own."""
    return str(getattr(sys.modules[kind.__module__], "PREFIX", PREFIX))


def _message(told: str, kind: type[Event], schema: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    example = _context(told) | _of_a_project() | {"data": data}
    return {
        "name": told,
        "title": kind.__name__,
        "summary": cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " "),
        "description": f"{kind.en}\n\n{kind.zh}",
        "contentType": MEDIA_TYPE,
        "payload": _payload(told, "EventContext", schema),
        "examples": [{"name": "stored", "payload": example}],
    }


def _payload(told: str, context: str, schema: dict[str, Any]) -> dict[str, Any]:
    own = {"type": "object", "properties": {"type": {"const": told}, "data": schema}}
    return {"allOf": [{"$ref": REF.format(model=context)}, own]}


def _context(told: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "9f0c1d5e-2b7a-5c11-8a3d-5e6f7a8b9c0d",
        "source": f"tandem/{LOG}",
        "type": told,
        "subject": PROJECT,
        "time": "2026-03-02T01:00:00Z",
        "datacontenttype": "application/json",
    }


def _of_a_project() -> dict[str, Any]:
    return {
        "sequence": f"{41:0{SEQUENCE_DIGITS}}",
        "streamversion": 7,
        "effectivetime": "2026-03-02T01:00:00Z",
        "actor": "li.wei",
        "sealed": False,
        "leafhash": "0f" * 32,
    }


def _feed_event() -> dict[str, Any]:
    return {
        "name": "feed_event",
        "title": "An event in the live feed",
        "summary": "The event as its reader sees it, with a sentence; `id` of the server-sent event is its position.",
        "contentType": "text/event-stream",
        "payload": {"$ref": REF.format(model="EventState")},
    }


def _schemas() -> dict[str, Any]:
    kinds = sorted(filter(ours, EVENTS.values()), key=lambda kind: kind.__name__)
    models: list[Any] = [(kind, "serialization") for kind in (*kinds, EventState)]
    _, whole = models_json_schema(models, ref_template=REF)
    return {"TestContext": TEST_CONTEXT, "EventContext": EVENT_CONTEXT, "WebhookHeaders": HEADERS, **whole["$defs"]}


def _texts(**about: str) -> dict[str, Any]:
    return {name: {"type": "string", "description": words} for name, words in about.items()}


_CONTEXT = _texts(
    id="The event's id: the same however often it is sent.",
    source="The log that it is in, for ever the same.",
    type="What happened, and the version of its shape.",
    subject="The project, or what else it is about.",
)
_CONTEXT |= {
    "specversion": {"const": "1.0"},
    "time": {"type": "string", "format": "date-time", "description": "When it was recorded."},
    "datacontenttype": {"const": "application/json"},
}
_ALWAYS = ["specversion", "id", "source", "type", "subject", "time"]
TEST_CONTEXT: dict[str, Any] = {"type": "object", "required": [*_ALWAYS, "data"], "properties": _CONTEXT}
EVENT_CONTEXT: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0. While `sealed` is true there is no `data`: it is closed to outsiders for now.",
    "required": [*_ALWAYS, "sequence", "streamversion", "effectivetime", "actor", "sealed", "leafhash"],
    "properties": _CONTEXT
    | _texts(
        actor="Who did it.",
        onbehalfof="For whom, where it was for somebody else.",
        leafhash="SHA-256 over the event, as it stands in the log's Merkle tree.",
    )
    | {
        "sequence": {"type": "string", "pattern": "^[0-9]{16}$", "description": "Its position, with leading zeros."},
        "streamversion": {"type": "integer", "minimum": 1, "description": "The project's version with this event."},
        "effectivetime": {"type": "string", "format": "date-time", "description": "When it took effect."},
        "sealed": {"type": "boolean", "description": "Whether its content is closed for now."},
    },
    "if": {"properties": {"sealed": {"const": False}}},
    "then": {"required": ["data", "datacontenttype"]},
}
HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "As Standard Webhooks say.",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {"type": "string", "description": "The event's id."},
        "webhook-timestamp": {"type": "string", "pattern": "^[0-9]+$", "description": "Seconds since 1970."},
        "webhook-signature": {
            "type": "string",
            "pattern": "^v1,[A-Za-z0-9+/=]+( v1,[A-Za-z0-9+/=]+)*$",
            "description": "HMAC-SHA-256 over id, timestamp and body; one for each live secret.",
        },
    },
}
