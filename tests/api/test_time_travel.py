"""Time travel over HTTP: what the live routes answered then, they answer again; and what changed in between."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jsonpatch
import pytest

from activities.messages import NoticeMessage
from api import then as then_module
from api.parts import Parts
from domain.decider import COMMANDS
from projections.messages import Messages
from store.postgres import PostgresStore
from store.vault import PostgresVault
from tests.api.asking import AUDITOR, MEMBER, PMO, PRODUCT, SPONSOR, Api, Recorder, problem
from tests.api.conftest import joined
from tests.api.journey import to_execution, to_kpi_agreement, to_retrospective
from tests.api.travelling import Clock, Traveller, Watched

PATHS = [
    (PMO, "/v1/projects"),
    (PMO, "/v1/projects?limit=1"),
    (PMO, "/v1/projects?stage=EXECUTION"),
    (PMO, f"/v1/projects?person={MEMBER}"),
    (PMO, "/v1/inbox"),
    (PRODUCT, "/v1/inbox"),
    (MEMBER, "/v1/inbox?limit=1"),
    (PRODUCT, "/v1/projects/{id}"),
    (PMO, "/v1/projects/{id}/decisions"),
    (AUDITOR, "/v1/projects/{id}/kpis"),
    (SPONSOR, "/v1/projects/{id}/plan"),
]
DRAFT = COMMANDS["DraftCharter"].example
MEASURE = COMMANDS["RecordMeasurement"].example


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def behind(
    store: PostgresStore, waker: Recorder, keys: PostgresVault, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Parts:
    """As in conftest.py, on the test's own clock."""
    found = joined(store, waker, keys)
    monkeypatch.setattr(found.step, "_now", clock)
    return replace(found, now=clock)


@pytest.fixture
def traveller(api: Api, behind: Parts, clock: Clock) -> Traveller:
    watched = Watched(api.client)
    watched.traveller = Traveller(watched, behind.step, clock, PATHS)
    return watched.traveller


async def measure(api: Api, project: str, day: str, **more: str) -> None:
    await api.do(project, "record-measurement", MEASURE | {"effective_on": day} | more, PRODUCT)


async def a_busy_quarter(traveller: Traveller) -> None:
    """Three projects by turns, with everything that waits, falls due or is missed."""
    api, clock = traveller.api, traveller.clock
    first = await to_execution(api)
    second = await to_kpi_agreement(api)
    await traveller.system(first, "ScheduleCheckIns")
    await traveller.system(first, "WatchKpis")
    await measure(api, first, "2026-03-04")
    await api.do(second, "propose-agreement", COMMANDS["ProposeAgreement"].example)
    await api.do(first, "propose-plan", COMMANDS["ProposePlan"].example)
    await api.do(second, "hold-project", COMMANDS["HoldProject"].example)
    await api.sign(first, PMO, PRODUCT)
    clock.now += timedelta(days=30)
    await traveller.system(first, "PassTime", now=clock.now.isoformat())
    await traveller.system(first, "PassTime", now=clock.now.isoformat())
    await measure(api, first, "2026-04-01")
    await api.start()
    await api.do(second, "resume-project", {})
    await api.do(first, "submit-change", COMMANDS["SubmitChange"].example)
    await api.sign(second, PMO, PRODUCT)


async def test_lists_inboxes_and_pages_are_again_what_they_were(traveller: Traveller, api: Api) -> None:
    """The answers of the live routes were written down while projects were played; the past answers the same."""
    await a_busy_quarter(traveller)
    assert len(traveller.seen) > 200
    for (at, who, path), answered in traveller.seen.items():
        then = at.isoformat().replace("+00:00", "Z")
        again = await api.get(f"{path}{'&' if '?' in path else '?'}as_of={then}", who)
        assert again.json() == answered, f"{path} at {at}"
    for path in ("/v1/projects", "/v1/inbox", "/v1/projects/{id}"):
        answers = [str(a) for (_, _, asked), a in traveller.seen.items() if asked.startswith(path.partition("{")[0])]
        assert len(set(answers)) > 5, f"too little happens in {path}"


async def test_a_list_of_the_past_goes_page_by_page_and_filters_as_it_was(api: Api, clock: Clock) -> None:
    started = []
    for _ in range(5):
        started.append(await api.start())
        clock.now += timedelta(minutes=1)
    await api.do(started[0], "draft-charter", DRAFT)
    then = clock.now
    clock.now += timedelta(hours=1)
    for project in started[1:4]:
        await api.do(project, "draft-charter", DRAFT)
    await api.start()
    seen: list[str] = []
    asked: dict[str, Any] = {"as_of": then.isoformat(), "limit": 2}
    while True:
        page = (await api.get("/v1/projects", params=asked)).json()
        seen += [line["id"] for line in page["items"]]
        if page["next"] is None:
            break
        asked["cursor"] = page["next"]
    assert seen == [started[0], *reversed(started[1:])]
    nobody = (await api.get("/v1/projects", params={"as_of": "2001-01-01"})).json()
    assert nobody == {"items": [], "next": None}
    problem(await api.get("/v1/projects?as_of=yesterday"), 422, "Invalid")
    problem(await api.get("/v1/projects?as_of=12"), 422, "Invalid")


async def test_looking_far_back_over_very_many_projects_is_bounded(
    api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = [await api.start() for _ in range(3)]
    then = clock.now.isoformat()
    clock.now += timedelta(hours=1)
    for project in started:
        await api.do(project, "draft-charter", DRAFT)
    monkeypatch.setattr(then_module, "MOST_LOOKED_AT", 2)
    short = {"as_of": then, "person": "zhao.min"}
    first = (await api.get("/v1/projects", params=short)).json()
    assert (first["items"], first["next"] is None) == ([], False)
    last = (await api.get("/v1/projects", params=short | {"cursor": first["next"]})).json()
    assert last == {"items": [], "next": None}
    monkeypatch.setattr(then_module, "MOST_CHANGED", 3)
    assert (await api.get("/v1/inbox", params={"as_of": then})).status_code == 200
    monkeypatch.setattr(then_module, "MOST_CHANGED", 2)
    problem(await api.get("/v1/inbox", params={"as_of": then}), 422, "TooLongAgo")


async def test_messages_are_there_and_read_as_they_were(api: Api, store: PostgresStore, clock: Clock) -> None:
    async def tell(text: str) -> None:
        project = "01a20ed3-174d-7611-9e68-8522ab59412a"
        notice = {"project_id": project, "code": "P-7", "kind": "GateOpened", "recipient": PMO, "en": text, "zh": text}
        await messages.put(NoticeMessage(event_id=str(uuid4()), **notice))

    async def moment() -> str:
        """Now by the database's clock, which stamps messages; and a moment on which nothing happens."""
        clock.now = await store.pool.fetchval("SELECT clock_timestamp()")
        return clock.now.isoformat()

    messages, live = Messages(store.pool), {}
    for step in ("none", "one", "two", "read"):
        if step in {"one", "two"}:
            await tell(step)
        if step == "read":
            number = (await api.get("/v1/inbox")).json()["messages"][0]["id"]
            assert (await api.post(f"/v1/inbox/{number}/read")).status_code == 200
        at = await moment()
        live[at] = [(await api.get(path)).json() for path in ("/v1/inbox", "/v1/inbox?unread=true&limit=1")]
        await moment()
    assert len({str(answer) for answer in live.values()}) == 4
    for at, answers in live.items():
        assert [(await api.get("/v1/inbox", params={"as_of": at})).json(), await unread(api, at)] == answers


async def unread(api: Api, at: str) -> Any:
    return (await api.get("/v1/inbox", params={"as_of": at, "unread": True, "limit": 1})).json()


async def test_parts_of_a_project_are_read_by_themselves(api: Api, clock: Clock) -> None:
    project = await to_execution(api)
    clock.now += timedelta(days=40)
    await api.do(project, "propose-plan", COMMANDS["ProposePlan"].example)
    await api.sign(project, PMO, PRODUCT)
    await measure(api, project, "2026-04-01")
    await measure(api, project, "2026-04-01", value="80", corrects="ME-1", reason="Page 4, not 3")
    state, base = await api.state(project), f"/v1/projects/{project}"
    decisions = (await api.get(f"{base}/decisions")).json()
    assert (decisions["items"], decisions["version"]) == (state["decisions"], state["version"])
    one = (await api.get(f"{base}/decisions/D-2")).json()
    assert one == {"project": project, "version": state["version"], **state["decisions"][1]}
    problem(await api.get(f"{base}/decisions/D-99"), 404, "NoDecision")
    problem(await api.get(f"{base}/decisions/D-1?as_of=1"), 404, "NoDecision")
    kpis = (await api.get(f"{base}/kpis")).json()
    assert {name: kpis[name] for name in state["agreement"]} == state["agreement"]
    second, first = kpis["measurements"]
    assert (second["id"], second["value"], second["attainment"], second["corrects"]) == ("ME-2", "80", "0.6667", "ME-1")
    assert (first["corrected_by"], second["corrected_by"], first["by"]) == ("ME-2", None, PRODUCT)
    assert [m["id"] for m in (await api.get(f"{base}/kpis?limit=1")).json()["measurements"]] == ["ME-2"]
    earlier = (await api.get(f"{base}/kpis", params={"as_of": state["version"] - 1})).json()["measurements"]
    assert [(m["id"], m["corrected_by"]) for m in earlier] == [("ME-1", None)]
    plan = (await api.get(f"{base}/plan")).json()
    assert (plan["plan"], plan["check_ins"]) == (state["plan"], state["check_ins"])
    assert plan["budget"] == state["plan"]["baseline"]["budget"]
    assert [m["reached_on"] for m in plan["milestones"]] == [None] * len(plan["milestones"])
    assert (await api.get(f"{base}/plan?as_of=1")).json()["milestones"] == []


async def test_a_day_means_its_end_where_the_project_is(api: Api, clock: Clock) -> None:
    clock.now = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
    project = await api.start()
    clock.now += timedelta(hours=1)
    await api.do(project, "draft-charter", DRAFT)
    assert (await api.state(project, as_of="2026-03-02"))["version"] == 1
    assert (await api.state(project, as_of="2026-03-03"))["version"] == 2
    problem(await api.get(f"/v1/projects/{project}?as_of=2026-03-01"), 404, "NoSuchVersion")
    for wrong in ("2026-02-30", "9999-12-31", "0001-01-01T00:00:00+14:00", "soon", "²"):
        problem(await api.get(f"/v1/projects/{project}", params={"as_of": wrong}), 422, "Invalid")
        problem(await api.get(f"/v1/projects/{project}", params={"effective_at": wrong}), 422, "Invalid")


async def test_what_was_true_then_is_told_apart_from_what_was_known_then(api: Api, clock: Clock) -> None:
    """A figure of April 1 that is reported in May: April did not know it, and yet it was so."""
    project = await to_execution(api)
    clock.now = datetime(2026, 5, 4, 2, tzinfo=UTC)
    await measure(api, project, "2026-04-01", value="75")
    known = (await api.state(project))["version"]
    clock.now += timedelta(days=7)
    await measure(api, project, "2026-04-02", value="70", corrects="ME-1", reason="Of the day after")

    async def value(**asked: Any) -> str | None:
        answer = (await api.get(f"/v1/projects/{project}/kpis", params=asked)).json()
        latest = answer["kpis"][0]["latest"]
        return None if latest is None else str(latest["value"])

    assert await value() == "70"
    assert await value(as_of="2026-04-15") is None
    assert await value(effective_at="2026-04-15") == "70"
    assert await value(effective_at="2026-04-15", as_of=known) == "75"
    assert await value(effective_at="2026-04-01", as_of="2026-05-05") == "75"
    assert await value(effective_at="2026-04-01") is None
    assert await value(effective_at="2026-03-31", as_of=known) is None
    event = (await api.get(f"/v1/projects/{project}/events?type=KpiMeasured")).json()["items"][0]
    assert (event["effective_at"], event["recorded_at"]) == ("2026-04-01T16:00:00Z", "2026-05-04T02:00:00Z")
    answer = await api.get(f"/v1/projects/{project}?effective_at=2026-04-15")
    assert "etag" not in answer.headers
    problem(await api.get(f"/v1/projects/{project}?effective_at=2001-01-01"), 404, "NoSuchVersion")


# What changed


async def diff(api: Api, project: str, since: int | str, to: int | None = None, who: str = PMO) -> dict[str, Any]:
    asked = {"from": since} | ({} if to is None else {"to": to})
    answer = await api.get(f"/v1/projects/{project}/diff", who, params=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_the_patch_leads_from_one_shown_state_to_the_other(api: Api, clock: Clock) -> None:
    project = await to_retrospective(api)
    head = (await api.state(project))["version"]
    for first, last in [(1, head), (1, 2), (3, 17), (head // 2, head), (head, head)]:
        changed = await diff(api, project, first, last, SPONSOR)
        before, after = [await api.state(project, SPONSOR, as_of=version) for version in (first, last)]
        del before["_actions"], after["_actions"]
        assert jsonpatch.apply_patch(before, changed["patch"]) == after
        assert [event["version"] for event in changed["events"]] == list(range(first + 1, last + 1))
        assert (changed["before"]["version"], changed["after"]["version"]) == (first, last)
        assert changed["left_out"] == 0
    nothing = await diff(api, project, head)
    assert (nothing["events"], nothing["figures"], nothing["patch"]) == ([], [], [])


async def test_what_changed_is_told_in_both_languages(api: Api, clock: Clock) -> None:
    project = await to_execution(api)
    since = clock.now.isoformat()
    clock.now += timedelta(days=40)
    await measure(api, project, "2026-04-01")
    changed = await diff(api, project, since)
    assert [(e["en"], e["zh"], e["type"]) for e in changed["events"]] == [
        (
            f"{PRODUCT} measured online-share: 75 on 2026-04-01",
            f"{PRODUCT} 测得 online-share:75(2026-04-01)",
            "KpiMeasured",
        )
    ]
    told = {figure["name"]: figure for figure in changed["figures"]}
    assert told["kpi/online-share"]["en"] == "Online share: – → 75 %"
    assert (told["score"]["before"], told["score"]["after"]) == ("N/A (no KPI is measured yet)", "0.5000")
    assert told["measurements"]["zh"] == "测量次数:0 → 1"
    assert set(told) == {"kpi/online-share", "score", "coverage", "measurements"}
    whole = await diff(api, project, 1)
    stage = next(figure for figure in whole["figures"] if figure["name"] == "stage")
    assert (stage["en"], stage["zh"]) == ("Stage: kickoff → execution", "阶段:启动 → 执行")


async def test_a_diff_tells_no_more_than_the_reader_may_see(api: Api, clock: Clock) -> None:
    project = await to_retrospective(api)
    start = (await api.state(project))["version"]
    secret = COMMANDS["SubmitEvaluation"].example | {"comment": "candid-words"}
    await api.do(project, "submit-evaluation", secret, PMO)
    path = f"/v1/projects/{project}/diff"
    for reader in (PRODUCT, SPONSOR, AUDITOR, "stranger"):
        answer = await api.get(path, reader, params={"from": start})
        assert "candid-words" not in answer.text
        assert answer.json()["events"][0]["sealed"] is True
    assert "candid-words" in (await api.get(path, PMO, params={"from": start})).text
    await api.do(project, "submit-evaluation", COMMANDS["SubmitEvaluation"].example, PRODUCT)
    assert "candid-words" in (await api.get(path, AUDITOR, params={"from": start, "to": start + 1})).text


async def test_a_diff_has_two_ends_that_exist_in_order(api: Api, clock: Clock) -> None:
    project = await api.start()
    path = f"/v1/projects/{project}/diff"
    await api.do(project, "draft-charter", DRAFT)
    problem(await api.get(path), 422, "Invalid")
    problem(await api.get(path, params={"from": 2, "to": 1}), 422, "Invalid")
    problem(await api.get(path, params={"from": 1, "to": 3}), 404, "NoSuchVersion")
    problem(await api.get(path, params={"from": "2001-01-01"}), 404, "NoSuchVersion")
    problem(await api.get(path, params={"from": "then"}), 422, "Invalid")
