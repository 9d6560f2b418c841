"""Whoever does not see a project learns nothing of it, whatever they ask (docs/governance.md, V4)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from api.parts import Surroundings
from dev.embedded import EmbeddedPostgres
from domain.decider import COMMANDS
from store.postgres import PostgresStore
from tests.api import hiding
from tests.api.asking import MEMBER, PMO, Api, named
from tests.api.conftest import served
from tests.api.hiding import Hidden, hide
from tests.api.journey import to_kpi_agreement
from tests.api.leaking import Walk, counted
from tests.audit.building import seal
from tests.rosters import FixedRoster, directory_of

LESSON = COMMANDS["CaptureLesson"].example
OFFICE, REVIEWER, LATE, KEEPER, STRANGER = "bao.lan", "shen.ji", "shen.two", "guan.li", "mo.sheng"
READERS = (STRANGER, MEMBER, PMO, OFFICE, REVIEWER, KEEPER)
VARIANTS: dict[str, dict[str, Any]] = {
    "as in the contract": {},
    "unknown fields": {"json": {"nonsense": 1}},
    "no object": {"json": [1]},
    "signed only": {"query": "?sign=only"},
    "at a version": {"headers": {"If-Match": '"1"'}},
    "waiting": {"headers": {"Prefer": "wait=1"}},
    "not JSON": {"headers": {"Content-Type": "text/plain"}},
}


DIRECTORY = directory_of(
    {OFFICE: ["PMO"], REVIEWER: ["AUDITOR"], LATE: ["AUDITOR"], KEEPER: ["ADMINISTRATOR"]}, {"finance": [STRANGER]}
)


@dataclass
class World:
    """Everything that goes on, and a walk through it."""

    walk: Walk
    around: Surroundings
    before: dict[str, dict[str, int]]
    """How many items each list had for each reader before there was the hidden project."""


@pytest.fixture(scope="module")
async def world(template: str, postgres: EmbeddedPostgres) -> AsyncIterator[World]:
    """Somebody else's project, then the hidden one; and a consumer of everybody who will ask."""
    async with served(template, postgres) as here:
        here.behind.door.sight.roster = FixedRoster(DIRECTORY)
        yield await built(here.api, here.behind.store, here.around)


async def built(api: Api, store: PostgresStore, around: Surroundings) -> World:
    await to_kpi_agreement(api)
    await seal(store)
    for who in READERS:
        made = await api.client.put("/v1/consumers/all", json={}, headers=named(who))
        assert made.status_code == 201, made.text
    document = (await api.get("/openapi.json", None)).json()
    before = {who: await counted(Walk(api, document, Hidden("-", "-")), who) for who in READERS}
    return World(Walk(api, document, await hide(api, store)), around, before)


async def test_no_list_has_more_items_because_of_it(world: World) -> None:
    for who in READERS:
        assert await counted(world.walk, who) == world.before[who], who


async def test_neither_lists_nor_looks_nor_refusals_tell_of_it(world: World) -> None:
    walk = replace(world.walk, leaks=[])
    for who in READERS:
        await walk.lists(who, costly=who == REVIEWER)
    for who in READERS:
        await walk.looks(who)
    await walk.commands(STRANGER, {"as in the contract": {}})
    for who in READERS:
        await walk.commands(who, VARIANTS, "hold-project")
    await walk.lists(LATE)
    assert not walk.leaks, f"{len(walk.leaks)} of {walk.asked}:\n" + "\n".join(walk.leaks[:30])
    assert walk.asked > 800


async def test_its_own_auditor_finds_all_of_it(world: World) -> None:
    """Else the test above would find nothing because there is nothing."""
    walk = replace(world.walk, leaks=[])
    await walk.lists(hiding.AUDITOR)
    told = "\n".join(walk.leaks)
    for mark in ("/v1/projects as", "/v1/events as", "/v1/audit/events as", "/v1/audit/refusals as"):
        assert mark in told, told
    assert {word for word in hiding.WORDS if word in told} == set(hiding.WORDS[:5])


async def test_feeds_pass_over_it(world: World) -> None:
    walk, api, around = world.walk, world.walk.api, world.around
    for who in (STRANGER, OFFICE):
        around.closing.clear()
        listening = asyncio.create_task(api.get("/v1/events?after=-1", who, headers={"Accept": "text/event-stream"}))
        await asyncio.sleep(0.2)
        await api.do(walk.hidden.id, "capture-lesson", LESSON | {"text": hiding.WORDS[0]}, hiding.MEMBER)
        await asyncio.sleep(0.2)
        around.closing.set()
        text = (await listening).text
        assert "ProjectStarted" in text
        batch = (await api.get("/v1/consumers/all/events?limit=500", who)).text
        assert "project_started" in batch
        assert not [mark for mark in walk.hidden.marks if mark in text + batch]


async def test_sending_many_or_an_old_key_tells_nothing(world: World) -> None:
    walk, api, hidden = world.walk, world.walk.api, world.walk.hidden
    key = {"Idempotency-Key": "the-one"}
    body = {"reason": "Wait"}
    assert (await api.post(f"/v1/projects/{hidden.id}/hold-project", body, hiding.OFFICE, headers=key)).is_success
    answers = []
    for project in (hidden.id, hidden.absent):
        items = [{"project": project, "command": "hold-project", "data": data} for data in (body, {"x": 1})]
        many = await api.post("/v1/bulk", {"items": items}, STRANGER, headers=key)
        alone = await api.post(f"/v1/projects/{project}/hold-project", body, STRANGER, headers=key)
        answers.append([walk._plain(many), walk._plain(alone)])
    assert answers[0] == answers[1]
    assert [result["status"] for result in many.json()["items"]] == [404, 404]


async def test_nothing_of_it_is_sent_again(world: World) -> None:
    walk, api, hidden = world.walk, world.walk.api, world.walk.hidden
    asked = {"url": "https://hooks.example.com/in", "after": -1, "projects": [hidden.id, hidden.absent]}
    path = f"/v1/webhooks/{(await api.post('/v1/webhooks', asked, STRANGER)).json()['id']}/resend"
    pair = [await api.post(path, {"event": one}, STRANGER) for one in hidden.values("event")[0]]
    assert walk._plain(pair[0]) == walk._plain(pair[1])
    assert (await api.post(path, {"first": 0, "last": 400}, STRANGER)).json() == {"events": []}
