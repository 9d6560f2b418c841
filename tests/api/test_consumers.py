"""Consumers: a checkpoint that lasts, one reader at a time, at least once and in order."""

import asyncio
from typing import Any

import httpx2
import pytest
from cloudevents.core.formats.json import JSONFormat

from api.parts import Parts
from domain.decider import COMMANDS
from domain.directory.people import FoundDirectory
from domain.directory.record import STREAM
from domain.messages import Actor
from tests.api.asking import AUDITOR, PMO, PRODUCT, Api, named, problem
from tests.api.journey import to_retrospective

LESSON = COMMANDS["CaptureLesson"].example
ROBOT = "ci.robot"


class Consuming:
    """One consumer of the robot's."""

    def __init__(self, api: Api, name: str) -> None:
        self.api = api
        self.path = f"/v1/consumers/{name}"

    async def put(self, **body: Any) -> httpx2.Response:
        return await self.api.client.put(self.path, json=body, headers=named(ROBOT))

    async def batch(self, **asked: Any) -> dict[str, Any]:
        answer = await self.ask(**asked)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def ask(self, **asked: Any) -> httpx2.Response:
        return await self.api.get(f"{self.path}/events", ROBOT, params=asked)

    async def ack(self, position: int, fence: int) -> httpx2.Response:
        return await self.api.post(f"{self.path}/ack", {"position": position, "fence": fence}, ROBOT)

    async def state(self) -> dict[str, Any]:
        answer = await self.api.get(self.path, ROBOT)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture
async def robot(api: Api) -> Consuming:
    consuming = Consuming(api, "warehouse")
    assert (await consuming.put()).status_code == 201
    return consuming


async def learn(api: Api, project: str, times: int) -> None:
    for _ in range(times):
        await api.do(project, "capture-lesson", LESSON)


async def test_it_gets_everything_in_order_and_goes_on_where_it_acknowledged(api: Api, robot: Consuming) -> None:
    project = await api.start()
    await learn(api, project, 5)
    seen: list[str] = []
    while (batch := await robot.batch(limit=2))["items"]:
        assert len(batch["items"]) <= 2
        seen += [event["id"] for event in batch["items"]]
        state = (await robot.ack(batch["position"], batch["fence"])).json()
        assert state["checkpoint"] == batch["position"]
        assert state["leased_until"] is None
    feed = (await api.get("/v1/events")).json()["items"]
    assert seen == [event["id"] for event in feed]
    assert (await robot.state())["lag"] == 0


async def test_what_happens_in_the_directory_is_given_out_too(robot: Consuming, behind: Parts) -> None:
    await behind.keeping.submit(STREAM, FoundDirectory(), Actor("guan.li"), "the-first")
    (event,) = (await robot.batch())["items"]
    assert (event["type"], event["subject"]) == ("tandem.directory.directory_founded.v1", "directory")


async def test_events_are_cloud_events(api: Api, robot: Consuming, behind: Parts) -> None:
    project = await api.start()
    await learn(api, project, 1)
    items = (await robot.batch())["items"]
    log = await behind.store.pool.fetchval("SELECT id FROM tandem.log")
    for number, item in enumerate(items):
        read = JSONFormat().read(None, httpx2.Response(200, json=item).content)
        assert (read.get_specversion(), read.get_subject()) == ("1.0", project)
        assert read.get_source() == f"tandem/{log}"
        assert read.get_extension("sequence") == f"{number:016}"
    assert items[-1]["type"] == "tandem.project.lesson_captured.v1"
    assert items[-1]["data"]["text"] == LESSON["text"]


async def test_what_was_not_acknowledged_comes_again(api: Api, robot: Consuming) -> None:
    await learn(api, await api.start(), 3)
    first = await robot.batch(limit=3, lease=1)
    await asyncio.sleep(1.1)
    again = await robot.batch(limit=3)
    assert again["items"] == first["items"]
    assert again["fence"] == first["fence"] + 1
    problem(await robot.ack(first["position"], first["fence"]), 409, "LeaseLost")
    assert (await robot.ack(again["position"], again["fence"])).status_code == 200


async def test_one_reads_at_a_time(api: Api, robot: Consuming) -> None:
    await learn(api, await api.start(), 3)
    answers = await asyncio.gather(*(robot.ask(limit=2) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "LeaseHeld")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
    batch = next(answer for answer in answers if answer.status_code == 200).json()
    renewed = await robot.batch(limit=2, fence=batch["fence"])
    assert (renewed["items"], renewed["fence"]) == (batch["items"], batch["fence"])
    problem(await robot.ask(fence=batch["fence"] + 1), 409, "LeaseLost")


async def test_several_workers_together_deal_with_everything_once_and_in_order(api: Api, robot: Consuming) -> None:
    await learn(api, await api.start(), 20)
    dealt_with: list[int] = []

    async def worker() -> None:
        while True:
            answer = await robot.ask(limit=3)
            if answer.status_code == 409:
                await asyncio.sleep(0.01)
                continue
            batch = answer.json()
            if not batch["items"]:
                return
            dealt_with.extend(int(event["sequence"]) for event in batch["items"])
            assert (await robot.ack(batch["position"], batch["fence"])).status_code == 200

    await asyncio.gather(*(worker() for _ in range(4)))
    assert dealt_with == list(range((await robot.state())["newest"] + 1))


async def test_acknowledging_is_compare_and_set(api: Api, robot: Consuming) -> None:
    await learn(api, await api.start(), 5)
    batch = await robot.batch(limit=4)
    last, fence = batch["position"], batch["fence"]
    problem(await robot.ack(last + 1, fence), 422, "Invalid")
    assert (await robot.ack(last - 2, fence)).json()["leased_until"] is not None
    problem(await robot.ask(), 409, "LeaseHeld")
    problem(await robot.ack(last - 3, fence), 409, "StaleAck")
    assert (await robot.ack(last, fence)).json()["leased_until"] is None
    assert (await robot.ack(last, fence)).status_code == 200
    problem(await robot.ack(last, fence - 1), 409, "LeaseLost")


async def test_a_filter_lets_only_what_is_meant_through(api: Api, robot: Consuming) -> None:
    one, other = await api.start(), await api.start()
    await learn(api, other, 2)
    await learn(api, one, 2)
    assert (await robot.put(types=["LessonCaptured"], projects=[one.upper()])).status_code == 200
    batch = await robot.batch()
    assert {(event["type"], event["subject"]) for event in batch["items"]} == {
        ("tandem.project.lesson_captured.v1", one)
    }
    assert len(batch["items"]) == 2
    assert (await robot.state())["projects"] == [one]


async def test_the_checkpoint_passes_what_is_left_out(api: Api, robot: Consuming) -> None:
    await learn(api, await api.start(), 2)
    await robot.put(types=["ProjectClosed"])
    assert (await robot.batch())["items"] == []
    state = await robot.state()
    assert (state["lag"], state["leased_until"]) == (0, None)


async def test_it_waits_for_what_comes(api: Api, robot: Consuming) -> None:
    project = await api.start()
    batch = await robot.batch()
    await robot.ack(batch["position"], batch["fence"])
    waiting = asyncio.create_task(robot.batch(wait=20))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await learn(api, project, 1)
    async with asyncio.timeout(5):
        assert len((await waiting)["items"]) == 1


async def test_waiting_in_vain_ends(robot: Consuming) -> None:
    async with asyncio.timeout(5):
        assert (await robot.batch(wait=1))["items"] == []


async def test_a_reset_goes_back_and_ends_the_lease(api: Api, robot: Consuming) -> None:
    await learn(api, await api.start(), 3)
    batch = await robot.batch()
    reset = await api.post(f"{robot.path}/reset", {"position": 1}, ROBOT)
    assert (reset.json()["checkpoint"], reset.json()["leased_until"]) == (1, None)
    problem(await robot.ack(batch["position"], batch["fence"]), 409, "LeaseLost")
    assert int((await robot.batch())["items"][0]["sequence"]) == 2
    problem(await api.post(f"{robot.path}/reset", {"position": 10**6}, ROBOT), 422, "Invalid")


async def test_it_begins_where_it_is_told(api: Api) -> None:
    await learn(api, await api.start(), 2)
    late = Consuming(api, "late")
    newest = (await late.put(after=0)).json()["newest"]
    assert (await late.state())["checkpoint"] == 0
    assert (await late.put(after=newest)).json()["checkpoint"] == 0
    problem(await Consuming(api, "never").put(after=newest + 1), 422, "Invalid")


async def test_nobody_sees_another_ones(api: Api, robot: Consuming) -> None:
    for answer in (
        await api.get(robot.path, PMO),
        await api.get(f"{robot.path}/events", PMO),
        await api.post(f"{robot.path}/ack", {"position": 0, "fence": 0}, PMO),
        await api.post(f"{robot.path}/reset", {"position": -1}, PMO),
        await api.client.delete(robot.path, headers=named(PMO)),
    ):
        problem(answer, 404, "NoConsumer")
    assert (await api.get("/v1/consumers", PMO)).json()["items"] == []
    assert [item["name"] for item in (await api.get("/v1/consumers", ROBOT)).json()["items"]] == ["warehouse"]
    assert (await api.client.delete(robot.path, headers=named(ROBOT))).status_code == 204
    problem(await robot.ask(), 404, "NoConsumer")


async def test_what_cannot_be_meant_is_refused(robot: Consuming) -> None:
    wrong: list[dict[str, Any]] = [
        {"types": ["NoSuchEvent"]},
        {"types": []},
        {"projects": ["x"]},
        {"after": -2},
        {"after": "1"},
        {"unknown": 1},
        {"types": ["VoteCast"] * 51},
    ]
    for body in wrong:
        problem(await robot.put(**body), 422, "Invalid")


async def test_there_is_a_bound_for_each_owner(api: Api) -> None:
    for number in range(50):
        assert (await Consuming(api, f"c{number}").put()).status_code == 201
    problem(await Consuming(api, "one.more").put(), 409, "TooManyFeeds")
    assert (await Consuming(api, "c7").put(types=["VoteCast"])).status_code == 200


async def test_names_are_plain(api: Api) -> None:
    for name in ("Upper", "1st", "a" * 64, "a%00b", "a%2Fb"):
        answer = await api.client.put(f"/v1/consumers/{name}", json={}, headers=named(ROBOT))
        assert answer.status_code == 404, name


async def test_what_is_blind_stays_closed_to_programs(api: Api) -> None:
    """Whoever owns the consumer: even the author's own program is an outsider (Z1)."""
    project = await to_retrospective(api)
    evaluation = {**COMMANDS["SubmitEvaluation"].example, "comment": "candid-words"}
    await api.do(project, "submit-evaluation", evaluation, PMO)
    wanted = {"types": ["EvaluationSubmitted"]}
    for owner in (PMO, PRODUCT, AUDITOR):
        await api.client.put("/v1/consumers/mine", json=wanted, headers=named(owner))
        answer = await api.get("/v1/consumers/mine/events", owner)
        (item,) = answer.json()["items"]
        assert "candid-words" not in answer.text
        assert (item["sealed"], item["actor"], "data" in item) == (True, PMO, False)
    await api.do(project, "submit-evaluation", COMMANDS["SubmitEvaluation"].example, PRODUCT)
    await api.client.put("/v1/consumers/later", json=wanted, headers=named(ROBOT))
    items = (await api.get("/v1/consumers/later/events", ROBOT)).json()["items"]
    assert [item["sealed"] for item in items] == [False, False]
    assert items[0]["data"]["comment"].startswith("vault:1:pei.min:"), "revealed, and still sealed for who is no person"
