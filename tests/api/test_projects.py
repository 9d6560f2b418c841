"""Reading projects: the list, the state, earlier states, what the caller may do."""

from datetime import datetime, timedelta
from typing import Any

from api.commands import routed
from domain.decider import COMMANDS
from tests.api.asking import AUDITOR, MEMBER, PMO, PRODUCT, SPONSOR, Api, problem

DRAFT = COMMANDS["DraftCharter"].example
LESSON = COMMANDS["CaptureLesson"].example
STRANGER = "01a20ed3-174d-7611-9e68-8522ab59412a"


async def proposed(api: Api) -> str:
    """A project whose charter is being signed."""
    project = await api.start()
    await api.do(project, "draft-charter", DRAFT)
    await api.do(project, "propose-charter", {"revision": 1})
    return project


async def test_the_list_goes_page_by_page(api: Api) -> None:
    started = [await api.start() for _ in range(5)]
    await api.do(started[0], "capture-lesson", LESSON)
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = (await api.get("/v1/projects", params={"limit": 2, **cursor})).json()
        seen += [line["id"] for line in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [started[0], *reversed(started[1:])]


async def test_a_line_says_what_a_list_needs(api: Api) -> None:
    project = await api.start()
    line = (await api.get("/v1/projects")).json()["items"][0]
    assert line["id"] == project
    assert (line["code"], line["stage"], line["version"], line["held"]) == ("P-00001", "KICKOFF", 1, False)
    assert line["people"]["PMO"] == [PMO]
    assert line["changed_at"].endswith("Z")
    assert "stream" not in line


async def test_the_list_is_narrowed_by_stage_and_person(api: Api) -> None:
    project = await api.start()
    for query, expected in (
        ({"stage": "KICKOFF"}, [project]),
        ({"stage": "EXECUTION"}, []),
        ({"person": MEMBER}, [project]),
        ({"person": "nobody"}, []),
        ({"person": MEMBER, "stage": "KICKOFF"}, [project]),
    ):
        assert [line["id"] for line in (await api.get("/v1/projects", params=query)).json()["items"]] == expected


async def test_wrong_parameters_are_named(api: Api) -> None:
    project = await api.start()
    for path in (
        "/v1/projects?limit=0",
        "/v1/projects?limit=201",
        "/v1/projects?limit=x",
        "/v1/projects?stage=NOWHERE",
        "/v1/projects?person=%00",
        "/v1/projects?cursor=nonsense",
        "/v1/projects?cursor=WzEsMl0",
        "/v1/projects?cursor=%F0%9F%92%A9",
        "/v1/projects?cursor=" + "x" * 300,
        "/v1/projects?colour=red",
        f"/v1/projects/{project}?as_of=yesterday",
        f"/v1/projects/{project}?as_of=9999-12-31T23:59:59-23:00",
        f"/v1/projects/{project}?when=1",
        f"/v1/projects/{project}/events?after=-1",
        f"/v1/projects/{project}/events?type=%00",
        "/v1/events?after=99999999999999999999999",
        "/v1/inbox?cursor=-1",
    ):
        assert problem(await api.get(path), 422, "Invalid")["errors"], path


async def test_the_state_says_everything_about_a_decision(api: Api) -> None:
    project = await proposed(api)
    await api.sign(project, PMO)
    state = await api.state(project, SPONSOR)
    decision = state["decisions"][0]
    assert (decision["id"], decision["kind"], decision["state"], decision["open"]) == ("D-1", "CHARTER", "OPEN", True)
    assert decision["subject"]["content_hash"] == state["charter"]["content_hash"]
    assert decision["awaits"] == [PRODUCT, SPONSOR]
    assert decision["awaits_you"] is True
    assert [b["person"] for b in decision["ballots"]] == [PMO]
    slots = {slot["name"]: slot for slot in decision["slots"]}
    assert slots["pmo"]["satisfied"] is True
    assert (slots["sponsor"]["needed"], slots["sponsor"]["approvals"], slots["sponsor"]["may_sign"]) == (
        1,
        0,
        [SPONSOR],
    )
    assert 0 < decision["remaining"]["working_minutes"] <= 5 * decision["remaining"]["minutes_per_day"]
    assert state["clocks"]["decision/D-1"]["due_at"] == decision["due_at"]
    assert state["next_due"] < decision["due_at"]


async def test_the_state_has_people_charter_and_policy(api: Api) -> None:
    project = await proposed(api)
    state = await api.state(project)
    assert state["people"] == {
        "SPONSOR": [SPONSOR],
        "PMO": [PMO],
        "PRODUCT_MANAGER": [PRODUCT],
        "MEMBER": [MEMBER],
        "AUDITOR": [AUDITOR],
    }
    assert state["charter"]["draft"]["budget"] == {"amount": "80000", "currency": "CNY"}
    assert state["charter"]["draft"]["starts_on"] == "2026-03-02"
    assert state["policy"] == {"template": "standard", "version": "1.0"}
    assert state["agreement"]["score"] == "N/A (no KPI is measured yet)"
    assert state["lifecycle"]["visit"] == 1


async def test_actions_tell_each_person_what_they_may_do_and_why_not(api: Api) -> None:
    project = await proposed(api)
    mine = {a["command"]: a for a in (await api.state(project))["_actions"]}
    theirs = {a["command"]: a for a in (await api.state(project, AUDITOR))["_actions"]}
    assert mine.keys() == theirs.keys() == routed().keys()
    assert mine["Vote"] == {
        "command": "Vote",
        "route": "vote",
        "href": f"/v1/projects/{project}/vote",
        "allowed": True,
    }
    assert theirs["Vote"]["allowed"] is False
    assert theirs["Vote"]["why"]["code"] == "WrongRole"
    assert (mine["ProposePlan"]["why"]["code"], mine["ProposePlan"]["why"]["rule"]) == ("WrongStage", "P1")


async def test_why_something_may_not_be_done_is_said_in_the_readers_language(api: Api) -> None:
    project = await proposed(api)
    answer = await api.get(f"/v1/projects/{project}", AUDITOR, headers={"Accept-Language": "zh"})
    for action in answer.json()["_actions"]:
        assert action["allowed"] or any("\u4e00" <= letter <= "\u9fff" for letter in action["why"]["detail"]), action


async def test_a_state_is_not_sent_twice(api: Api) -> None:
    project = await proposed(api)
    path = f"/v1/projects/{project}"
    tag = (await api.get(path)).headers["etag"]
    for given in (tag, f'"1", {tag}', f"W/{tag}", "*"):
        again = await api.get(path, headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    await api.do(project, "capture-lesson", LESSON)
    assert (await api.get(path, headers={"If-None-Match": tag})).status_code == 200


async def test_a_project_can_be_seen_as_of_a_version(api: Api) -> None:
    project = await proposed(api)
    first, second = await api.state(project, as_of="1"), await api.state(project, as_of=2)
    assert (first["version"], first["charter"]["draft"], first["decisions"]) == (1, None, [])
    assert second["charter"]["revision"] == 1
    assert (await api.get(f"/v1/projects/{project}?as_of=1")).headers["etag"] == '"1"'
    for wanted in ("0", "99", "9" * 18):
        problem(await api.get(f"/v1/projects/{project}", params={"as_of": wanted}), 404, "NoSuchVersion")


async def test_a_project_can_be_seen_as_of_an_instant(api: Api) -> None:
    project = await api.start()
    before = (await api.state(project))["changed_at"]
    await api.do(project, "draft-charter", DRAFT)
    assert (await api.state(project, as_of=before))["version"] == 1
    elsewhere = (datetime.fromisoformat(before) + timedelta(hours=8)).isoformat().replace("+00:00", "+08:00")
    assert (await api.state(project, as_of=elsewhere))["version"] == 1
    assert (await api.state(project, as_of="2100-01-01T00:00:00Z"))["version"] == 2
    problem(await api.get(f"/v1/projects/{project}?as_of=2001-01-01T00:00:00Z"), 404, "NoSuchVersion")


async def test_what_does_not_exist_is_404(api: Api) -> None:
    for path in (f"/v1/projects/{STRANGER}", "/v1/projects/nonsense", "/v1/projects/%00", "/v1/nothing", "/v1"):
        problem(await api.get(path), 404)
    problem(await api.get(f"/v1/projects/{STRANGER}/events"), 404, "NoProject")
