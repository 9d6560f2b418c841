"""The AsyncAPI document: whole, valid, and served as it is kept."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from activities.cloud import type_of
from dev import asyncapi
from domain.messages import EVENTS
from tests.api.asking import PMO, Api
from tests.api.journey import to_retrospective

KEPT = Path(__file__).parents[2] / "docs" / "reference" / "asyncapi.yaml"
DOCUMENT: dict[str, Any] = yaml.load(KEPT.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  both are safe
REFERENCE = {
    "type": "object",
    "required": ["$ref"],
    "properties": {"$ref": {"type": "string"}},
    "additionalProperties": False,
}
MESSAGE = {
    "type": "object",
    "required": ["name", "title", "summary", "contentType", "payload"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "title": {"type": "string"},
        "summary": {"type": "string", "minLength": 1},
        "description": {"type": "string"},
        "contentType": {"type": "string", "pattern": "^[a-z]+/[a-z+.-]+$"},
        "headers": {"type": "object"},
        "payload": {"type": "object"},
        "examples": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["payload"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "summary": {"type": "string"},
                    "headers": {"type": "object"},
                    "payload": {"type": "object"},
                },
            },
        },
    },
}
CHANNEL = {
    "type": "object",
    "required": ["address", "messages"],
    "additionalProperties": False,
    "properties": {
        "address": {"type": ["string", "null"]},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "messages": {"type": "object", "minProperties": 1, "additionalProperties": REFERENCE},
        "parameters": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z0-9_-]+$"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"description": {"type": "string"}},
            },
        },
    },
}
OPERATION = {
    "type": "object",
    "required": ["action", "channel"],
    "additionalProperties": False,
    "properties": {
        "action": {"enum": ["send", "receive"]},
        "channel": REFERENCE,
        "summary": {"type": "string"},
        "messages": {"type": "array", "items": REFERENCE},
    },
}
KEYS = {"pattern": r"^[\w.\-]+$"}
ASYNCAPI = {
    "type": "object",
    "required": ["asyncapi", "info", "channels", "operations", "components"],
    "additionalProperties": False,
    "properties": {
        "asyncapi": {"const": "3.0.0"},
        "defaultContentType": {"type": "string"},
        "info": {
            "type": "object",
            "required": ["title", "version"],
            "additionalProperties": False,
            "properties": {
                "title": {"type": "string"},
                "version": {"type": "string"},
                "description": {"type": "string"},
                "license": {"type": "object", "required": ["name"]},
            },
        },
        "channels": {"type": "object", "propertyNames": KEYS, "additionalProperties": CHANNEL},
        "operations": {"type": "object", "propertyNames": KEYS, "additionalProperties": OPERATION},
        "components": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "schemas": {"type": "object", "propertyNames": KEYS},
                "messages": {"type": "object", "propertyNames": KEYS, "additionalProperties": MESSAGE},
            },
        },
    },
}
"""As much of the specification as the document uses; nothing else may be in it."""
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
OF_EVENTS = sorted(set(MESSAGES) - {"feed_event"})


def check(payload: dict[str, Any], schema: dict[str, Any]) -> None:
    """The payload against a schema of the document; raises ValidationError."""
    jsonschema.Draft202012Validator({"components": DOCUMENT["components"], **schema}).validate(payload)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_it_is_asyncapi_3() -> None:
    jsonschema.validate(DOCUMENT, ASYNCAPI)


def test_every_reference_leads_somewhere() -> None:
    for reference in set(references(DOCUMENT)):
        node = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        assert node


def test_parameters_are_those_of_the_address() -> None:
    for channel in DOCUMENT["channels"].values():
        assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel.get("parameters", {}))


def test_every_shape_that_was_ever_stored_has_a_message_in_both_channels() -> None:
    stored = {type_of(name, version, asyncapi._prefix(EVENTS[name])) for name, version, _ in asyncapi.shapes()}
    assert stored == set(OF_EVENTS) - {"tandem.webhook.test.v1"}
    assert set(DOCUMENT["channels"]["consumers"]["messages"]) == stored
    assert set(DOCUMENT["channels"]["webhooks"]["messages"]) == set(OF_EVENTS)


@pytest.mark.parametrize("name", OF_EVENTS)
def test_every_example_is_valid(name: str) -> None:
    message = MESSAGES[name]
    for example in message["examples"]:
        check(example["payload"], message["payload"])
        with pytest.raises(jsonschema.ValidationError):
            check(example["payload"] | {"type": "tandem.project.other.v1"}, message["payload"])


def test_data_may_be_missing_only_while_it_is_sealed() -> None:
    message = MESSAGES["tandem.project.evaluation_submitted.v1"]
    whole = message["examples"][0]["payload"]
    closed = {name: value for name, value in whole.items() if name not in {"data", "datacontenttype"}}
    check(closed | {"sealed": True}, message["payload"])
    with pytest.raises(jsonschema.ValidationError):
        check(closed, message["payload"])


async def test_what_a_consumer_gets_is_what_the_document_says(api: Api) -> None:
    await to_retrospective(api)
    await api.client.put("/v1/consumers/c", json={}, headers={"Authorization": f"Bearer dev:{PMO}"})
    items = (await api.get("/v1/consumers/c/events", params={"limit": 500})).json()["items"]
    assert len(items) > 20
    for item in items:
        check(item, MESSAGES[item["type"]]["payload"])
    feed = (await api.get("/v1/events", params={"limit": 200})).json()["items"]
    for event in feed:
        check(event, MESSAGES["feed_event"]["payload"])


async def test_it_is_served_as_it_is_kept(api: Api) -> None:
    answer = await api.get("/asyncapi.yaml", None)
    assert (answer.status_code, answer.content) == (200, KEPT.read_bytes())
    assert answer.headers["content-type"].startswith("application/yaml")
    assert asyncapi.text().encode() == KEPT.read_bytes(), "run: python -m dev.reference"


def test_it_reads_the_same_as_json() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT
