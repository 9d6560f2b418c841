"""The inbox, a decision with its vote, and the reader's own credentials."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from activities.messages import NoticeMessage
from domain.decider import COMMANDS
from projections.messages import Messages
from store.postgres import PostgresStore
from tests.api import journey
from tests.api.asking import PMO, PRODUCT, Api
from tests.conftest import Database
from tests.web.test_signing import link_of
from tests.web.visiting import Form, Reader, Visitor

APPROVE = {"/value": "APPROVE"}


@pytest.fixture
async def project(api: Api) -> str:
    """A KPI agreement waits to be signed by the PMO and the product manager."""
    made = await journey.to_kpi_agreement(api)
    await api.do(made, "propose-agreement", COMMANDS["ProposeAgreement"].example, PRODUCT)
    return made


@pytest.fixture
async def pmo(visitor: Visitor, store: PostgresStore) -> Visitor:
    """The PMO's browser."""
    await visitor.post(await link_of(store))
    return visitor


async def form_at(visitor: Visitor, path: str, ending: str) -> Form:
    answer = await visitor.get(path)
    assert answer.status_code == 200, answer.text
    return next(form for form in Reader(answer.text).forms if form.action.endswith(ending))


async def open_decision(api: Api, project: str) -> str:
    found = next(d for d in (await api.state(project))["decisions"] if d["open"])
    return f"/projects/{project}/decisions/{found['id']}"


async def test_the_inbox_leads_to_what_is_to_be_signed(pmo: Visitor, api: Api, project: str) -> None:
    page = (await pmo.get("/")).text
    assert await open_decision(api, project) in Reader(page).links
    assert "No messages yet" in page


async def test_an_empty_inbox_says_what_will_be_here(pmo: Visitor) -> None:
    assert "Nothing waits for you" in (await pmo.get("/?lang=en")).text
    assert "没有待办" in (await pmo.get("/?lang=zh")).text


async def test_what_is_overdue_says_so_in_words(pmo: Visitor, project: str, database: Database) -> None:
    assert "Overdue" not in (await pmo.get("/")).text
    connection = await asyncpg.connect(database.admin)
    await connection.execute("UPDATE tandem.duty SET due_at = now() - interval '1 day' WHERE due_at IS NOT NULL")
    await connection.close()
    assert "Overdue" in (await pmo.get("/")).text


async def test_a_message_is_new_until_it_is_marked_as_read(pmo: Visitor, project: str, store: PostgresStore) -> None:
    notice = NoticeMessage(
        event_id=str(uuid4()), recipient=PMO, project_id=project, code="P-1", kind="x", ref="", en="It rains", zh="下雨"
    )
    await Messages(store.pool).put(notice)
    page = (await pmo.get("/")).text
    assert "It rains" in page
    assert "New" in page
    form = next(form for form in Reader(page).forms if form.action.startswith("/messages/"))
    assert (await pmo.submit("/", form)).status_code == 303
    assert "Mark as read" not in (await pmo.get("/")).text


async def test_a_vote_on_the_page_signs_exactly_what_it_shows(pmo: Visitor, api: Api, project: str) -> None:
    path = await open_decision(api, project)
    page = (await pmo.get(path)).text
    state = await api.state(project)
    shown = next(d for d in state["decisions"] if d["open"])
    assert shown["subject"]["content_hash"] in page
    for kpi in state["agreement"]["proposal"]["kpis"]:
        assert kpi["name"] in page
    form = await form_at(pmo, path, path)
    signed = await pmo.submit(path, form, **APPROVE)
    assert (signed.status_code, signed.headers["location"].partition("?")[0]) == (303, path)
    after = next(d for d in (await api.state(project))["decisions"] if d["id"] == shown["id"])
    assert [(b["person"], b["choice"]) for b in after["ballots"]] == [(PMO, "APPROVE")]
    again = await pmo.submit(path, form, **APPROVE)
    assert again.status_code == 303
    assert PMO in (await pmo.get(path)).text


async def test_a_refusal_is_shown_in_place_with_its_rule_and_next_step(pmo: Visitor, api: Api, project: str) -> None:
    path = await open_decision(api, project)
    form = await form_at(pmo, path, path)
    refused = await pmo.submit(path, form, **{"/value": "REJECT"})
    assert refused.status_code == 422
    assert "DR5" in refused.text
    assert "Add `reason`" in refused.text
    assert 'value="REJECT" required checked' in refused.text
    assert "Not signed" in refused.text


async def test_a_refusal_on_a_chinese_page_is_in_chinese(pmo: Visitor, api: Api, project: str) -> None:
    path = await open_decision(api, project)
    form = await form_at(pmo, path, path)
    await pmo.get("/?lang=zh")
    refused = await pmo.submit(path, form, **{"/value": "REJECT"})
    assert refused.status_code == 422
    assert '<p lang="zh">“否决”须说明理由。</p>' in refused.text
    assert '<p lang="zh">→ 请填写 `reason`。</p>' in refused.text
    nowhere = await pmo.get(f"/projects/{project}/do/nonesuch")
    assert '<p lang="zh">此地址没有任何内容。</p>' in nowhere.text


async def test_content_that_was_replaced_is_not_signed(pmo: Visitor, api: Api, project: str) -> None:
    path = await open_decision(api, project)
    form = await form_at(pmo, path, path)
    stale = await pmo.submit(path, form, **APPROVE, **{"/content_hash": "0" * 64})
    assert stale.status_code == 409
    assert "was replaced meanwhile" in stale.text
    assert form.fields["/content_hash"] in stale.text


@pytest.mark.parametrize(
    "wrong",
    [{"/value": "PERHAPS"}, {"/revision": "x"}, {"/revision": "9" * 50}, {"/reason": "\x00"}, {"/slot": "'; --"}],
)
async def test_what_no_form_of_ours_sends_is_refused_and_breaks_nothing(
    wrong: dict[str, str], pmo: Visitor, api: Api, project: str
) -> None:
    path = await open_decision(api, project)
    form = await form_at(pmo, path, path)
    answer = await pmo.submit(path, form, **(APPROVE | wrong))
    assert answer.status_code in {404, 409, 422}, answer.text
    assert (await api.state(project))["decisions"][-1]["ballots"] == []


async def test_a_delegate_signs_in_the_other_persons_name(
    visitor: Visitor, api: Api, project: str, store: PostgresStore
) -> None:
    until = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
    await api.do(project, "assign-role", {"person": "he.yu", "role": "MEMBER", "reason": "x"})
    await api.do(project, "grant-delegation", {"to": "he.yu", "until": until, "reason": "On leave"})
    await visitor.post(await link_of(store, "he.yu"))
    path = await open_decision(api, project)
    form = await form_at(visitor, path, path)
    assert form.fields["/on_behalf_of"] == PMO, "without a seat of one's own there is nobody else to sign for"
    assert f">{PMO} (PMO)</option>" in (await visitor.get(path)).text, "a name is never spelled in another way"
    signed = await visitor.submit(path, form, **APPROVE)
    assert signed.status_code == 303, signed.text
    ballot = (await api.state(project))["decisions"][-1]["ballots"][0]
    assert (ballot["person"], ballot["principal"]) == (PMO, "he.yu")
    assert "he.yu" in (await visitor.get(path)).text


async def test_a_blocked_decision_says_why_and_what_to_do(pmo: Visitor, api: Api, project: str) -> None:
    path = await open_decision(api, project)
    assert "Not enough people may sign this" not in (await pmo.get(path)).text
    await api.do(project, "end-role", {"person": PRODUCT, "role": "PRODUCT_MANAGER", "reason": "Moves on"})
    page = (await pmo.get(path)).text
    assert "Not enough people may sign this (DR5)" in page
    assert "可签署的人员不足(DR5)" in (await pmo.get(path, **{"Accept-Language": "zh"})).text


async def test_links_of_earlier_mails_lead_to_the_decision(pmo: Visitor, api: Api, project: str) -> None:
    path = await open_decision(api, project)
    earlier = path.replace("/projects/", "/confirm/").replace("/decisions", "")
    assert (await pmo.get(earlier)).headers["location"] == path


async def test_what_was_signed_can_still_be_read(pmo: Visitor, project: str) -> None:
    page = (await pmo.get(f"/projects/{project}/decisions/D-1")).text
    assert COMMANDS["DraftCharter"].example["content"]["out_of_scope"][0] in page
    assert "Your vote" not in page


async def test_what_is_not_there_is_said_in_a_page(pmo: Visitor, project: str) -> None:
    for path in (f"/projects/{project}/decisions/D-99", "/projects/x/decisions/D-1"):
        answer = await pmo.get(path)
        assert answer.status_code in {404, 422}
        assert "To the inbox" in answer.text
    for number in ("0", "x", "9" * 40):
        assert (await pmo.post(f"/messages/{number}/read")).status_code == 404


async def test_a_token_is_shown_once_works_and_ends(pmo: Visitor) -> None:
    made = await pmo.post("/account/tokens", {"name": "script", "scopes": "read", "days": "30"})
    secret = re.findall(r"tdm_pat_[\w-]{20,}", made.text)[0]
    assert secret not in (await pmo.get("/account")).text
    headers = {"Authorization": f"Bearer {secret}"}
    assert (await pmo.client.get("/v1/me", headers=headers)).status_code == 200
    ending = next(form for form in Reader((await pmo.get("/account")).text).forms if "/account/tokens/" in form.action)
    assert (await pmo.submit("/account", ending)).status_code == 303
    assert (await pmo.client.get("/v1/me", headers=headers)).status_code == 401
    assert (await pmo.submit("/account", ending)).status_code == 404


@pytest.mark.parametrize("wrong", [{"name": ""}, {"name": "x", "scopes": "everything"}, {"name": "x", "days": "9999"}])
async def test_a_token_that_cannot_be_made_says_why(wrong: dict[str, str], pmo: Visitor) -> None:
    answer = await pmo.post("/account/tokens", {"scopes": "read", "days": "30"} | wrong)
    assert answer.status_code == 422
    assert "Please correct" in answer.text


async def test_ending_a_session_signs_that_browser_out(pmo: Visitor) -> None:
    ending = next(form for form in Reader((await pmo.get("/account")).text).forms if "/sessions/" in form.action)
    assert (await pmo.submit("/account", ending)).status_code == 303
    assert (await pmo.get("/account")).status_code == 303
