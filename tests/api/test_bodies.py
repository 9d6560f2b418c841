"""Bodies that are too large, of another kind, or nonsense: refused in words, never a fault."""

from collections.abc import AsyncIterator

import httpx2

from domain.decider import COMMANDS
from store.postgres import PostgresStore
from tests.api.asking import PMO, START, Api, named, problem

JSON = {"Content-Type": "application/json"}
LESSON = COMMANDS["CaptureLesson"].example


async def send(api: Api, project: str, raw: bytes | AsyncIterator[bytes], **headers: str) -> httpx2.Response:
    path = f"/v1/projects/{project}/capture-lesson"
    return await api.client.post(path, content=raw, headers=named(PMO) | JSON | headers)


NO_JSON = [
    b"{",
    b"nonsense",
    b'{"text": "\xff\xfe"}',
    b'\xef\xbb\xbf{"text": "x"}',
    b'{"text": "\\ud800", "evidence": "x"}',
    b'{"text": NaN, "evidence": "x"}',
    b"[" * 100_000,
    b'{"a":' * 2000 + b"1" + b"}" * 2000,
]


async def test_what_is_no_json_is_malformed(api: Api) -> None:
    project = await api.start()
    for raw in NO_JSON:
        found = problem(await send(api, project, raw), 422, "Malformed")
        assert found["errors"][0]["code"] == "json_invalid", raw


WRONG = [
    b"[]",
    b"null",
    b'"text"',
    b"3",
    b"{}",
    b'{"text": 3, "evidence": "x"}',
    b'{"text": "nul \\u0000", "evidence": "x"}',
    b'{"text": "x", "evidence": "x", "more": 1}',
    b'{"text": 1' + b"0" * 4000 + b', "evidence": "x"}',
    b'{"text": 1e999, "evidence": "x"}',
    b'{"text": ' + b"[" * 300 + b"]" * 300 + b', "evidence": "x"}',
    b'{"text": "' + b"x" * 5000 + b'", "evidence": "x"}',
]


async def test_wrong_fields_are_named(api: Api) -> None:
    project = await api.start()
    for raw in WRONG:
        found = problem(await send(api, project, raw), 422, "Malformed")
        assert (found["rule"], bool(found["errors"])) == ("DR14", True), raw
    assert (await api.state(project))["version"] == 1


async def test_each_wrong_field_has_pointer_code_and_message(api: Api) -> None:
    project = await api.start()
    found = problem(await send(api, project, b'{"text": 3, "more": 1}'), 422, "Malformed")
    assert {(e["pointer"], e["code"]) for e in found["errors"]} == {
        ("/text", "string_type"),
        ("/evidence", "missing"),
        ("/more", "extra_forbidden"),
    }


async def test_the_refusal_log_keeps_what_was_malformed(api: Api, store: PostgresStore) -> None:
    project = await api.start()
    await send(api, project, b'{"text": 3}')
    await send(api, project, b"{nonsense")
    await api.post("/v1/projects", {**START, "budget": 3})
    kept = [line for _, line in await store.refusals(10)]
    assert [(line.code, line.type) for line in kept] == [
        ("Malformed", "CaptureLesson"),
        ("Malformed", "CaptureLesson"),
        ("Malformed", "StartProject"),
    ]
    assert kept[0].data == {"text": 3}
    assert kept[0].actor["principal"] == PMO
    assert (await api.get("/v1/projects")).json()["items"][0]["code"] == "P-00001"


async def test_a_body_has_a_bound_whether_announced_or_not(api: Api) -> None:
    project, large = await api.start(), b'{"text": "' + b"x" * (256 * 1024) + b'"}'

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield large[:100_000]

    problem(await send(api, project, large), 413, "TooLarge")
    problem(await send(api, project, unannounced()), 413, "TooLarge")
    problem(await send(api, project, b"{}", **{"Content-Length": "9" * 30}), 413, "TooLarge")


KINDS = [
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "application/json; charset=latin-1"},
    {"Content-Encoding": "gzip"},
]


async def test_only_plain_json_is_taken(api: Api) -> None:
    project = await api.start()
    for headers in KINDS:
        problem(await send(api, project, b'{"text": "x", "evidence": "y"}', **headers), 415, "UnsupportedMediaType")


async def test_a_body_without_a_content_type_is_not_guessed_at(api: Api) -> None:
    project = await api.start()
    path = f"/v1/projects/{project}/capture-lesson"
    problem(await api.client.post(path, content=b"{}", headers=named(PMO)), 415)


async def test_charset_utf_8_may_be_said_and_an_empty_body_is_an_empty_object(api: Api) -> None:
    project = await api.start()
    body = b'{"text": "x", "evidence": "y"}'
    said = {"Content-Type": 'application/json; charset="UTF-8"'}
    assert (await send(api, project, body, **said)).status_code == 200
    await api.do(project, "hold-project", COMMANDS["HoldProject"].example, "sun.lei")
    path = f"/v1/projects/{project}/resume-project"
    assert (await api.client.post(path, headers=named("sun.lei"))).status_code == 200


async def test_commands_take_no_query(api: Api) -> None:
    project = await api.start()
    answer = await api.post(f"/v1/projects/{project}/capture-lesson?force=1", LESSON)
    assert problem(answer, 422, "Invalid")["errors"][0]["pointer"] == "/query/force"


async def test_what_no_event_can_hold_is_refused(api: Api) -> None:
    project = await api.start()
    draft = COMMANDS["DraftCharter"].example
    content = {**draft["content"], "risks": ["风" * 200] * 50, "scope": ["围" * 200] * 50, "purpose": "的" * 4000}
    answer = await api.post(f"/v1/projects/{project}/draft-charter", {"content": content})
    problem(answer, 422, "Malformed")
    assert (await api.state(project))["version"] == 1
