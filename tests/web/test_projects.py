"""A project's page, and every command of it as a form."""

import re

import pytest

from domain.decider import COMMANDS
from store.postgres import PostgresStore
from tests.api import journey
from tests.api.asking import AUDITOR, MEMBER, PMO, PRODUCT, Api
from tests.web.test_signing import link_of
from tests.web.visiting import Form, Reader, Visitor


@pytest.fixture
async def project(api: Api) -> str:
    return await api.start()


@pytest.fixture
async def pmo(visitor: Visitor, store: PostgresStore) -> Visitor:
    """The PMO's browser."""
    await visitor.post(await link_of(store))
    return visitor


def form_of(page: str) -> Form:
    """The form of the page's own matter."""
    return next(form for form in Reader(page).forms if "key" in form.fields)


async def test_the_page_says_where_the_project_stands_and_what_one_may_do(pmo: Visitor, api: Api, project: str) -> None:
    page = (await pmo.get(f"/projects/{project}")).text
    assert "P-00001 Member portal" in page
    assert "everybody who is signed in" in page
    may, may_not = page.split("<details><summary>What is not possible")
    assert f"/projects/{project}/do/draft-charter" in Reader(may).links
    for needless in ("resume-project", "confirm-role", "submit-change"):
        assert f"/projects/{project}/do/{needless}" not in Reader(page).links
    assert "This belongs to execution, change review; the project is in kickoff." in may_not
    assert "There is nothing in the project that it could be about." in may_not
    for event in (await api.get(f"/v1/projects/{project}/events")).json()["items"]:
        assert event["sentence"] in page


async def test_the_page_speaks_the_readers_language(pmo: Visitor, api: Api, project: str) -> None:
    await api.do(project, "draft-charter", COMMANDS["DraftCharter"].example)
    await api.do(project, "propose-charter", {"revision": 1})
    page = (await pmo.get(f"/projects/{project}?lang=zh")).text
    for words in ("P-00001 章程(第 1 版)", "pei.min 发起决策 D-1(章程):P-00001 章程(第 1 版)", "催办", "启动"):
        assert words in page or words == "催办"
    assert "Charter of" not in page
    assert "催办" in (await pmo.get(f"/projects/{project}/decisions/D-1")).text


async def test_whoever_may_do_nothing_is_told_why(visitor: Visitor, store: PostgresStore, project: str) -> None:
    await visitor.post(await link_of(store, AUDITOR))
    page = (await visitor.get(f"/projects/{project}")).text
    assert "Nothing at present" in page
    assert "This is for these roles of the project" in page


async def test_the_list_shows_ones_own_or_all(visitor: Visitor, store: PostgresStore, project: str) -> None:
    await visitor.post(await link_of(store, "zhou.hui"))
    assert "you hold no role in any" in (await visitor.get("/projects")).text
    assert f"/projects/{project}" in Reader((await visitor.get("/projects?all=yes")).text).links
    assert (await visitor.get("/projects?after=x")).status_code == 422


async def test_a_confidential_project_is_no_project_for_others(
    visitor: Visitor, store: PostgresStore, api: Api, project: str
) -> None:
    await api.do(project, "change-visibility", {"visibility": "CONFIDENTIAL", "reason": "Merger"})
    await visitor.post(await link_of(store, "zhou.hui"))
    assert f"/projects/{project}" not in Reader((await visitor.get("/projects?all=yes")).text).links
    for path in ("", "/decisions/D-1", "/do/hold-project"):
        answer = await visitor.get(f"/projects/{project}{path}")
        assert answer.status_code == 404
        assert "Member portal" not in answer.text
    assert (await visitor.post(f"/projects/{project}/do/hold-project", {"/reason": "x"})).status_code == 404


async def test_a_command_is_done_by_its_form_and_the_next_page_says_what_happened(
    pmo: Visitor, api: Api, project: str
) -> None:
    path = f"/projects/{project}/do/draft-charter"
    form = form_of((await pmo.get(path)).text)
    typed = form_fields(COMMANDS["DraftCharter"].example["content"], "/content")
    done = await pmo.submit(path, form, **typed)
    assert (done.status_code, done.headers["location"].partition("?")[0]) == (303, f"/projects/{project}")
    assert "pei.min drafted revision 1 of the charter" in (await pmo.get(done.headers["location"])).text
    again = form_of((await pmo.get(path)).text)
    assert again.fields["/content/purpose"] == typed["/content/purpose"]
    assert (await api.state(project))["charter"]["revision"] == 1


def form_fields(content: object, name: str) -> dict[str, str]:
    """A JSON value as a form has it."""
    if isinstance(content, dict):
        parts = [form_fields(value, f"{name}/{key}") for key, value in content.items()]
        return {key: value for part in parts for key, value in part.items()}
    if isinstance(content, list) and content and isinstance(content[0], dict):
        parts = [form_fields(value, f"{name}/{index}") for index, value in enumerate(content)]
        return {key: value for part in parts for key, value in part.items()}
    return {name: "\r\n".join(content) if isinstance(content, list) else str(content)}


async def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(pmo: Visitor, project: str) -> None:
    path = f"/projects/{project}/do/assign-role"
    form = form_of((await pmo.get(path)).text)
    refused = await pmo.submit(path, form, **{"/person": "Li Wei", "/role": "MEMBER", "/reason": "Joins <us>"})
    assert refused.status_code == 422
    assert 'value="Li Wei"' in refused.text
    assert "Joins &lt;us&gt;" in refused.text
    invalid = re.search(r'<input id="f-person"[^>]*aria-invalid="true"', refused.text)
    assert invalid, refused.text
    assert "This is not written as it should be." in refused.text
    assert "格式不正确" in (await pmo.submit(f"{path}?lang=zh", form, **{"/person": "Li Wei"})).text


async def test_one_more_row_does_nothing_but_give_a_row(pmo: Visitor, api: Api, project: str) -> None:
    path = f"/projects/{project}/do/draft-charter"
    form = form_of((await pmo.get(path)).text)
    assert "/content/raci/2/activity" not in form.fields
    version = (await api.state(project))["version"]
    typed = {"/content/raci/0/activity": "Plan", "/content/raci/1/activity": "Scope"}
    more = form_of((await pmo.submit(path, form, more="/content/raci", **typed)).text)
    assert more.fields["/content/raci/0/activity"] == "Plan"
    assert "/content/raci/2/activity" in more.fields
    assert (await api.state(project))["version"] == version


async def test_a_form_sent_twice_counts_once(pmo: Visitor, api: Api, project: str) -> None:
    path = f"/projects/{project}/do/assign-role"
    form = form_of((await pmo.get(path)).text)
    for _ in range(2):
        sent = await pmo.submit(path, form, **{"/person": "chen.yu", "/role": "MEMBER", "/reason": "x"})
        assert sent.status_code == 303
    grants = (await api.state(project))["grants"]
    assert [grant["person"] for grant in grants].count("chen.yu") == 1


async def test_a_link_fills_in_what_is_named_and_nothing_that_is_said(pmo: Visitor, project: str) -> None:
    query = "person=chen.yu&role=MEMBER&reason=Evil&nothing=1"
    form = form_of((await pmo.get(f"/projects/{project}/do/assign-role?{query}")).text)
    assert (form.fields["/person"], form.fields["/role"], form.fields["/reason"]) == ("chen.yu", "MEMBER", "")


async def test_what_is_no_command_or_not_for_people_has_no_form(pmo: Visitor, project: str) -> None:
    for command in ("pass-time", "start-project", "x", "AssignRole"):
        assert (await pmo.get(f"/projects/{project}/do/{command}")).status_code == 404
        assert (await pmo.post(f"/projects/{project}/do/{command}", {})).status_code == 404
    assert (await pmo.get(f"/projects/{project}/do/vote?decision=D-9")).headers["location"] == f"/projects/{project}"


async def test_a_project_is_started_by_its_form(pmo: Visitor, api: Api) -> None:
    form = form_of((await pmo.get("/projects/new")).text)
    started = await pmo.submit("/projects/new", form, **form_fields(COMMANDS["StartProject"].example, ""))
    assert started.status_code == 303, started.text
    page = await pmo.get(started.headers["location"])
    assert "Member portal" in page.text
    assert "Done" in page.text
    wrong = await pmo.submit("/projects/new", form, **{"/title": ""})
    assert wrong.status_code == 422
    assert "This is needed." in wrong.text


async def test_a_decision_offers_what_else_may_be_done_with_it(
    visitor: Visitor, api: Api, store: PostgresStore
) -> None:
    project = await journey.to_kpi_agreement(api)
    await api.do(project, "propose-agreement", COMMANDS["ProposeAgreement"].example, PRODUCT)
    await api.do(project, "consult", {"decision": "D-2", "person": MEMBER, "question": "Is it feasible?"}, PRODUCT)
    await visitor.post(await link_of(store, MEMBER))
    page = (await visitor.get(f"/projects/{project}/decisions/D-2")).text
    answer = f"/projects/{project}/do/answer-consult?decision=D-2"
    assert answer in Reader(page).links
    form = form_of((await visitor.get(answer)).text)
    assert form.fields["/decision"] == "D-2"
    sent = await visitor.submit(answer.partition("?")[0], form, **{"/question": "Q-1", "/answer": "It is"})
    assert sent.headers["location"].startswith(f"/projects/{project}/decisions/D-2?done=")
    page = (await visitor.get(sent.headers["location"])).text
    assert answer not in Reader(page).links
    assert "✓ It is" in page


async def test_nudging_is_one_button_of_the_inbox(visitor: Visitor, api: Api, store: PostgresStore) -> None:
    project = await journey.to_kpi_agreement(api)
    await api.do(project, "propose-agreement", COMMANDS["ProposeAgreement"].example, PRODUCT)
    await visitor.post(await link_of(store, PRODUCT))
    page = (await visitor.get("/")).text
    assert f"Waits for: {PMO}, {PRODUCT}" in page
    nudge = next(form for form in Reader(page).forms if form.action.endswith("/do/nudge-approvers"))
    assert (await visitor.submit("/", nudge)).headers["location"] == "/"
    assert (await api.state(project))["decisions"][1]["nudges"] == 1
