"""Pages tell no more than the API: for whoever does not see a project there is none, on any of them."""

from itertools import product
from uuid import uuid4

import pytest

from store.postgres import PostgresStore
from tests.api import hiding
from tests.api.asking import Api
from tests.api.hiding import Hidden, hide
from tests.web.test_signing import link_of
from tests.web.visiting import Visitor
from web.app import CLOSED

STRANGER = "mo.sheng"
FILLED = {"decision": ["D-1"], "command": ["draft-charter", "vote", "change-visibility", "no-such-command"]}


@pytest.fixture
async def hidden(api: Api, store: PostgresStore, visitor: Visitor) -> Hidden:
    """A confidential project; the browser is a stranger's."""
    made = await hide(api, store)
    await visitor.post(await link_of(store, STRANGER))
    return made


def addresses(method: str) -> list[tuple[str, bool]]:
    """Every page for whoever is signed in, `*` standing for a project; and whether it is of one."""
    found = []
    for path in (path for at, path, _ in CLOSED if at == method):
        names = [name for name in FILLED if f"{{{name}}}" in path]
        for values in product(*(FILLED[name] for name in names)):
            filled = path.replace("{id}", "*")
            for name, value in zip(names, values, strict=True):
                filled = filled.replace(f"{{{name}}}", value)
            if "{" not in filled:
                found.append((filled, "*" in filled))
    return found


async def test_a_page_of_an_unseen_project_is_that_of_none(visitor: Visitor, hidden: Hidden) -> None:
    of_a_project = [(method, path) for method in ("GET", "POST") for path, own in addresses(method) if own]
    assert len(of_a_project) > 10
    for method, path in of_a_project:
        ask = visitor.get if method == "GET" else visitor.post
        there, nowhere = await ask(path.replace("*", hidden.id)), await ask(path.replace("*", hidden.absent))
        assert there.status_code == nowhere.status_code == 404, (method, path)
        assert there.text.replace(hidden.id, "*") == nowhere.text.replace(hidden.absent, "*"), (method, path)


async def test_no_other_page_names_it(visitor: Visitor, hidden: Hidden) -> None:
    pages = [path for path, own in addresses("GET") if not own]
    for path in (*pages, f"/projects?person={hiding.OFFICE}", f"/permissions?project={uuid4()}"):
        answer = await visitor.get(path)
        assert answer.status_code < 500, path
        assert not [mark for mark in hidden.marks if mark in answer.text and mark not in path], path


async def test_its_own_people_see_it_on_their_pages(visitor: Visitor, hidden: Hidden, store: PostgresStore) -> None:
    await visitor.post(await link_of(store, hiding.OFFICE))
    for path in ("/", "/projects", f"/projects/{hidden.id}", f"/projects/{hidden.id}/decisions/D-1"):
        assert hidden.code in (await visitor.get(path)).text, path
