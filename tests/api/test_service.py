"""Alive, ready, version, numbers, documentation; and the headers around every answer."""

import asyncio
import re

import httpx2
import pytest

from activities.ports import StoreUnavailable
from activities.watch import Alarm
from api.app import build
from api.calendar import PREFIX
from api.parts import Parts, Surroundings
from auth.development import DevelopmentAuthenticator
from auth.identity import NobodyKnown
from auth.secret import fresh
from config import Settings
from domain.decider import COMMANDS
from projections.calendars import Calendars
from server import authenticator
from tests.api.asking import PMO, START, Api, problem
from tests.api.conftest import no, yes

LESSON = COMMANDS["CaptureLesson"].example


async def test_a_process_is_alive_and_ready(api: Api) -> None:
    assert (await api.get("/livez", None)).json() == {"status": "alive"}
    ready = await api.get("/readyz", None)
    assert ready.status_code == 200
    checks = {"database": True, "schema": True, "temporal": False, "sealing": True, "history": True}
    assert ready.json() == {"status": "ready", "checks": checks, "sealing": "new"}


async def test_without_the_database_it_is_alive_but_not_ready(api: Api, behind: Parts) -> None:
    await behind.store.close()
    assert (await api.get("/livez", None)).status_code == 200
    ready = await api.get("/readyz", None)
    assert (ready.status_code, ready.json()["checks"]["database"]) == (503, False)


async def test_an_old_schema_is_not_ready(api: Api, around: Surroundings, behind: Parts) -> None:
    around.parts = Parts(behind.store, behind.step, behind.door, behind.newest, no, yes)
    ready = await api.get("/readyz", None)
    checks = {"database": True, "schema": False, "temporal": True, "sealing": False, "history": True}
    assert (ready.status_code, ready.json()["checks"]) == (503, checks)


async def test_an_alarm_of_the_watch_is_shown_and_holds_nobody_up(api: Api, behind: Parts) -> None:
    behind.watch.alarm = Alarm("changed", 5, "the event does not have the hash that is stored with it")
    ready = await api.get("/readyz", None)
    assert (ready.status_code, ready.json()["checks"]["history"]) == (200, False)
    assert "\ntandem_watch_alarm 1\n" in (await api.get("/metrics", None)).text


async def test_before_the_database_was_reached_everything_else_waits(api: Api, around: Surroundings) -> None:
    around.parts = None
    assert (await api.get("/livez", None)).status_code == 200
    assert (await api.get("/readyz", None)).status_code == 503
    answer = await api.post("/v1/projects", START)
    problem(answer, 503, "StoreUnavailable")
    assert answer.headers["retry-after"] == "1"
    assert (await api.get("/metrics", None)).status_code == 200


async def test_when_the_database_is_away_it_is_503_everywhere(api: Api, behind: Parts) -> None:
    project = await api.start()
    await behind.store.close()
    for path in (
        "/v1/projects",
        f"/v1/projects/{project}",
        f"/v1/projects/{project}/events",
        "/v1/events",
        "/v1/inbox",
    ):
        answer = await api.get(path)
        problem(answer, 503, "StoreUnavailable")
        assert answer.headers["retry-after"] == "1"
    problem(await api.post(f"/v1/projects/{project}/capture-lesson", LESSON), 503, "StoreUnavailable")


async def test_the_version_names_the_installation(api: Api) -> None:
    told = (await api.get("/version", None)).json()
    assert told == {"name": "tandem", "version": "0.0.test", "instance": "inst-1", "api": "v1"}


async def test_numbers_count_what_was_answered(api: Api) -> None:
    project = await api.start()
    await api.do(project, "capture-lesson", LESSON)
    problem(await api.post(f"/v1/projects/{project}/vote", COMMANDS["Vote"].example), 404)
    await api.get("/v1/" + "x" * 50)
    await asyncio.sleep(0.05)
    text = (await api.get("/metrics", None)).text
    assert 'tandem_commands_total{command="CaptureLesson",outcome="recorded"} 1' in text
    assert 'tandem_refusals_total{code="NoDecision"} 1' in text
    route = "/v1/projects/{id}/capture-lesson"
    assert f'tandem_http_requests_total{{method="POST",route="{route}",status="200"}} 1' in text
    assert 'tandem_http_requests_total{method="GET",route="none",status="404"} 1' in text
    assert 'tandem_http_request_seconds_bucket{le="+Inf"} 4' in text
    assert "tandem_wake_lagging_projects 1" in text
    assert "tandem_wakes_told 2" in text
    sample = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in text.splitlines())


async def test_every_answer_has_an_id_and_protection(api: Api) -> None:
    for path, who in (("/livez", None), ("/v1/projects", PMO), ("/v1/projects", None), ("/nothing", None)):
        headers = (await api.get(path, who, headers={"X-Request-Id": "req-1"})).headers
        assert headers["x-request-id"] == "req-1"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["referrer-policy"] == "no-referrer"


async def test_a_request_id_that_could_do_harm_is_replaced(api: Api) -> None:
    for given in ("x" * 65, "a b", "a;b", "<script>", "é"):
        answer = await api.client.get("/livez", headers={b"X-Request-Id": given.encode()})
        assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])


async def test_the_documentation_is_whole_and_asks_no_other_origin(api: Api) -> None:
    page = await api.get("/docs", None)
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert not re.search(r"(src|href)=.https?:", page.text)
    for path in re.findall(r'(?:src|href)="(/docs/[^"]+)"', page.text):
        file = await api.get(path, None)
        assert (file.status_code, len(file.content) > 100) == (200, True)
    assert (await api.get("/openapi.json", None)).json()["openapi"].startswith("3.1")
    for name in ("../app.py", "%2e%2e%2fapp.py", "nothing.js"):
        assert (await api.get(f"/docs/{name}", None)).status_code == 404


async def test_a_fault_is_answered_without_its_inside(
    api: Api, behind: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the password is in here")

    monkeypatch.setattr(behind.door, "start", broken)
    answer = await api.post("/v1/projects", START, headers={"X-Request-Id": "req-7"})
    assert "password" not in answer.text
    assert problem(answer, 500, "Broken")["request_id"] == "req-7"
    assert "req-7" in caplog.text
    assert "the password is in here" in caplog.text


async def test_a_fault_leaves_no_secret_of_the_address_in_the_log(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Calendars, "reader", None)
    secret = fresh(PREFIX)
    problem(await api.get(f"/calendar/{secret}.ics", None), 500, "Broken")
    assert "'/calendar/…'" in caplog.text
    assert secret not in caplog.text


async def test_outages_of_every_kind_are_503(api: Api, behind: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    from activities.decide import Contended
    from activities.ports import StreamRewound

    for outage, code in (
        (StoreUnavailable("gone"), "StoreUnavailable"),
        (Contended("p"), "Contended"),
        (StreamRewound("older"), "StreamRewound"),
    ):

        async def failing(*_: object, fault: Exception = outage, **__: object) -> None:
            raise fault

        monkeypatch.setattr(behind.door, "start", failing)
        answer = await api.post("/v1/projects", START)
        problem(answer, 503, code)
        assert int(answer.headers["retry-after"]) >= 1


async def test_in_production_without_an_authenticator_everybody_is_a_stranger(around: Surroundings) -> None:
    around.authenticator = NobodyKnown()
    transport = httpx2.ASGITransport(app=build(around))
    async with httpx2.AsyncClient(transport=transport, base_url="http://tandem.test") as client:
        api = Api(client)
        for path in ("/v1/projects", "/v1/inbox", "/v1/events", "/v1/nothing", "/v1"):
            problem(await api.get(path), 401, "Unauthenticated")
        assert (await api.get("/livez")).status_code == 200


async def test_only_a_laptop_takes_names_on_trust() -> None:
    assert isinstance(authenticator(Settings(_env_file=None)), NobodyKnown)
    assert isinstance(authenticator(Settings(_env_file=None, mode="development")), DevelopmentAuthenticator)


async def test_who_hangs_up_while_sending_is_no_fault(around: Surroundings, caplog: pytest.LogCaptureFixture) -> None:
    sent: list[object] = []
    said = {"authorization": "Bearer dev:pei.min", "content-type": "application/json"}
    headers = [(name.encode(), value.encode()) for name, value in said.items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/projects", "query_string": b"", "headers": headers}

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    await build(around)(scope, receive, send)
    assert (sent, caplog.records) == ([], [])
