"""The audit view: what is asked for is found, in every form, by whoever may see it; and every look is noted."""

import csv
import io
from datetime import datetime
from typing import Any
from urllib.parse import quote

import asyncpg
import orjson
import pytest
from python_calamine import CalamineWorkbook

from activities.indexing import Indexer
from api import exports
from api.audit_rows import changed
from api.exports import safe
from domain.decider import COMMANDS
from domain.project.catalog import concepts
from store.postgres import PostgresStore
from store.searching import Indexes
from tests.api.asking import AUDITOR, PMO, PRODUCT, SPONSOR, START, Api, problem
from tests.api.journey import to_execution, to_kpi_agreement, to_retrospective
from tests.conftest import Database

pytestmark = pytest.mark.usefixtures("audited")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NASTY = '=HYPERLINK("http://evil.test","点我")'


async def events(api: Api, who: str = AUDITOR, **query: Any) -> list[dict[str, Any]]:
    answer = await api.get("/v1/audit/events", who, params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def index(store: PostgresStore) -> None:
    await Indexer(Indexes(store.pool), store).catch_up()


async def test_every_filter_narrows_and_all_of_them_hold_together(api: Api, store: PostgresStore) -> None:
    project = await to_kpi_agreement(api)
    other = await api.start()
    whole = await events(api)
    code = (await api.state(project))["code"]
    vote = next(e for e in whole if e["type"] == "VoteCast" and e["actor"]["principal"] == SPONSOR)
    filters: list[tuple[dict[str, Any], Any]] = [
        ({"project": project}, lambda e: e["stream"] == f"project-{project}"),
        ({"project": code}, lambda e: e["stream"] == f"project-{project}"),
        ({"actor": SPONSOR}, lambda e: e["actor"]["principal"] == SPONSOR),
        ({"on_behalf_of": SPONSOR}, lambda e: False),
        ({"type": ["VoteCast", "StageEntered"]}, lambda e: e["type"] in {"VoteCast", "StageEntered"}),
        ({"concept": "decision"}, lambda e: e["concept"] == "decision"),
        ({"concept": ["charter", "role"]}, lambda e: e["concept"] in {"charter", "role"}),
        ({"concept": "decision", "type": ["VoteCast", "StageEntered"]}, lambda e: e["type"] == "VoteCast"),
        ({"from": vote["recorded_at"]}, lambda e: e["recorded_at"] >= vote["recorded_at"]),
        ({"to": vote["recorded_at"]}, lambda e: e["recorded_at"] < vote["recorded_at"]),
        ({"from": "2020-01-01", "to": "2020-12-31"}, lambda e: False),
        ({"command_id": vote["command_id"]}, lambda e: e["command_id"] == vote["command_id"]),
        ({"text": "APPROVE pmo"}, lambda e: e["type"] == "VoteCast" and e["data"]["slot"] == "pmo"),
        ({"project": project, "actor": PMO, "text": "章程"}, None),
    ]
    for indexed in (False, True):
        for asked, lets in filters:
            found = await events(api, **asked)
            if lets is not None:
                assert found == [e for e in whole if lets(e)], (asked, indexed)
        entered = await events(api, project=project, stage="KPI_AGREEMENT")
        assert [e["type"] for e in entered] == ["StageEntered"]
        assert len(await events(api, project=other, stage="KICKOFF")) == len(await events(api, project=other))
        await index(store)


async def test_chinese_is_found_word_by_word(api: Api, store: PostgresStore) -> None:
    title = "供应商合同续签与预算审批"
    answer = await api.post("/v1/projects", {**START, "title": title})
    project = answer.json()["id"]
    await api.start()
    for _ in range(2):
        for text in ("预算", "预算审批", "供应商 审批", "合同续签", "续签 预算", "商合", "启动项目 供应商"):
            assert [e["stream"] for e in await events(api, text=text)] == [f"project-{project}"], text
        for text in ("风险", "预算 风险", "!?", "\U0001f600"):
            assert await events(api, text=text) == [], text
        await index(store)


async def test_an_event_says_what_allowed_it_what_it_changed_and_so_in_both_languages(api: Api) -> None:
    project = await to_kpi_agreement(api)
    found = {e["type"]: e for e in await events(api, project=project, expand="difference")}
    vote = found["VoteCast"]
    assert (vote["rule"], vote["concept"], vote["command"]) == ("DR6", "decision", "Vote")
    assert "APPROVE".lower() in vote["sentences"]["en"].lower()
    assert "同意" in vote["sentences"]["zh"]
    assert all(e["rule"] and e["sentences"]["zh"] for e in found.values())
    stage = {f["path"]: (f["before"], f["after"]) for f in found["StageEntered"]["difference"]}
    assert stage["/stage"] == ("KICKOFF", "KPI_AGREEMENT")
    started = {f["path"]: (f["before"], f["after"]) for f in found["ProjectStarted"]["difference"]}
    assert started["/title"] == (None, START["title"])
    assert not any(path.startswith(("/_actions", "/version", "/changed_at")) for path in stage | started)


def test_a_difference_names_the_field_and_the_thing_that_it_is_of() -> None:
    before = {"a": 1, "same": [1], "people": [{"id": "x", "n": 1}, {"id": "y/z", "n": 2}], "gone": {"b": 1}}
    after = {"a": 2, "same": [1], "people": [{"id": "y/z", "n": 3}, {"id": "new", "n": 1}], "gone": None}
    assert list(changed(before, after)) == [
        ("/a", 1, 2),
        ("/people/x", {"id": "x", "n": 1}, None),
        ("/people/y~1z/n", 2, 3),
        ("/people/new", None, {"id": "new", "n": 1}),
        ("/gone", {"b": 1}, None),
    ]


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_pages_go_both_ways_and_stay_put_while_events_come_in(api: Api, store: PostgresStore, order: str) -> None:
    project = await to_kpi_agreement(api)
    whole = [e["position"] for e in await events(api, project=project, order=order)]
    seen: list[int] = []
    pages: list[dict[str, Any]] = []
    cursor: str | None = None
    while cursor is not None or not pages:
        page = (await api.get("/v1/audit/events", params=_page(project, order, cursor))).json()
        pages.append(page)
        seen += [e["position"] for e in page["items"]]
        cursor = page["next"]
        await api.do(project, "propose-agreement", _agreement(len(pages)))
        if len(pages) == 2:
            await index(store)
    new = [e["position"] for e in await events(api, project=project, order="oldest") if e["position"] not in whole]
    assert seen == (whole if order == "newest" else (whole + new)[: len(seen)])
    assert len(seen) >= len(whole)
    back = pages[1]["previous"]
    again = (await api.get("/v1/audit/events", params=_page(project, order, back))).json()
    assert [e["position"] for e in again["items"]] == [e["position"] for e in pages[0]["items"]]
    if order == "newest":
        later = (await api.get("/v1/audit/events", params=_page(project, order, pages[0]["previous"]))).json()
        assert [e["position"] for e in later["items"]] == new[: len(later["items"])][::-1]


def _page(project: str, order: str, cursor: str | None) -> dict[str, Any]:
    return {"project": project, "order": order, "limit": 5} | ({"cursor": cursor} if cursor else {})


def _agreement(number: int) -> dict[str, Any]:
    content = COMMANDS["ProposeAgreement"].example["content"]
    first, *others = content["goals"]
    return {"content": {**content, "goals": [{**first, "statement": f"Statement {number}"}, *others]}}


async def test_a_wrong_question_is_answered_with_what_is_wrong(api: Api) -> None:
    for query in (
        "concept=nothing",
        "from=yesterday",
        "to=2026-13-01",
        "cursor=x",
        "order=up",
        "format=doc",
        "limit=0",
    ):
        problem(await api.get(f"/v1/audit/events?{query}"), 422, "Invalid")
    problem(await api.get("/v1/audit/events?expand=difference&format=csv"), 422, "Invalid")
    problem(await api.get("/v1/audit/events?unknown=1"), 422, "Invalid")
    problem(await api.get("/v1/audit/events?project=P-99999"), 404, "NoProject")
    problem(await api.get("/v1/audit/events", None), 401)
    assert set(concepts()) >= {"decision", "charter", "agreement", "plan", "change", "check-in", "evaluation"}


async def test_a_blind_evaluation_is_found_by_its_author_alone(api: Api, store: PostgresStore) -> None:
    project = await to_retrospective(api)
    mine = {**COMMANDS["SubmitEvaluation"].example, "comment": "candid 坦率的话"}
    scored = f'"cooperation":{mine["scores"]["cooperation"]}'
    await api.do(project, "submit-evaluation", mine, PMO)
    refused = await api.post(f"/v1/projects/{project}/submit-evaluation", {**mine, "comment": "candid again"}, PMO)
    problem(refused, 409, "AlreadyEvaluated")
    for _ in range(2):
        for other in (PRODUCT, SPONSOR, AUDITOR, "stranger"):
            for path in ("events", "refusals"):
                found = await api.get(f"/v1/audit/{path}?text=candid", other)
                assert found.json()["items"] == [], (path, other)
                for form in ("json", "ndjson", "csv"):
                    whole = await api.get(f"/v1/audit/{path}?format={form}&project={project}", other)
                    assert "candid" not in whole.text, (path, form, other)
            difference = await api.get("/v1/audit/events?type=EvaluationSubmitted&expand=difference", other)
            assert scored not in difference.text
            assert "坦率" not in difference.text
            assert [e["sealed"] for e in await events(api, other, text="EvaluationSubmitted")] == (
                [] if other == "stranger" else [True]
            )
        assert scored in (await api.get("/v1/audit/events?type=EvaluationSubmitted", PMO)).text
        await index(store)
    theirs = {**COMMANDS["SubmitEvaluation"].example}
    await api.do(project, "submit-evaluation", theirs, PRODUCT)
    assert scored in (await api.get("/v1/audit/events?type=EvaluationSubmitted", AUDITOR)).text


async def test_refusals_are_found_by_who_what_why_and_words(api: Api, store: PostgresStore) -> None:
    project = await to_kpi_agreement(api)
    problem(await api.post(f"/v1/projects/{project}/hold-project", {"reason": "等待审批"}, "tao.yun"), 403)
    problem(await api.post(f"/v1/projects/{project}/draft-charter", {"content": 1}, PMO), 422)
    for indexed in (False, True):
        found = (await api.get("/v1/audit/refusals", AUDITOR)).json()
        assert [r["command"] for r in found["items"]] == ["DraftCharter", "HoldProject"]
        assert found["index"] == {"upto": 3 if indexed else 0, "head": 3}
        for query, commands in {
            "actor=tao.yun": ["HoldProject"],
            "rule=DR14": ["DraftCharter"],
            "code=WrongRole": ["HoldProject"],
            "type=DraftCharter": ["DraftCharter"],
            f"project={project}&limit=1": ["DraftCharter"],
            "text=" + quote("审批"): ["HoldProject"],
            "text=hold": ["HoldProject"],
            "from=2100-01-01": [],
            "rule=R1": [],
        }.items():
            items = (await api.get(f"/v1/audit/refusals?{query}", AUDITOR)).json()["items"]
            assert [r["command"] for r in items] == commands, query
        table = (await api.get("/v1/audit/refusals?format=csv&order=oldest", AUDITOR)).content.decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(table)))
        assert [(r["actor_principal"], r["code"]) for r in rows] == [("tao.yun", "WrongRole"), (PMO, "Malformed")]
        await index(store)


async def test_looks_are_noted_with_what_was_asked_and_how_much_went_out(api: Api, database: Database) -> None:
    await api.start()
    await api.get("/v1/audit/events?actor=sun.lei&text=" + quote("预算"), AUDITOR)
    whole = await api.get("/v1/audit/events", AUDITOR, headers={"Accept": "text/csv"})
    await api.get("/v1/audit/refusals?format=ndjson", PMO)
    await api.get("/v1/audit/events?actor=sun.lei&type=ProjectStarted", PMO)
    looks = (await api.get("/v1/audit/reads?order=oldest", AUDITOR)).json()["items"]
    assert [(r["reader"], r["what"], r["format"], r["filter"]) for r in looks] == [
        (AUDITOR, "events", "json", {"actor": "sun.lei", "text": "预算"}),
        (AUDITOR, "events", "csv", {}),
        (PMO, "refusals", "ndjson", {}),
        (PMO, "events", "json", {"actor": "…", "type": ["ProjectStarted"]}),
        (AUDITOR, "reads", "json", {"order": "oldest"}),
    ]
    assert [r["rows"] for r in looks[:3]] == [0, len(whole.text.splitlines()) - 1, 0]
    assert looks[4]["ended_at"] is None
    found = (await api.get(f"/v1/audit/reads?reader={PMO}", AUDITOR)).json()["items"]
    assert [r["what"] for r in found] == ["events", "refusals"]
    assert (await api.get("/v1/audit/reads?what=reads", AUDITOR)).json()["items"][2]["rows"] == 5
    assert [r["reader"] for r in (await api.get("/v1/audit/reads")).json()["items"]] == [PMO] * 3
    owner = await asyncpg.connect(database.admin)
    for statement in ("UPDATE tandem.audit_read SET reader = 'x'", "DELETE FROM tandem.audit_read_end"):
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await owner.execute(statement)
    await owner.close()


async def nasty(api: Api) -> None:
    """Two projects with titles that a spreadsheet would run."""
    for title in (NASTY, '+1", "two\n@lines'):
        answer = await api.post("/v1/projects", {**START, "title": title.replace("\n", " ")})
        assert answer.status_code == 201, answer.text
    await api.post(
        "/v1/projects/0190a0a0-0000-7000-8000-000000000000/vote", {"decision": "-1+cmd|' /C calc'!A0"}, "tao.yun"
    )


async def test_a_csv_file_is_read_by_spreadsheets_and_runs_nothing(api: Api) -> None:
    await nasty(api)
    answer = await api.get("/v1/audit/events?order=oldest", AUDITOR, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="audit-events-' in answer.headers["content-disposition"]
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert [int(r["position"]) for r in rows] == [e["position"] for e in await events(api, order="oldest")]
    assert NASTY in rows[0]["sentences_en"]
    assert orjson.loads(rows[0]["data"])["title"] == NASTY
    assert not [cell for row in rows for cell in row.values() if cell.startswith(tuple("=+-@\t\r"))]


def test_whatever_begins_like_a_formula_is_neutralised() -> None:
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"):
        assert safe(text) == "'" + text
    for text in ("1=1", "供应商", "", " ", "a-b"):
        assert safe(text) == text


async def test_a_workbook_has_dates_as_dates_numbers_as_numbers_and_no_formulas(api: Api) -> None:
    await nasty(api)
    answer = await api.get("/v1/audit/events?order=oldest", AUDITOR, headers={"Accept": XLSX})
    assert answer.headers["content-type"] == XLSX
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_name("events").to_python()
    names, first = sheet[0], sheet[1]
    whole = await events(api, order="oldest")
    assert len(sheet) == len(whole) + 1
    row = dict(zip(names, first, strict=True))
    recorded = datetime.fromisoformat(whole[0]["recorded_at"]).replace(tzinfo=None)
    assert isinstance(row["recorded_at"], datetime)
    assert abs((row["recorded_at"] - recorded).total_seconds()) < 0.002
    assert (row["position"], row["type"], row["rule"]) == (0.0, "ProjectStarted", "P4")
    assert NASTY in str(row["sentences_zh"])
    assert b"<f>" not in answer.content
    refused = await api.get("/v1/audit/refusals?format=xlsx", AUDITOR)
    assert len(CalamineWorkbook.from_filelike(io.BytesIO(refused.content)).get_sheet_by_index(0).to_python()) == 2


async def test_lines_are_the_items_and_forms_follow_the_parameter_before_the_header(api: Api) -> None:
    await to_execution(api)
    whole = await events(api, order="oldest")
    answer = await api.get("/v1/audit/events?order=oldest&format=ndjson", AUDITOR, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [orjson.loads(text) for text in answer.text.splitlines()] == whole
    assert len(whole) >= 20
    some = await api.get("/v1/audit/events?format=ndjson&limit=3", AUDITOR)
    assert len(some.text.splitlines()) == 3


async def test_an_audit_pack_is_a_document_in_both_languages_and_the_same_each_time(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await to_kpi_agreement(api)
    await nasty(api)
    first = await api.get("/v1/audit/events?format=pdf&text=章程", AUDITOR)
    assert first.headers["content-type"] == "application/pdf"
    assert first.content.startswith(b"%PDF-1.7")
    assert b"%%EOF" in first.content[-20:]
    assert 20_000 < len(first.content) < 400_000
    assert (await api.get("/v1/audit/events?format=pdf&text=章程", AUDITOR)).content == first.content
    assert (await api.get("/v1/audit/events?format=pdf&text=章程", SPONSOR)).content != first.content
    for path in ("events", "refusals", "reads"):
        made = await api.get(f"/v1/audit/{path}?format=pdf", AUDITOR)
        assert made.content.startswith(b"%PDF-"), made.text
    monkeypatch.setattr(exports, "MOST_IN_A_PACK", 10)
    told = problem(await api.get("/v1/audit/events?format=pdf", AUDITOR), 422, "TooManyRows")
    assert "More than 10 rows" in told["detail"]
    monkeypatch.setattr(exports, "MOST_IN_A_WORKBOOK", 10)
    problem(await api.get("/v1/audit/events?format=xlsx", AUDITOR), 422, "TooManyRows")
    assert (await api.get("/v1/audit/reads?limit=2", AUDITOR)).json()["items"][1]["ended_at"] is None


async def test_a_chain_is_listed_by_its_name_and_a_request_by_its_id(api: Api, store: PostgresStore) -> None:
    project = await api.start(**{"X-Request-Id": "req-77"})
    await api.do(project, "draft-charter", COMMANDS["DraftCharter"].example)
    started = [e["id"] for e in await events(api, type="ProjectStarted")]
    drafted = [e["id"] for e in await events(api, type="CharterDrafted")]
    for _ in range(2):
        chain = await events(api, correlation=started[0], order="oldest")
        assert (chain[0]["type"], {e["correlation_id"] for e in chain}) == ("ProjectStarted", {started[0]})
        assert {e["causation_id"] for e in chain} == {None}
        assert [e["id"] for e in await events(api, correlation=drafted[0])] == drafted
        assert await events(api, request="req-77", order="oldest") == chain
        await index(store)
