"""Webhooks as their owners manage them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

from activities.endpoints import Answer, Attempt, Endpoint, Lane, Overtaken, Parcel
from api.app import build
from api.parts import Parts, Surroundings
from auth.identity import EVERY_SCOPE, Identity, Scope
from domain.decider import COMMANDS
from store.lockbox import Lockbox, WrongKey
from store.owed import Owed
from tests.api.asking import PMO, Api, problem
from tests.conftest import Database

ROBOT = "ci.robot"
URL = "https://hooks.example.com/tandem"
SECRET = "whsec_" + "dGFuZGVtIHRhbmRlbSB0YW5kZW0="
PATH = "/v1/webhooks"


async def made(api: Api, **body: Any) -> dict[str, Any]:
    """A webhook of the robot's."""
    answer = await api.post(PATH, {"url": URL, **body}, ROBOT)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def changed(api: Api, webhook: str, **body: Any) -> httpx2.Response:
    return await api.client.patch(f"{PATH}/{webhook}", json=body, headers={"Authorization": f"Bearer dev:{ROBOT}"})


async def state(api: Api, webhook: str) -> dict[str, Any]:
    answer = await api.get(f"{PATH}/{webhook}", ROBOT)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
def owed(behind: Parts) -> Owed:
    return Owed(behind.store.pool, Lockbox())


async def test_a_secret_is_shown_once(api: Api, owed: Owed, database: Database) -> None:
    webhook = await made(api)
    assert webhook["secret"].startswith("whsec_")
    read = [await state(api, webhook["id"]), *(await api.get(PATH, ROBOT)).json()["items"]]
    assert all("secret" not in shown for shown in read)
    assert await owed.secrets(UUID(webhook["id"])) == [webhook["secret"]]
    for who in (database.auditor, database.app):
        connection = await asyncpg.connect(who)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM tandem_webhook.secret")
        await connection.close()
    auditor = await asyncpg.connect(database.auditor)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await auditor.fetch("SELECT * FROM tandem.webhook_secrets($1)", UUID(webhook["id"]))
    for table in ("webhook", "webhook_lane", "webhook_extra", "webhook_attempt"):
        rows = await auditor.fetch(f"SELECT * FROM tandem.{table}")
        assert webhook["secret"] not in str(rows)
    await auditor.close()


async def test_two_secrets_are_live_after_a_rotation(api: Api, owed: Owed) -> None:
    webhook = await made(api)
    path, key = f"{PATH}/{webhook['id']}/rotate", {"Idempotency-Key": "first"}
    second = (await api.post(path, {"overlap_hours": 1}, ROBOT, headers=key)).json()["secret"]
    assert (await api.post(path, {"overlap_hours": 1}, ROBOT, headers=key)).json()["secret"] == second
    assert await owed.secrets(UUID(webhook["id"])) == [second, webhook["secret"]]
    third = (await api.post(path, None, ROBOT)).json()["secret"]
    assert await owed.secrets(UUID(webhook["id"])) == [third, second]
    last = (await api.post(path, {"overlap_hours": 0}, ROBOT)).json()["secret"]
    assert await owed.secrets(UUID(webhook["id"])) == [last]


async def test_the_same_key_makes_one_webhook(api: Api) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = await api.post(PATH, {"url": URL}, ROBOT, headers=key)
    again = await api.post(PATH, {"url": URL}, ROBOT, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {name: value for name, value in first.json().items() if name != "secret"}
    problem(await api.post(PATH, {"url": URL + "/other"}, ROBOT, headers=key), 422, "KeyReused")
    assert len((await api.get(PATH, ROBOT)).json()["items"]) == 1


async def test_it_begins_with_what_comes_now_or_where_it_is_told(api: Api) -> None:
    await api.start()
    newest = (await made(api))["newest"]
    assert [(await made(api))["checkpoint"], (await made(api, after=-1))["checkpoint"]] == [newest, -1]
    problem(await api.post(PATH, {"url": URL, "after": newest + 1}, ROBOT), 422, "Invalid")


async def test_it_can_be_changed(api: Api) -> None:
    webhook = (await made(api, types=["VoteCast"], description="the warehouse"))["id"]
    assert (await changed(api, webhook, enabled=False)).json()["disabled_because"] == "disabled by its owner"
    for path, body in (("test", None), ("resend", {"first": 0, "last": 1})):
        problem(await api.post(f"{PATH}/{webhook}/{path}", body, ROBOT), 409, "WebhookDisabled")
    after = (await changed(api, webhook, enabled=True, types=None, url=URL + "/new")).json()
    assert (after["enabled"], after["disabled_because"], after["types"]) == (True, None, None)
    assert (after["url"], after["description"]) == (URL + "/new", "the warehouse")
    problem(await changed(api, webhook, url="https://127.0.0.1/"), 422, "AddressRefused")
    problem(await changed(api, webhook, types=["Nothing"]), 422, "Invalid")


async def test_nobody_sees_another_ones(api: Api) -> None:
    webhook = (await made(api))["id"]
    for answer in (
        await api.get(f"{PATH}/{webhook}", PMO),
        await api.get(f"{PATH}/{webhook}/deliveries", PMO),
        await api.post(f"{PATH}/{webhook}/rotate", None, PMO),
        await api.post(f"{PATH}/{webhook}/test", None, PMO),
        await api.client.delete(f"{PATH}/{webhook}", headers={"Authorization": f"Bearer dev:{PMO}"}),
        await api.get(f"{PATH}/{uuid4()}", ROBOT),
        await api.get(f"{PATH}/x", ROBOT),
    ):
        problem(answer, 404, "NoWebhook")
    assert (await api.get(PATH, PMO)).json()["items"] == []
    robot = {"Authorization": f"Bearer dev:{ROBOT}"}
    assert (await api.client.delete(f"{PATH}/{webhook}", headers=robot)).status_code == 204
    problem(await api.get(f"{PATH}/{webhook}", ROBOT), 404, "NoWebhook")


class Limited:
    """Knows everybody, and lets them do everything but administer."""

    async def authenticate(self, _: object) -> Identity:
        return Identity(ROBOT, scopes=EVERY_SCOPE - {Scope.ADMINISTER})


async def test_it_takes_a_credential_that_may_administer(around: Surroundings) -> None:
    around.authenticator = Limited()
    transport = httpx2.ASGITransport(app=build(around))
    async with httpx2.AsyncClient(transport=transport, base_url="http://tandem.test") as client:
        problem(await client.post(PATH, json={"url": URL}), 403, "ScopeMissing")
        problem(await client.get(PATH), 403, "ScopeMissing")


async def logged(owed: Owed, webhook: str, event: UUID, body: bytes, **told: Any) -> None:
    """A line as a round would write it."""
    endpoint = await owed.begin(UUID(webhook))
    assert isinstance(endpoint, Endpoint)
    parcel = Parcel(event, told.get("type", "tandem.project.lesson_captured.v1"), told.get("position"), body)
    answer = Answer(told.get("status", 500), 0.0123, "out of order\x00")
    await owed.log(endpoint, Attempt(parcel, answer, datetime.now(UTC), 1, told.get("state", "retrying"), None))


async def test_the_log_shows_what_came_of_each_attempt(api: Api, behind: Parts, owed: Owed) -> None:
    project, webhook = await api.start(), (await made(api))["id"]
    await api.do(project, "capture-lesson", COMMANDS["CaptureLesson"].example)
    fact = (await behind.store.feed(-1, 100))[-1]
    body = await behind.cloud.body(fact)
    await logged(owed, webhook, fact.event_id, body, position=fact.position)
    await logged(owed, webhook, fact.event_id, body + b" ", position=fact.position, status=204, state="delivered")
    await logged(owed, webhook, uuid4(), b"{}", type="tandem.webhook.test.v1")
    path = f"{PATH}/{webhook}/deliveries"
    page = (await api.get(path, ROBOT, params={"limit": 2})).json()
    rest = (await api.get(path, ROBOT, params={"limit": 2, "cursor": page["next"]})).json()
    assert [len(page["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]
    (line,) = rest["items"]
    assert (line["status"], line["latency_ms"], line["answer"]) == (500, 12, "out of order\ufffd")
    assert (line["bytes"], line["position"], line["event"]) == (len(body), fact.position, str(fact.event_id))
    own = {"event": str(fact.event_id), "state": "delivered"}
    assert len((await api.get(path, ROBOT, params=own)).json()["items"]) == 1
    first = (await api.get(f"{path}/{line['id']}", ROBOT)).json()
    assert (first["body_as_sent"], first["body"]["id"]) == (True, str(fact.event_id))
    assert (await api.get(f"{path}/{line['id'] + 1}", ROBOT)).json()["body_as_sent"] is False
    assert (await api.get(f"{path}/{line['id'] + 2}", ROBOT)).json()["body"] is None
    for number in (str(line["id"] + 3), "x", "9" * 30):
        problem(await api.get(f"{path}/{number}", ROBOT), 404, "NoDelivery")
    problem(await api.get(path, ROBOT, params={"cursor": "x"}), 422, "Invalid")


async def test_what_is_to_be_sent_waits_for_the_worker(api: Api, owed: Owed, behind: Parts) -> None:
    project = await api.start()
    webhook = (await made(api, types=["LessonCaptured"]))["id"]
    for _ in range(3):
        await api.do(project, "capture-lesson", COMMANDS["CaptureLesson"].example)
    facts = await behind.store.feed(-1, 100, ["LessonCaptured"])
    key, path = {"Idempotency-Key": "t-1"}, f"{PATH}/{webhook}"
    tests = [(await api.post(f"{path}/test", None, ROBOT, headers=key)).json()["events"] for _ in range(2)]
    assert tests[0] == tests[1]
    asked = await api.post(f"{path}/resend", {"first": 0, "last": facts[1].position}, ROBOT)
    assert (asked.status_code, asked.json()["events"]) == (202, [str(fact.event_id) for fact in facts[:2]])
    one = await api.post(f"{path}/resend", {"event": str(facts[2].event_id)}, ROBOT)
    assert one.json()["events"] == [str(facts[2].event_id)]
    endpoint = await owed.begin(UUID(webhook))
    assert endpoint is not None
    extras = await owed.extras(endpoint, datetime.now(UTC) + timedelta(seconds=1), 10, only_tests=False)
    assert [extra.kind for extra in extras] == ["test"] + ["resend"] * 3
    assert [extra.event_id for extra in extras[1:]] == [fact.event_id for fact in facts]
    for wrong in ({}, {"first": 1}, {"event": str(uuid4()), "first": 1, "last": 2}):
        problem(await api.post(f"{path}/resend", wrong, ROBOT), 422, "Invalid")
    problem(await api.post(f"{path}/resend", {"event": str(uuid4())}, ROBOT), 404, "NoEvent")


async def test_a_round_that_was_overtaken_writes_nothing(api: Api, owed: Owed) -> None:
    webhook, now = UUID((await made(api))["id"]), datetime.now(UTC)
    late = await owed.begin(webhook)
    this = await owed.begin(webhook)
    assert late is not None
    assert this is not None
    lane = Lane("project-1", 3, 1, now, now)
    await owed.put_lanes(this, 5, [lane])
    for writing in (
        owed.put_lanes(late, 9, []),
        owed.move_lane(late, lane),
        owed.end_lane(late, "project-1"),
        owed.pause(late, now),
        owed.disable(late, "late"),
    ):
        with pytest.raises(Overtaken):
            await writing
    assert (await owed.lanes(this, 10), (await state(api, str(webhook)))["checkpoint"]) == ([lane], 5)


def test_a_sealed_secret_opens_with_its_key_alone() -> None:
    owner, box = uuid4(), Lockbox("correct horse")
    kept = box.close(owner, SECRET)
    assert SECRET.encode() not in kept
    assert box.open(owner, kept) == SECRET
    for other, whose in ((Lockbox("another"), owner), (Lockbox(), owner), (box, uuid4())):
        with pytest.raises(WrongKey):
            other.open(whose, kept)
    assert box.open(owner, Lockbox().close(owner, SECRET)) == SECRET
