"""Who asks too often is told so, and when to ask again; everybody else notices nothing."""

import asyncio
import time

import httpx2
import pytest

from api.app import build
from api.limits import MOST_COUNTED, Limits, Windows
from api.parts import Surroundings
from auth.identity import Identity
from domain.decider import COMMANDS
from tests.api.asking import PMO, PRODUCT, Api, named, problem
from web.app import add_pages
from web.page import Site


def asked_from(around: Surroundings, address: str) -> httpx2.AsyncClient:
    """A client at that address."""
    app = build(around)
    add_pages(app, Site())
    transport = httpx2.ASGITransport(app=app, client=(address, 40_000))
    return httpx2.AsyncClient(transport=transport, base_url="http://tandem.test")


async def test_a_person_who_asks_too_often_is_told_when_to_ask_again(api: Api, around: Surroundings) -> None:
    around.limits = Limits(requests=3)
    assert [(await api.get("/v1/me")).status_code for _ in range(3)] == [200, 200, 200]
    answer = await api.get("/v1/me")
    told = problem(answer, 429, "TooManyRequests")
    seconds = int(answer.headers["retry-after"])
    assert 1 <= seconds <= 60
    assert f"{seconds} s" in told["detail"]
    assert answer.headers["ratelimit-policy"] == '"person";q=3;w=60'
    assert answer.headers["ratelimit"] == f'"person";r=0;t={seconds}'
    assert (await api.get("/v1/me", PRODUCT)).status_code == 200


async def test_commands_in_bulk_count_one_by_one_and_none_is_sent_where_they_are_too_many(
    api: Api, around: Surroundings
) -> None:
    project = await api.start()
    around.limits = Limits(requests=5)
    lesson = {"project": project, "command": "capture-lesson", "data": COMMANDS["CaptureLesson"].example}
    problem(await api.post("/v1/bulk", {"items": [lesson] * 6}), 429, "TooManyRequests")
    around.limits = Limits(requests=5)
    assert (await api.post("/v1/bulk", {"items": [lesson] * 4})).status_code == 200
    assert [(await api.get("/v1/me")).status_code for _ in range(2)] == [200, 429]


async def test_health_is_never_counted(api: Api, around: Surroundings) -> None:
    around.limits = Limits(requests=1, sign_in_attempts=1)
    assert {(await api.get(path, None)).status_code for path in ("/livez", "/version", "/metrics") * 3} == {200}


async def test_zero_is_no_end(api: Api, around: Surroundings) -> None:
    around.limits = Limits()
    assert {answer.status_code for answer in await asyncio.gather(*(api.get("/v1/me") for _ in range(40)))} == {200}


async def test_worthless_credentials_are_counted_by_address_and_good_ones_go_on(around: Surroundings) -> None:
    around.limits = Limits(sign_in_attempts=2)
    guess = {"Authorization": "Bearer tdm_pat_guess"}
    async with asked_from(around, "192.0.2.1") as near, asked_from(around, "192.0.2.2") as far:
        assert [(await near.get("/v1/me", headers=guess)).status_code for _ in range(3)] == [401, 401, 429]
        assert (await far.get("/v1/me", headers=guess)).status_code == 401
        assert (await near.get("/v1/me", headers=named(PMO))).status_code == 200
        assert (await near.get("/v1/me")).status_code == 401, "who tries nothing is no guesser"


async def test_strangers_are_counted_by_address(around: Surroundings) -> None:
    around.limits = Limits(requests=2)
    async with asked_from(around, "192.0.2.1") as near, asked_from(around, "192.0.2.2") as far:
        assert [(await near.get("/v1/me")).status_code for _ in range(3)] == [401, 401, 429]
        assert (await near.get("/sign-in")).status_code == 429
        assert (await far.get("/sign-in")).status_code == 200


async def test_sign_in_forms_are_counted_whether_the_name_exists_or_not(around: Surroundings) -> None:
    around.limits = Limits(requests=100, sign_in_attempts=2)
    async with asked_from(around, "192.0.2.1") as client:
        forms = [{"person": person, "password": "not-the-right-one"} for person in (PMO, "nobody", PMO)]
        answers = [await client.post("/sign-in", data=form) for form in forms]
        assert [answer.status_code for answer in answers][2] == 429
        assert 429 not in [answer.status_code for answer in answers[:2]]
        assert int(answers[2].headers["retry-after"]) >= 1
        assert answers[2].headers["content-type"].startswith("text/html")
        assert (await client.get("/sign-in")).status_code == 200


def test_a_window_ends_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    windows, now = Windows(), time.time()
    assert [windows.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    assert now + 59 < windows.get_expiry("a") < now + 61
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert (windows.get("a"), windows.incr("a", 60)) == (0, 1)


def test_windows_are_bounded_and_the_oldest_is_forgotten_first() -> None:
    windows = Windows()
    for number in range(MOST_COUNTED + 1):
        windows.incr(str(number), 60)
    assert (windows.get("0"), windows.get("1"), windows.reset()) == (0, 1, MOST_COUNTED)


def test_counting_costs_next_to_nothing() -> None:
    limits, who = Limits(requests=10**9), Identity(PMO)
    fastest = 1.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(1000):
            limits.person(who)
        fastest = min(fastest, (time.perf_counter() - began) / 1000)
    assert fastest < 30e-6
