"""The directory as a list: looked at line by line, taken whole or not at all, given out as it is taken in."""

import time
from typing import Any

import httpx2
import pytest

from api import directory_lists
from api.parts import Parts
from tests.api.asking import Api, problem

ROOT, WEI, JING = "root.admin", "li.wei", "an.jing"
LIST = "person,team,role\r\nli.wei,sales,\r\nan.jing,sales,AUDITOR\r\nli.wei,,pmo\r\n"


@pytest.fixture
async def founded(api: Api) -> Api:
    assert (await api.post("/v1/directory/found", {}, ROOT)).status_code == 200
    return api


async def sent(api: Api, text: str | bytes, who: str = ROOT, kind: str = "text/csv", **query: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer dev:{who}", "Content-Type": kind}
    body = text.encode() if isinstance(text, str) else text
    return await api.client.post("/v1/directory/import", content=body, headers=headers, params=query)


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(founded: Api) -> None:
    told = (await sent(founded, LIST, dry_run=True)).json()
    assert (told["dry_run"], told["lines"], told["faults"]) == (True, 3, [])
    assert told["events"] == {"PersonAdded": 2, "TeamMade": 1, "TeamJoined": 2, "OrganisationRoleGranted": 2}
    assert [(c["line"], c["person"], len(c["events"])) for c in told["changes"]] == [
        (2, WEI, 3),
        (3, JING, 3),
        (4, WEI, 1),
    ]
    assert told["changes"][0]["sentences"][0] == "root.admin added li.wei to the directory"
    assert len((await founded.get("/v1/directory/people", ROOT)).json()["items"]) == 1


async def test_a_list_is_taken_once(founded: Api) -> None:
    first = (await sent(founded, "\ufeff" + LIST)).json()
    assert first["events"] == {"PersonAdded": 2, "TeamMade": 1, "TeamJoined": 1, "OrganisationRoleGranted": 2}
    assert (await sent(founded, LIST)).json()["events"] == {}
    jing = (await founded.get(f"/v1/directory/people/{JING}", WEI)).json()
    assert (jing["teams"], jing["roles"]) == (["sales"], ["AUDITOR"])


async def test_every_fault_has_its_line_and_then_nothing_is_taken(founded: Api) -> None:
    bad = LIST + "Li Wei,,\r\n\r\nan.jing,,PMO\r\nroot.admin,,PMO\r\nx,y\r\nx,two words,\r\nx,,KING\r\n"
    told = (await sent(founded, bad, dry_run=True)).json()
    assert [(f["line"], f["code"]) for f in told["faults"]] == [
        (5, "string_pattern_mismatch"),
        (7, "RolesApart"),
        (8, "NotYourself"),
        (9, "columns"),
        (10, "string_pattern_mismatch"),
        (11, "enum"),
    ]
    refused = problem(await sent(founded, bad), 422, "LinesRefused")
    assert [error["pointer"] for error in refused["errors"]][:2] == ["/lines/5", "/lines/7"]
    assert len((await founded.get("/v1/directory/people", ROOT)).json()["items"]) == 1


async def test_what_is_no_list_is_refused(founded: Api) -> None:
    other = [b"", b"name,team\r\nli.wei,sales\r\n", b"person,person\r\n", b"\x00"]
    broken = [b"person\r\n\xff\xfe", b'person\r\n"li.wei\r\n', b"person\r\nx\x00\r\n" + b"y" * 140_000]
    for text in (*other, *broken):
        problem(await sent(founded, text), 422)


async def test_a_list_is_bounded_and_says_what_it_is(founded: Api) -> None:
    problem(await sent(founded, "person\r\n" + "a\r\n" * 5_001), 422, "NoList")
    problem(await sent(founded, "person\r\n" + "a" * 300_000), 413, "TooLarge")
    problem(await sent(founded, LIST, kind="application/json"), 415)


async def test_only_administrators_bring_lists(founded: Api, behind: Parts) -> None:
    problem(await sent(founded, LIST, WEI, dry_run=True), 403, "NotAdministrator")
    problem(await sent(founded, LIST, WEI), 403, "NotAdministrator")
    assert [line.type for _, line in await behind.store.refusals(10)] == ["ImportPeople"]


async def test_what_is_given_out_can_be_taken_in(founded: Api) -> None:
    await sent(founded, LIST)
    await founded.post("/v1/directory/add-person", {"person": "gone"}, ROOT)
    await founded.post("/v1/directory/deactivate-person", {"person": "gone", "basis": "long absence"}, ROOT)
    given = await founded.get("/v1/directory/export", WEI)
    assert given.headers["content-type"].startswith("text/csv")
    assert given.text == (
        "person,team,role\r\nan.jing,sales,AUDITOR\r\nli.wei,sales,PMO\r\nroot.admin,,ADMINISTRATOR\r\n"
    )
    assert (await sent(founded, given.text)).json()["events"] == {}


async def test_two_thousand_people_take_seconds(founded: Api) -> None:
    lines = "".join(f"person.{n:04},team-{n % 40},{'PMO' if n % 100 == 0 else ''}\r\n" for n in range(2_000))
    began = time.perf_counter()
    told = (await sent(founded, "person,team,role\r\n" + lines)).json()
    assert told["events"]["PersonAdded"] == 2_000
    assert time.perf_counter() - began < 20
    began = time.perf_counter()
    assert (await founded.post("/v1/directory/add-person", {"person": WEI}, ROOT)).status_code == 200
    assert time.perf_counter() - began < 2


async def test_nobody_elses_list_is_looked_at(founded: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five thousand lines take seconds: whoever may not bring them does not hold up everybody."""
    monkeypatch.setattr(directory_lists, "outcomes", None)
    for dry_run in (True, False):
        problem(await sent(founded, LIST, WEI, dry_run=dry_run), 403, "NotAdministrator")
