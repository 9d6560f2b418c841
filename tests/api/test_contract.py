"""The contract: docs/reference/openapi.json is what is served, and what is served keeps to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import hypothesis
import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.python import asgi

from api.__main__ import contract
from api.commands import routed
from api.contract import operations
from config import Settings
from domain.decider import COMMANDS
from server import create_app
from tests.api.asking import START, Api, named
from tests.conftest import Database
from tests.vaults import MASTER_TEXT

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


@contextmanager
def running(database: Database) -> Iterator[tuple[Any, Any]]:
    """The whole server on a database, Temporal away, and a client that keeps it running."""
    app: Any = create_app(
        Settings(
            _env_file=None,
            mode="development",
            database_url=SecretStr(database.app),
            temporal_address="127.0.0.1:1",
            vault_key=SecretStr(MASTER_TEXT),
        )
    )
    with asgi.get_client(app) as client:
        yield app, client


@pytest.mark.slow
def test_nothing_that_can_be_sent_breaks_the_contract(database: Database) -> None:
    """Generated requests for every operation, half of them on a project that exists."""
    load_all_checks()
    with running(database) as (app, client):
        me = named(START["people"]["pmo"])
        project = client.post("/v1/projects", json=START, headers=me).json()["id"]
        draft = COMMANDS["DraftCharter"].example
        assert client.post(f"/v1/projects/{project}/draft-charter", json=draft, headers=me).status_code == 200
        schema = schemathesis.openapi.from_dict(orjson.loads(contract()))
        schema.app = app
        for found in schema.get_all_operations():
            _try(cast(Any, found).ok(), client, me, project)


def _try(operation: Any, client: Any, me: dict[str, str], project: str) -> None:
    @hypothesis.given(case=operation.as_strategy(), known=st.booleans())
    @settings(
        max_examples=6,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def one(case: Any, known: bool) -> None:
        if known and "id" in case.path_parameters:
            case.path_parameters["id"] = project
        # Rules say no to much that has the right form.
        excluded = CHECKS.get_by_names(["positive_data_acceptance"])
        case.call_and_validate(session=client, headers=me, excluded_checks=excluded)

    one()
