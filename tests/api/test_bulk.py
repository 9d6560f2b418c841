"""Many commands in one request: each through the door by itself."""

from typing import Any

from domain.decider import COMMANDS
from tests.api.asking import PMO, Api, problem

LESSON = COMMANDS["CaptureLesson"].example


async def bulk(api: Api, items: list[dict[str, Any]], who: str = PMO, **headers: str) -> list[dict[str, Any]]:
    answer = await api.post("/v1/bulk", {"items": items}, who, headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_each_command_gets_its_own_answer(api: Api) -> None:
    first, second = await api.start(), await api.start()
    results = await bulk(
        api,
        [
            {"project": first, "command": "capture-lesson", "data": LESSON},
            {"project": second, "command": "CaptureLesson", "data": LESSON},
            {"project": first, "command": "capture-lesson", "data": LESSON, "if_match": 1},
            {"project": "nonsense", "command": "capture-lesson", "data": LESSON},
            {"project": first, "command": "capture-lesson", "data": {}},
            {"project": first, "command": "pass-time", "data": {}},
            {"project": first, "command": "start-project", "data": {}},
        ],
    )
    assert [r["index"] for r in results] == list(range(7))
    assert [r["status"] for r in results] == [200, 200, 412, 404, 422, 422, 422]
    assert results[0]["answer"]["events"] == [{"type": "LessonCaptured", "version": 2}]
    assert results[2]["problem"]["code"] == "StaleVersion"
    assert results[4]["problem"]["errors"]


async def test_the_channel_is_kept_and_may_be_refused(api: Api) -> None:
    project = await api.start()
    await api.do(project, "propose-cancellation", COMMANDS["ProposeCancellation"].example)
    decision = next(d for d in (await api.state(project))["decisions"] if d["open"])
    vote = {"decision": decision["id"], "value": "APPROVE", "revision": decision["subject"]["revision"]}
    vote["content_hash"] = decision["subject"]["content_hash"]
    lesson = {"project": project, "command": "capture-lesson", "data": LESSON}
    refused, kept = await bulk(api, [{"project": project, "command": "vote", "data": vote}, lesson])
    assert (refused["status"], refused["problem"]["code"], refused["problem"]["rule"]) == (403, "NoBulk", "DR18")
    last = (await api.get(f"/v1/projects/{project}/events?after={kept['answer']['version'] - 1}")).json()["items"]
    assert last[0]["actor"]["client"] == "bulk"


async def test_the_whole_can_be_sent_again(api: Api) -> None:
    project = await api.start()
    items = [{"project": project, "command": "capture-lesson", "data": {**LESSON, "text": f"{i}"}} for i in range(3)]
    first = await bulk(api, items, **{"Idempotency-Key": "b-1"})
    again = await bulk(api, items, **{"Idempotency-Key": "b-1"})
    assert [r["answer"] for r in again] == [r["answer"] for r in first]
    assert [r["repeated"] for r in again] == [True] * 3
    assert (await api.state(project))["version"] == 4
    changed = await bulk(api, [{**items[0], "data": LESSON}], **{"Idempotency-Key": "b-1"})
    assert changed[0]["problem"]["code"] == "IdReused"


async def test_an_items_own_key_is_the_commands_key(api: Api) -> None:
    project = await api.start()
    key = {"Idempotency-Key": "own"}
    alone = await api.post(f"/v1/projects/{project}/capture-lesson", LESSON, headers=key)
    item = {"project": project, "command": "capture-lesson", "data": LESSON, "idempotency_key": "own"}
    assert (await bulk(api, [item]))[0]["answer"] == alone.json()


async def test_commands_of_one_project_go_in_their_order(api: Api) -> None:
    projects = [await api.start() for _ in range(3)]
    items = [
        {"project": p, "command": "capture-lesson", "data": {**LESSON, "text": f"{i}"}}
        for i in range(5)
        for p in projects
    ]
    await bulk(api, items)
    for project in projects:
        lessons = (await api.state(project))["retrospective"]["lessons"]
        assert [lesson["text"] for lesson in lessons] == ["0", "1", "2", "3", "4"]


async def test_a_request_that_cannot_be_read_does_nothing(api: Api) -> None:
    project = await api.start()
    item = {"project": project, "command": "capture-lesson", "data": LESSON}
    unreadable: tuple[Any, ...] = (
        {"items": []},
        {"items": [item] * 101},
        {"items": [{**item, "more": 1}]},
        {"items": item},
        [],
    )
    for wrong in unreadable:
        assert problem(await api.post("/v1/bulk", wrong), 422, "Invalid")["errors"]
    assert (await api.state(project))["version"] == 1
