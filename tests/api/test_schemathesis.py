"""What is served keeps to the contract whatever is sent, by whoever holds a token, and tells of nothing unseen."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
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
from auth.identity import Scope
from config import Settings
from dev.embedded import EmbeddedPostgres
from server import create_app
from tests.api.asking import named
from tests.api.conftest import served
from tests.api.hiding import Hidden, hide
from tests.api.journey import to_execution
from tests.api.world import ADMINISTRATOR, CAST, OFFICE, REVIEWER, STRANGE, World
from tests.conftest import Database
from tests.vaults import MASTER_TEXT

WHO = (*(people[0] for people in CAST.values()), OFFICE, REVIEWER, ADMINISTRATOR, STRANGE)
"""The five roles of a project, the three of the organisation, and none."""


@dataclass(frozen=True)
class Prepared:
    """A database with a project that all of them see, and one that none of them does."""

    database: Database
    project: str
    hidden: Hidden


@pytest.fixture(scope="module")
async def prepared(template: str, postgres: EmbeddedPostgres) -> AsyncIterator[Prepared]:
    async with served(template, postgres) as here:
        await World(here.api, here.behind).found()
        project = await to_execution(here.api)
        yield Prepared(here.database, project, await hide(here.api, here.behind.store))


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
            requests_per_minute=0,
            sign_in_attempts_per_minute=0,
        )
    )
    with asgi.get_client(app) as client:
        yield app, client


def token_of(client: Any, person: str) -> dict[str, str]:
    """A token of theirs that is good for everything a token can be good for."""
    wanted = {"name": "generated requests", "scopes": [scope.value for scope in Scope]}
    made = client.post("/v1/me/tokens", json=wanted, headers=named(person))
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.json()['secret']}"}


@dataclass(frozen=True)
class Trial:
    """Generated requests for one operation after another, each by everybody in turn."""

    client: Any
    tokens: dict[str, dict[str, str]]
    prepared: Prepared

    def of(self, operation: Any) -> None:
        """Raises where an answer breaks the contract, is a fault of ours or tells too much."""
        turns, everybody = cycle(self.tokens.items()), operation.path.startswith("/v1")

        @hypothesis.given(case=operation.as_strategy(), known=st.sampled_from((0, 1, 2)))
        @settings(
            max_examples=len(self.tokens) if everybody else 1,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def one(case: Any, known: int) -> None:
            who, headers = next(turns)
            if known and "id" in case.path_parameters:
                case.path_parameters["id"] = self.prepared.project if known == 1 else self.prepared.hidden.id
            self.ask(case, who, headers)

        one()

    def ask(self, case: Any, who: str, headers: dict[str, str]) -> None:
        """One request, and what may be said of its answer."""
        # Rules say no to much that has the right form; strangers are tried in the matrix.
        excluded = CHECKS.get_by_names(["positive_data_acceptance", "ignored_auth"])
        answer = case.call_and_validate(session=self.client, headers=headers, excluded_checks=excluded)
        asked = f"{case.path_parameters} {case.query} {case.headers} {case.body!r}"
        told = answer.content.decode(errors="replace") + str(answer.headers)
        leaks = [mark for mark in self.prepared.hidden.marks if mark in told and mark not in asked]
        assert not leaks, f"{who} learns {leaks} from {case.method} {case.path}: {told[:2000]}"


@pytest.mark.slow
def test_nothing_that_can_be_sent_breaks_the_contract_or_tells_too_much(prepared: Prepared) -> None:
    load_all_checks()
    with running(prepared.database) as (app, client):
        trial = Trial(client, {who: token_of(client, who) for who in WHO}, prepared)
        schema = schemathesis.openapi.from_dict(orjson.loads(contract()))
        schema.app = app
        for found in schema.get_all_operations():
            trial.of(cast(Any, found).ok())
