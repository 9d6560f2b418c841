"""Starting projects and sending commands: answers, keys, preconditions, waiting, waking."""

import asyncio

from activities.folding import stream_of
from api.commands import routed
from domain.decider import COMMANDS
from domain.values import Role
from store.postgres import PostgresStore
from tests.api.asking import AUDITOR, MEMBER, PMO, PRODUCT, START, Api, Recorder, problem

DRAFT = COMMANDS["DraftCharter"].example
LESSON = COMMANDS["CaptureLesson"].example


async def test_a_project_starts(api: Api) -> None:
    answer = await api.post("/v1/projects", START)
    assert answer.status_code == 201
    told = answer.json()
    assert told.keys() == {"id", "code", "stage", "version", "position"}
    assert (told["code"], told["stage"], told["version"], told["position"]) == ("P-00001", "KICKOFF", 1, 0)
    assert answer.headers["location"] == f"/v1/projects/{told['id']}"
    assert answer.headers["etag"] == '"1"'
    assert (await api.get(answer.headers["location"])).json()["title"] == "Member portal"


async def test_starting_again_with_the_same_key_gives_the_same_project(api: Api) -> None:
    key = {"Idempotency-Key": "start-1"}
    first = await api.post("/v1/projects", START, headers=key)
    await api.do(first.json()["id"], "draft-charter", DRAFT)
    again = await api.post("/v1/projects", START, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len((await api.get("/v1/projects")).json()["items"]) == 1


async def test_a_key_belongs_to_one_person_and_one_body(api: Api) -> None:
    key = {"Idempotency-Key": "start-1"}
    first = await api.start(**key)
    theirs = await api.post("/v1/projects", START, PRODUCT, headers=key)
    assert theirs.json()["id"] != first
    problem(await api.post("/v1/projects", {**START, "title": "Other"}, headers=key), 422, "IdReused")


async def test_without_a_key_every_start_is_another_project(api: Api) -> None:
    assert await api.start() != await api.start()


async def test_who_may_not_start_is_refused_and_nothing_exists(api: Api) -> None:
    problem(await api.post("/v1/projects", START, MEMBER), 403, "NotAStarter")
    assert (await api.get("/v1/projects")).json() == {"items": [], "next": None}


async def test_a_command_is_answered_with_what_it_led_to(api: Api) -> None:
    project = await api.start()
    answer = await api.post(f"/v1/projects/{project}/draft-charter", DRAFT)
    assert answer.status_code == 200
    assert answer.json() == {
        "id": project,
        "stage": "KICKOFF",
        "version": 2,
        "position": 1,
        "events": [{"type": "CharterDrafted", "version": 2}],
    }
    assert answer.headers["etag"] == '"2"'


async def test_the_last_signature_passes_the_gate_in_one_answer(api: Api) -> None:
    project = await api.start()
    await api.do(project, "draft-charter", DRAFT)
    await api.do(project, "propose-charter", {"revision": 1})
    await api.sign(project, PMO, PRODUCT)
    subject = (await api.state(project))["decisions"][0]["subject"]
    vote = {"decision": "D-1", "value": "APPROVE", "revision": 1, "content_hash": subject["content_hash"]}
    last = await api.do(project, "vote", vote, "sun.lei")
    assert last["stage"] == "KPI_AGREEMENT"
    assert [e["type"] for e in last["events"]][-1] == "StageEntered"


async def test_a_command_sent_again_counts_once(api: Api) -> None:
    project = await api.start()
    path, key = f"/v1/projects/{project}/draft-charter", {"Idempotency-Key": "draft-1"}
    first = await api.post(path, DRAFT, headers=key)
    again = await api.post(path, DRAFT, headers=key)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert (await api.state(project))["version"] == 2


async def test_a_key_for_another_body_is_refused(api: Api) -> None:
    project = await api.start()
    path, key = f"/v1/projects/{project}/capture-lesson", {"Idempotency-Key": "k"}
    await api.post(path, LESSON, headers=key)
    problem(await api.post(path, {**LESSON, "text": "Other"}, headers=key), 422, "IdReused")


async def test_a_duplicate_is_answered_before_any_refusal(api: Api) -> None:
    project = await api.start()
    path, key = f"/v1/projects/{project}/draft-charter", {"Idempotency-Key": "k", "If-Match": '"1"'}
    first = await api.post(path, DRAFT, headers=key)
    again = await api.post(path, DRAFT, headers=key)
    assert (again.status_code, again.json()) == (200, first.json())


async def test_if_match_lets_the_present_version_pass(api: Api) -> None:
    project = await api.start()
    path = f"/v1/projects/{project}/capture-lesson"
    for tag in ('"1"', "*", "3"):
        assert (await api.post(path, LESSON, headers={"If-Match": tag})).status_code == 200, tag


async def test_a_stale_if_match_is_412(api: Api) -> None:
    project = await api.start()
    await api.do(project, "draft-charter", DRAFT)
    path = f"/v1/projects/{project}/capture-lesson"
    for tag in ('"1"', '"999999999999999999"'):
        problem(await api.post(path, LESSON, headers={"If-Match": tag}), 412, "StaleVersion")
    assert (await api.state(project))["version"] == 2


async def test_an_if_match_that_names_no_version_is_422(api: Api) -> None:
    project = await api.start()
    for tag in ("nonsense", 'W/"1"', '"1", "2"', '"a"', ""):
        answer = await api.post(f"/v1/projects/{project}/capture-lesson", LESSON, headers={"If-Match": tag})
        assert problem(answer, 422, "Invalid")["errors"][0]["pointer"] == "/header/If-Match"


async def test_a_key_that_is_no_key_is_422(api: Api) -> None:
    for key in ("", "x" * 256, "café", "a\tb"):
        headers = {b"Authorization": b"Bearer dev:pei.min", b"Idempotency-Key": key.encode()}
        answer = await api.client.post("/v1/projects", json=START, headers=headers)
        assert problem(answer, 422, "Invalid")["errors"][0]["pointer"] == "/header/Idempotency-Key"


async def test_ids_of_the_lifecycle_are_out_of_reach(api: Api, store: PostgresStore) -> None:
    project = await api.start()
    for key in ("enter:1:invite", "x" * 255):
        headers = {"Idempotency-Key": key}
        first = await api.post(f"/v1/projects/{project}/capture-lesson", {**LESSON, "text": key[:9]}, headers=headers)
        again = await api.post(f"/v1/projects/{project}/capture-lesson", {**LESSON, "text": key[:9]}, headers=headers)
        assert (first.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert await store.known_command(stream_of(project), "enter:1:invite") is None


async def test_a_refused_command_changes_nothing_and_says_why(api: Api) -> None:
    project = await api.start()
    found = problem(await api.post(f"/v1/projects/{project}/propose-charter", {"revision": 1}), 409, "NoDraft")
    assert found["next_step"]
    problem(await api.post(f"/v1/projects/{project}/draft-charter", DRAFT, MEMBER), 403, "WrongRole")
    problem(await api.post(f"/v1/projects/{project}/propose-plan", COMMANDS["ProposePlan"].example), 409, "WrongStage")
    assert (await api.state(project))["version"] == 1


async def test_signing_other_content_is_a_conflict(api: Api) -> None:
    project = await api.start()
    await api.do(project, "draft-charter", DRAFT)
    await api.do(project, "propose-charter", {"revision": 1})
    answer = await api.post(f"/v1/projects/{project}/vote", COMMANDS["Vote"].example)
    assert problem(answer, 409, "StaleSubject")["rule"] == "DR8"


async def test_every_command_is_reached_by_its_route(api: Api) -> None:
    """With its example it is understood: whatever is refused, it is not the form."""
    project = await api.start()
    for kind in routed().values():
        path = f"/v1/projects/{project}/{kind.route()}"
        problem(await api.post(path, kind.example, None), 401, "Unauthenticated")
        answer = await api.post(path, kind.example)
        assert answer.status_code == 200 or answer.json()["code"] not in {"Malformed", "NotFound"}, answer.text


async def test_the_lifecycles_own_commands_have_no_route(api: Api) -> None:
    project, own = await api.start(), [kind for kind in COMMANDS.values() if Role.SYSTEM in kind.roles]
    assert own
    for kind in [*own, COMMANDS["StartProject"]]:
        problem(await api.post(f"/v1/projects/{project}/{kind.route()}", kind.example), 404, "NotFound")


async def test_a_project_that_does_not_exist_is_404(api: Api) -> None:
    stranger = "01a20ed3-174d-7611-9e68-8522ab59412a"
    problem(await api.post(f"/v1/projects/{stranger}/capture-lesson", LESSON), 404)
    for no_id in ("nonsense", "%00", "P-00001", "{" + stranger + "}", stranger.replace("-", "")):
        problem(await api.post(f"/v1/projects/{no_id}/capture-lesson", LESSON), 404)


async def test_an_id_may_be_written_in_capitals(api: Api) -> None:
    project = await api.start()
    await api.do(project.upper(), "capture-lesson", LESSON)
    assert (await api.state(project))["version"] == 2


async def test_wait_ends_when_the_workflow_has_followed(api: Api, store: PostgresStore) -> None:
    project = await api.start()
    path = f"/v1/projects/{project}/capture-lesson"
    sent = asyncio.create_task(api.post(path, LESSON, headers={"Prefer": "respond-async, wait=30"}))
    await asyncio.sleep(0.2)
    assert ((await api.state(project))["version"], sent.done()) == (2, False)
    await store.mark_seen(stream_of(project), 2)
    answer = await asyncio.wait_for(sent, 5)
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=30")


async def test_wait_is_bounded_and_optional(api: Api) -> None:
    for preferred, applied in {"wait=0": "wait=0", "wait=x": None, "wait=-1": None}.items():
        answer = await api.post("/v1/projects", START, headers={"Prefer": preferred})
        assert (answer.status_code, answer.headers.get("preference-applied")) == (201, applied)


async def test_the_workflow_is_woken_after_the_commit_and_not_for_a_repetition(api: Api, waker: Recorder) -> None:
    project = await api.start()
    path, key = f"/v1/projects/{project}/capture-lesson", {"Idempotency-Key": "k"}
    for _ in range(2):
        await api.post(path, LESSON, headers=key)
    problem(await api.post(path, LESSON, AUDITOR), 403)
    await asyncio.sleep(0.05)
    assert waker.calls == [(project, 1), (project, 2)]
