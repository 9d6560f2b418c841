"""The table of rights, cell by cell over HTTP: every operation that is no command on a project, by everybody."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from starlette.routing import Route

from api.app import build
from api.contract import operations
from api.operation import Operation
from api.parts import Installation, Surroundings
from api.permissions import ON_PROJECTS
from api.scim import ROUTES as SCIM
from auth.credentials import Credentials
from auth.development import DevelopmentAuthenticator
from auth.guard import scope_needed
from auth.identity import Scope
from auth.sessions import Sessions
from auth.tokens import Tokens
from dev.embedded import EmbeddedPostgres
from domain.directory.catalog import COMMANDS as DIRECTORY_COMMANDS
from domain.keeping.person import HoldPerson, RequestErasure
from domain.permissions import RIGHTS, Bar, barred, commands, holds, lacking
from tests.api.asking import PMO, START, Api, named
from tests.api.world import NEVER, PEOPLE, Person, Place, World, listed, told, world

NOBODY = "keiner.da"
"""Whom nothing speaks of: what is allowed changes nothing of anybody."""
PATH = {"person": NOBODY, "decision": "D-1", "name": "none", "attempt": "1", "code": "WrongRole", "team": "none"}
OTHERS = [operation for operation in operations() if operation.name not in ON_PROJECTS]
STARTED = START | {"people": {"sponsor": "a.sponsor", "pmo": NOBODY, "product_manager": "a.product"}}
QUERY = {"readDiff": "?from=1&to=1", "readDecision": "?as_of=1"}
KIND = {"importDirectory": "text/csv"}
WRITTEN = {kind.__name__[0].lower() + kind.__name__[1:]: kind.example for kind in DIRECTORY_COMMANDS} | {
    "startProject": STARTED,
    "submitBulk": {"items": [{"project": str(uuid4()), "command": "vote"}]},
    "requestErasure": RequestErasure.example,
    "holdPerson": HoldPerson.example,
    "endOrganisationRole": {"grant": "R-99"},
    "importPeople": {"rows": [{"person": "li.wei"}]},
    "invitePerson": {"person": NOBODY},
}
BODIES = {name: json.dumps(body) for name, body in WRITTEN.items()} | {
    "importDirectory": "person,team,role\nli.wei,,\n"
}
CODES = frozenset(Bar) | {right.code for right in RIGHTS.values()} | {"ScopeMissing"}


@pytest.fixture(scope="module")
async def here(template: str, postgres: EmbeddedPostgres) -> AsyncIterator[World]:
    async with world(template, postgres) as made:
        yield made


@dataclass(frozen=True)
class Cell:
    """One operation, about one project or none, by somebody; `themselves`: about the person who asks."""

    operation: Operation
    place: Place | None
    person: Person
    themselves: bool = False

    async def ask(self, api: Api) -> httpx2.Response:
        """With names of nobody and nothing where nothing is named, so that what is allowed changes nothing."""
        who, asked = self.person.people[-1], self.operation
        given = PATH | ({} if self.place is None else {"id": self.place.id})
        given |= {"person": who or NOBODY} if self.themselves else {}
        path = re.sub(r"\{(\w+)\}", lambda part: given.get(part[1], str(uuid4())), asked.path)
        headers = {**named(who), **NEVER, "Content-Type": KIND.get(asked.name, "application/json")}
        body = BODIES.get(asked.name, "{}" if asked.method in {"POST", "PUT", "PATCH"} else None)
        if self.themselves and body is not None:
            body = body.replace(NOBODY, who or NOBODY)
        return await api.client.request(asked.method, path + QUERY.get(asked.name, ""), content=body, headers=headers)

    async def wrong(self, api: Api) -> str | None:
        """What is wrong with the answer; None where it is what the table says."""
        standing = replace(self.person.towards(self.place), themselves=self.themselves)
        expected, answer = lacking(self.operation.name, standing), await self.ask(api)
        code, status = told(answer), answer.status_code
        if expected is None:
            fits = code not in CODES and status not in {401, 405, 415} and status < 500
        else:
            fits = (code, status) == (expected, {"Unauthenticated": 401, "NoProject": 404}.get(expected, 403))
        said = f"{self.operation.name} by {self.person.name} (themselves: {self.themselves}): {status} {code}"
        return None if fits else f"{said}, expected {expected or 'a way in'}"


def cells_of(operation: Operation, world: World) -> list[Cell]:
    """Everybody, about a project that all see and one that its own people see, about nobody and about themselves."""
    about = (world.places["confidential"], world.places["execution"]) if "{id}" in operation.path else (None,)
    whom = (False, True) if RIGHTS[operation.name].themselves else (False,)
    return [Cell(operation, *rest) for rest in product(about, PEOPLE, whom)]


@pytest.mark.parametrize("tag", sorted({operation.tag for operation in OTHERS}))
async def test_every_operation_of_this_kind_is_for_those_whom_the_table_names(here: World, tag: str) -> None:
    before, asked = await here.versions(), [operation for operation in OTHERS if operation.tag == tag]
    wrong: list[str | None] = []
    for operation in asked:
        wrong += await asyncio.gather(*(cell.wrong(here.api) for cell in cells_of(operation, here)))
    assert not any(wrong), listed(filter(None, wrong))
    times = [(("{id}" in one.path) + 1) * (RIGHTS[one.name].themselves + 1) for one in asked]
    assert len(wrong) == sum(times) * len(PEOPLE)
    assert await here.versions() == before, "no cell has changed a project"


def test_every_operation_has_its_row_and_every_row_its_operation() -> None:
    assert {operation.name for operation in operations()} == ON_PROJECTS | set(RIGHTS)
    assert not ON_PROJECTS & set(RIGHTS)


async def test_what_has_no_row_is_denied_to_everybody(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RIGHTS, "readMe")
    around = Surroundings(DevelopmentAuthenticator(), Installation("0.0.test", "inst-1"), here.behind)
    transport = httpx2.ASGITransport(app=build(around))
    async with httpx2.AsyncClient(transport=transport, base_url="http://tandem.test") as client:
        for person in PEOPLE:
            answer = await client.get("/v1/me", headers=named(person.people[0]))
            expected = (403, "NotAllowed") if person.towards(None).known else (401, "Unauthenticated")
            assert (answer.status_code, told(answer)) == expected


@pytest.mark.parametrize("scope", Scope)
async def test_a_token_reaches_no_further_than_its_scope(here: World, scope: Scope) -> None:
    pool = here.behind.store.pool
    until = datetime.now(UTC) + timedelta(days=1)
    secret, _ = await Tokens(pool).make(PMO, "personal", "one scope", (scope,), until, PMO)
    around = Surroundings(Credentials(Tokens(pool), Sessions(pool)), Installation("0.0.test", "inst-1"), here.behind)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", **NEVER}
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=build(around)), base_url="http://t.test"
    ) as client:
        for operation in operations():
            if not operation.path.startswith("/v1/"):
                continue
            path = re.sub(r"\{\w+\}", str(uuid4()), operation.path)
            answer = await client.request(operation.method, path, content="{}", headers=headers)
            missing = scope_needed(operation.method, path) is not scope
            assert (told(answer) == "ScopeMissing") == missing, (operation.name, answer.status_code, told(answer))


@pytest.mark.parametrize("route", SCIM, ids=lambda route: f"{min(route.methods)} {route.path}")
async def test_what_identity_providers_do_is_for_none_of_them(here: World, route: Route) -> None:
    for person in PEOPLE:
        headers = {**named(person.people[0]), "Content-Type": "application/scim+json"}
        path = route.path.replace("{id}", "li.wei")
        method = next(iter((route.methods or set()) - {"HEAD"}))
        answer = await here.api.client.request(method, path, content="{}", headers=headers)
        assert answer.status_code == (403 if person.towards(None).known else 401), person.name


async def test_the_table_is_told_and_what_of_it_applies(here: World) -> None:
    told_to = {person.name: await _told(here, person, "execution") for person in PEOPLE if person.towards(None).known}
    for person in PEOPLE:
        if person.name not in told_to:
            continue
        for row in told_to[person.name]["commands"]:
            standing, place = person.towards(here.places["execution"]), here.places["execution"]
            expected = barred(row["command"], standing, place.stage)
            assert (row["allowed"], row["why"]) == (expected is None, expected), (person.name, row["command"])
        for row in told_to[person.name]["operations"]:
            assert row["allowed"] == holds(RIGHTS[row["operation"]], person.towards(None)), row["operation"]


async def _told(here: World, person: Person, place: str) -> dict[str, Any]:
    answer = await here.api.get(f"/v1/permissions?project={here.places[place].id}", person.people[0])
    assert answer.status_code == 200, answer.text
    told_so: dict[str, Any] = answer.json()
    assert [row["command"] for row in told_so["commands"]] == [name for name, _ in commands()]
    return told_so
