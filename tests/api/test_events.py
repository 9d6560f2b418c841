"""Events: one project's history, the feed of all, lines, live."""

import asyncio
from typing import Any

import httpx2
import orjson

from api.parts import Surroundings
from domain.decider import COMMANDS
from tests.api.asking import PMO, SPONSOR, Api, problem

DRAFT = COMMANDS["DraftCharter"].example
LESSON = COMMANDS["CaptureLesson"].example
LIVE = {"Accept": "text/event-stream"}


async def told(api: Api) -> str:
    """A project with four events by two people."""
    project = await api.start()
    await api.do(project, "draft-charter", DRAFT)
    await api.do(project, "capture-lesson", LESSON, SPONSOR)
    await api.do(project, "capture-lesson", LESSON)
    return project


def types(answer: httpx2.Response) -> list[str]:
    return [item["type"] for item in answer.json()["items"]]


async def test_an_event_shows_everything_that_was_stored(api: Api) -> None:
    project = await told(api)
    first, second, *_ = (await api.get(f"/v1/projects/{project}/events")).json()["items"]
    assert (first["type"], first["version"], first["position"], first["schema_version"]) == ("ProjectStarted", 1, 0, 1)
    assert first["stream"] == f"project-{project}"
    assert first["actor"] == {"client": "api", "kind": "person", "principal": PMO}
    assert first["metadata"]["command"] == "StartProject"
    assert first["data"]["title"] == "Member portal"
    assert (first["sealed"], first["prev_hash"]) == (False, "0" * 64)
    assert second["prev_hash"] == first["leaf_hash"]
    assert first["recorded_at"].endswith("Z")


async def test_events_are_told_in_the_callers_language(api: Api) -> None:
    project = await told(api)
    for header, sentence in (
        ("en", "pei.min started P-00001: Member portal"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "pei.min 启动项目 P-00001:Member portal"),
        ("en;q=0.9,zh;q=0.2", "pei.min started P-00001: Member portal"),
        ("\x7f;;q=zh", "pei.min started P-00001: Member portal"),
    ):
        page = await api.get(f"/v1/projects/{project}/events", headers={"Accept-Language": header})
        assert page.json()["items"][0]["sentence"] == sentence


async def test_history_goes_page_by_page_and_is_narrowed(api: Api) -> None:
    project = await told(api)
    path = f"/v1/projects/{project}/events"
    first = await api.get(path, params={"limit": 3})
    assert (types(first), first.json()["next"]) == (["ProjectStarted", "CharterDrafted", "LessonCaptured"], 3)
    rest = await api.get(path, params={"limit": 3, "after": 3})
    assert (types(rest), rest.json()["next"]) == (["LessonCaptured"], None)
    lessons = await api.get(path, params={"type": "LessonCaptured"})
    assert [item["version"] for item in lessons.json()["items"]] == [3, 4]
    assert types(await api.get(path, params={"actor": SPONSOR})) == ["LessonCaptured"]
    two = await api.get(path, params=[("type", "LessonCaptured"), ("type", "ProjectStarted"), ("actor", PMO)])
    assert types(two) == ["ProjectStarted", "LessonCaptured"]


async def test_history_comes_as_lines(api: Api) -> None:
    project = await told(api)
    path, lines = f"/v1/projects/{project}/events", {"Accept": "application/x-ndjson"}
    whole = await api.get(path, headers=lines)
    assert whole.headers["content-type"] == "application/x-ndjson"
    read = [orjson.loads(line) for line in whole.content.splitlines()]
    assert read == (await api.get(path)).json()["items"]
    assert len((await api.get(path, headers=lines, params={"limit": 2, "after": 1})).content.splitlines()) == 2


async def test_the_feed_is_every_project_in_order(api: Api) -> None:
    first, second = await told(api), await api.start()
    page = await api.get("/v1/events", params={"limit": 4})
    assert [item["position"] for item in page.json()["items"]] == [0, 1, 2, 3]
    assert page.json()["next"] == 3
    rest = await api.get("/v1/events", params={"after": 3})
    assert [item["stream"] for item in rest.json()["items"]] == [f"project-{second}"]
    assert rest.json()["next"] is None
    assert {item["stream"] for item in page.json()["items"]} == {f"project-{first}"}
    assert types(await api.get("/v1/events?actor=sun.lei")) == ["LessonCaptured"]
    assert len(types(await api.get("/v1/events?type=ProjectStarted"))) == 2


def messages(text: str) -> list[dict[str, Any]]:
    """The events of a live feed."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in lines:
            assert orjson.loads(lines["data"])["type"] == lines["event"]
            found.append({"id": int(lines["id"]), "type": lines["event"]})
    return found


async def test_the_live_feed_brings_what_is_there_and_what_comes(api: Api, around: Surroundings) -> None:
    project = await api.start()
    listening = asyncio.create_task(api.get("/v1/events", headers=LIVE))
    await asyncio.sleep(0.3)
    await api.do(project, "draft-charter", DRAFT)
    await asyncio.sleep(0.5)
    around.closing.set()
    answer = await asyncio.wait_for(listening, 5)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert messages(answer.text) == [{"id": 0, "type": "ProjectStarted"}, {"id": 1, "type": "CharterDrafted"}]


async def test_the_live_feed_goes_on_where_it_was_lost(api: Api, around: Surroundings) -> None:
    await told(api)
    for headers, query in (({"Last-Event-ID": "1"}, ""), ({}, "?after=1"), ({"Last-Event-ID": "1"}, "?after=3")):
        around.closing.clear()
        listening = asyncio.create_task(api.get(f"/v1/events{query}", headers=LIVE | headers))
        await asyncio.sleep(0.3)
        around.closing.set()
        assert [m["id"] for m in messages((await listening).text)] == [2, 3]
    problem(await api.get("/v1/events", headers=LIVE | {"Last-Event-ID": "nonsense"}), 422, "Invalid")


async def test_places_for_live_feeds_are_bounded(api: Api, around: Surroundings) -> None:
    assert around.parts is not None
    around.parts.newest._most = 0
    answer = await api.get("/v1/events", headers=LIVE)
    problem(answer, 503, "TooManyListeners")
    assert answer.headers["retry-after"] == "1"
