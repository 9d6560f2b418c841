"""The table of rights, cell by cell over HTTP: every command in every state, by everybody."""

import asyncio
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path

import pytest

from dev.embedded import EmbeddedPostgres
from domain.decider import COMMANDS
from domain.directory.record import OrganisationRole
from domain.permissions import RIGHTS, Bar, Standing, bar, barred, commands, holds
from domain.values import Role, Stage
from tests.api.asking import named
from tests.api.world import CAST, NEVER, PEOPLE, Person, Place, World, listed, told, world

STATES = (
    "kickoff",
    "KPI agreement",
    "execution",
    "change review",
    "retrospective",
    "on hold",
    "closed",
    "team",
    "confidential",
)
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "permissions.md"
BARS = frozenset(Bar)
STATUS = {Bar.UNAUTHENTICATED: 401, Bar.NO_PROJECT: 404, Bar.SYSTEM_ONLY: 403, Bar.WRONG_ROLE: 403}
"""Whatever else stands in the way is a conflict with the project's state: 409."""


@pytest.fixture(scope="module")
async def here(template: str, postgres: EmbeddedPostgres) -> AsyncIterator[World]:
    async with world(template, postgres) as made:
        yield made


async def cell(here: World, place: Place, command: str, person: Person, number: int) -> str | None:
    """What is wrong with one cell; None where the answer is what the table says."""
    kind, who = COMMANDS[command], person.people[number % len(person.people)]
    path = f"/v1/projects/{place.id}/{kind.route()}"
    answer = await here.api.post(path, kind.example, who, headers=NEVER)
    expected = barred(command, person.towards(place), place.stage, held=place.held)
    code, status = told(answer), answer.status_code
    if expected is None:
        fits = code not in BARS and status not in {200, 401} and status < 500
    else:
        fits = (code, status) == (expected, STATUS.get(expected, 409))
    return None if fits else f"{command} by {person.name} ({who}): {status} {code}, expected {expected or 'a way in'}"


@pytest.mark.parametrize("state", STATES)
async def test_every_command_in_this_state_is_for_those_whom_the_table_names(here: World, state: str) -> None:
    place, before = here.places[state], await here.versions()
    cells = [(command, person) for command, _ in commands() for person in PEOPLE]
    wrong: list[str | None] = []
    for start in range(0, len(cells), 16):
        some = enumerate(cells[start : start + 16], start)
        wrong += await asyncio.gather(*(cell(here, place, *found, number) for number, found in some))
    assert not any(wrong), listed(filter(None, wrong))
    assert len(wrong) == len(list(commands())) * len(PEOPLE) == len(set(cells))
    assert await here.versions() == before, "no cell has changed anything"


async def test_the_states_and_people_are_all_that_the_table_tells_apart(here: World) -> None:
    assert set(STATES) == set(here.places)
    assert {(p.stage, p.held) for p in here.places.values()} >= {
        (s, False) for k in COMMANDS.values() for s in k.stages
    }
    held = [await here.api.state(p.id) for p in here.places.values()]
    for state in held:
        for person in PEOPLE:
            for role in person.roles:
                assert set(person.people) <= set(state["people"][role]), (state["code"], role)


def test_the_page_says_what_is_asked() -> None:
    head, _, *rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    columns = [cell.strip() for cell in head.split("|")[2:-1]]
    said = {}
    for row in rows[: len(list(commands()))]:
        name, *marks = [cell.strip() for cell in row.split("|")[1:-1]]
        said[name[1 : name.index("]")]] = {column for column, mark in zip(columns, marks, strict=True) if mark}
    assert set(said) == set(dict(commands()))
    for name, kind in commands():
        for role, stage, held in product(CAST, [s for s in Stage if s is not Stage.CLOSED], (False, True)):
            marked = {role, stage.lower().replace("_", " ")} | ({"on hold"} if held else set()) <= said[name]
            assert (bar(kind, frozenset({role}), stage, held=held) is None) == marked, (name, role, stage, held)


def test_auditors_and_administrators_change_nothing_of_a_project() -> None:
    """An auditor who was asked may answer; nobody signs, proposes or assigns by a role of the organisation."""
    assert [name for name, kind in commands() if Role.AUDITOR in kind.roles] == ["AnswerConsult"]
    for role, (name, kind), stage in product(OrganisationRole, commands(), Stage):
        standing = Standing(organisation=frozenset({role}))
        assert barred(name, standing, stage) == Bar.WRONG_ROLE, (role, kind)
    administrator = Standing(organisation=frozenset({OrganisationRole.ADMINISTRATOR}))
    assert {right.code for right in RIGHTS.values() if right.organisation and not holds(right, administrator)} == {
        "ForAuditors",
        "NotPrivileged",
    }


async def test_the_lifecycles_own_commands_have_no_route(here: World) -> None:
    own = {name for name in COMMANDS if name not in dict(commands())} - {"StartProject"}
    for name in own:
        path = f"/v1/projects/{here.places['execution'].id}/{COMMANDS[name].route()}"
        answers = [await here.api.client.post(path, json={}, headers=named(p.people[0])) for p in PEOPLE]
        assert {answer.status_code for answer in answers} == {401, 404}
