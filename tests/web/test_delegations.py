"""Signing for one another, over all projects of the reader."""

from datetime import UTC, datetime, timedelta

import pytest

from store.postgres import PostgresStore
from tests.api.asking import MEMBER, PMO, PRODUCT, Api
from tests.web.test_projects import form_of
from tests.web.test_signing import link_of
from tests.web.visiting import Reader, Visitor

UNTIL = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
LEAVE = {"/to": MEMBER, "/until": UNTIL, "/reason": "On leave"}


@pytest.fixture
async def projects(api: Api) -> list[str]:
    return [await api.start() for _ in range(2)]


@pytest.fixture
async def product(visitor: Visitor, store: PostgresStore) -> Visitor:
    """The product manager's browser."""
    await visitor.post(await link_of(store, PRODUCT))
    return visitor


async def test_one_delegates_in_several_projects_at_once_and_ends_one(
    product: Visitor, api: Api, projects: list[str]
) -> None:
    page = (await product.get("/delegations")).text
    assert "Nobody signs for you" in page
    form = form_of(page)
    form.several += [("projects", project) for project in projects]
    given = await product.submit("/delegations", form, **LEAVE)
    assert given.status_code == 303, given.text
    page = (await product.get("/delegations")).text
    assert page.count(f"{MEMBER} signs for {PRODUCT}") == 2
    assert page.count(f"– {UNTIL} ") == 2, "the last day is said as it was chosen"
    ending = [form for form in Reader(page).forms if form.action.endswith("/do/end-delegation")]
    assert (await product.submit("/delegations", ending[0])).headers["location"] == "/delegations"
    page = (await product.get("/delegations")).text
    assert len([form for form in Reader(page).forms if form.action.endswith("/do/end-delegation")]) == 1


async def test_where_one_project_refuses_it_says_so_and_the_other_has_it(
    product: Visitor, api: Api, projects: list[str]
) -> None:
    await api.do(projects[0], "grant-delegation", {"to": MEMBER, "until": UNTIL, "reason": "x"}, PRODUCT)
    form = form_of((await product.get("/delegations")).text)
    form.several += [("projects", project) for project in projects]
    refused = await product.submit("/delegations", form, **LEAVE)
    assert refused.status_code == 422
    assert "Delegation overlaps" in refused.text
    assert 'value="On leave"' in refused.text
    page = (await product.get("/delegations")).text
    assert page.count(f"{MEMBER} signs for {PRODUCT}") == 2


async def test_no_project_or_a_foreign_one_is_refused(product: Visitor, api: Api, projects: list[str]) -> None:
    form = form_of((await product.get("/delegations")).text)
    for chosen in ([], ["x"], ["01a20ed3-174d-7611-9e68-8522ab59412a"]):
        form.several = [("projects", one) for one in chosen]
        answer = await product.submit("/delegations", form, **LEAVE)
        assert answer.status_code == 422
        assert "Choose at least one" in answer.text


async def test_the_pmo_sets_one_for_somebody_absent_and_sees_it(
    visitor: Visitor, api: Api, store: PostgresStore, projects: list[str]
) -> None:
    await visitor.post(await link_of(store, PMO))
    form = form_of((await visitor.get("/delegations")).text)
    form.several.append(("projects", projects[0]))
    given = await visitor.submit("/delegations", form, **LEAVE, **{"/person": PRODUCT})
    assert given.status_code == 303, given.text
    page = (await visitor.get("/delegations")).text
    assert "Others, where you are PMO" in page
    assert f"set by {PMO}" in page
    await visitor.post("/sign-out")
    await visitor.post(await link_of(store, MEMBER))
    page = (await visitor.get("/delegations")).text
    assert f"{MEMBER} signs for {PRODUCT}" in page.split("For whom you sign")[1]


async def test_whoever_has_no_role_has_nothing_to_delegate(visitor: Visitor, store: PostgresStore) -> None:
    await visitor.post(await link_of(store, "zhou.hui"))
    page = (await visitor.get("/delegations")).text
    assert "there is nothing to delegate" in page
    assert "You sign for nobody" in page
