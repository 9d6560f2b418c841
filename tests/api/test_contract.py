"""The contract: docs/reference/openapi.json is what is served, and what is served keeps to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from api.__main__ import contract
from api.commands import routed
from api.contract import operations
from tests.api.asking import Api

KEPT = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


def test_the_kept_document_is_up_to_date() -> None:
    assert KEPT.read_bytes() == contract(), "write it anew: python -m api docs/reference/openapi.json"


async def test_the_served_document_is_the_kept_one(api: Api) -> None:
    assert (await api.get("/openapi.json", None)).json() == orjson.loads(KEPT.read_bytes())


def test_every_command_has_its_operation() -> None:
    document = orjson.loads(contract())
    for name, kind in routed().items():
        operation = document["paths"][f"/v1/projects/{{id}}/{kind.route()}"]["post"]
        assert operation["operationId"] == name[0].lower() + name[1:]
        assert operation["description"].startswith((kind.__doc__ or "").split("\n")[0])
        body = operation["requestBody"]["content"]["application/json"]
        assert body["schema"] == {"$ref": f"#/components/schemas/{name}"}
        assert body["example"] == kind.example
        assert operation["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}


def test_operations_are_told_apart_and_every_reference_leads_somewhere() -> None:
    document = orjson.loads(contract())
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids)) == sum(operation.listed for operation in operations())
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


def references(node: Any) -> Iterator[str]:
    """Every $ref below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)
