"""Pages are for those who are signed in, and tell nobody of a project that they do not see, nor that it is there."""

import pytest

from api.parts import Parts
from store.postgres import PostgresStore
from tests.api.asking import Api
from tests.api.hiding import AUDITOR, Hidden, hide
from tests.api.hiding import OFFICE as ITS_OFFICE
from tests.api.world import ADMINISTRATOR, OFFICE, REVIEWER, STRANGE, World
from tests.web.test_signing import link_of
from tests.web.visiting import Visitor
from web.app import CLOSED, OPEN

NAMED = {"command": "hold-project", "decision": "D-1", "letter_id": "1", "message": "1", "item": "1", "token": "none"}
QUERIES = {"/projects": ("?all=yes", f"?person={ITS_OFFICE}")}


@pytest.fixture
async def hidden(api: Api, behind: Parts, store: PostgresStore) -> Hidden:
    await World(api, behind).found()
    return await hide(api, store)


def addresses(method: str, project: str) -> list[str]:
    """Every page of the table that is asked for in this way, about this project where it is about one."""
    found = []
    for _, path, _ in (row for row in CLOSED if row[0] == method):
        for name, value in {**NAMED, "id": project}.items():
            path = path.replace(f"{{{name}}}", value)
        found += [path + query for query in ("", *QUERIES.get(path, ()))]
    return found


async def told(visitor: Visitor, method: str, path: str) -> tuple[int, str, str]:
    """Status, where to, and the text of a page."""
    answer = await (visitor.get(path) if method == "GET" else visitor.post(path, {}))
    assert answer.status_code < 500, path
    return answer.status_code, answer.headers.get("location", ""), answer.text


async def test_strangers_are_led_to_the_sign_in_from_every_page(visitor: Visitor, hidden: Hidden) -> None:
    for method in ("GET", "POST"):
        for path in addresses(method, hidden.id):
            status, location, _ = await told(visitor, method, path)
            assert (status, location.partition("?")[0]) == (303, "/sign-in"), path
    assert all(path.startswith(("/sign-in", "/start", "/sign-out")) for _, path, _ in OPEN)


@pytest.mark.parametrize("reader", [STRANGE, OFFICE, REVIEWER, ADMINISTRATOR])
async def test_a_hidden_project_is_on_no_page_of_others(
    reader: str, visitor: Visitor, store: PostgresStore, hidden: Hidden
) -> None:
    await visitor.post(await link_of(store, reader))
    for method, language in (("GET", "en"), ("GET", "zh"), ("POST", "en")):
        await visitor.get(f"/?lang={language}")
        for mine, nobodys in zip(addresses(method, hidden.id), addresses(method, hidden.absent), strict=True):
            seen, never = await told(visitor, method, mine), await told(visitor, method, nobodys)
            leaks = [mark for mark in hidden.marks if mark in seen[2] and mark not in mine]
            assert not leaks, (mine, leaks)
            if mine != nobodys:
                assert seen[0] == 404, (method, mine)
                assert (seen[0], seen[2].replace(hidden.id, "*")) == (never[0], never[2].replace(hidden.absent, "*"))


async def test_its_own_auditor_finds_it(visitor: Visitor, store: PostgresStore, hidden: Hidden) -> None:
    await visitor.post(await link_of(store, AUDITOR))
    assert hidden.id in (await told(visitor, "GET", "/projects?all=yes"))[2]
    for path in (f"/projects/{hidden.id}", f"/projects/{hidden.id}/decisions/D-1"):
        assert (await told(visitor, "GET", path))[0] == 200
