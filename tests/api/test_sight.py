"""Who sees a project: everybody, teams, or its own people; and since when (docs/governance.md, V1 to V4)."""

from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from activities.decide import Step
from activities.messages import NoticeMessage
from activities.notify import Undeliverable
from api.parts import Parts
from domain.decider import COMMANDS
from domain.directory.record import Directory
from notifications.discretion import Discreet
from notifications.inbox import Inbox
from projections.digests import Digests
from projections.messages import Messages
from store.postgres import PostgresStore
from store.rebuilding import rebuild
from tests.api.asking import AUDITOR, MEMBER, PMO, PRODUCT, SPONSOR, START, Api, problem
from tests.api.test_outbox import told
from tests.audit.building import checked, key_of, seal
from tests.conftest import Database
from tests.rosters import FixedRoster, directory_of
from verifier.tandem_verify import UNPROVEN, VALID

OFFICE, REVIEWER, KEEPER, TEAMMATE, STRANGER = "bao.lan", "shen.ji", "guan.li", "cai.wu", "mo.sheng"
EVERYBODY = (PMO, AUDITOR, OFFICE, REVIEWER, KEEPER, TEAMMATE, STRANGER)
KNOWN = {OFFICE: ["PMO"], REVIEWER: ["AUDITOR"], KEEPER: ["ADMINISTRATOR"], STRANGER: []}
SECRET = {"visibility": "CONFIDENTIAL", "reason": "A merger"}


def knowing(behind: Parts, known: Directory) -> None:
    behind.door.sight.roster = FixedRoster(known)


@pytest.fixture(autouse=True)
def directory(behind: Parts) -> None:
    knowing(behind, directory_of(KNOWN, {"finance": [TEAMMATE]}))


async def seeing(api: Api, project: str) -> set[str]:
    """Who of everybody sees the project: alone, and in the list."""
    found = set()
    for who in EVERYBODY:
        answer = await api.get(f"/v1/projects/{project}", who)
        listed = project in (await api.get("/v1/projects", who)).text
        assert listed == answer.is_success, who
        found |= {who} if answer.is_success else set()
    return found


@pytest.mark.parametrize(
    ("asked", "others"),
    [
        ({"visibility": "OPEN"}, {OFFICE, REVIEWER, KEEPER, TEAMMATE, STRANGER}),
        ({"visibility": "TEAM", "teams": ["finance"]}, {OFFICE, REVIEWER, TEAMMATE}),
        ({"visibility": "TEAM", "teams": ["legal"]}, {OFFICE, REVIEWER}),
        ({"visibility": "CONFIDENTIAL"}, set()),
    ],
)
async def test_a_project_is_seen_by_whom_it_is_open_to(api: Api, asked: dict[str, Any], others: set[str]) -> None:
    """Said at the start, or later: the same."""
    started = await api.post("/v1/projects", START | asked)
    assert await seeing(api, started.json()["id"]) == {PMO, AUDITOR} | others
    if others != {OFFICE, REVIEWER, KEEPER, TEAMMATE, STRANGER}:
        later = await api.start()
        await api.do(later, "change-visibility", {"reason": "By the board"} | asked, SPONSOR)
        assert await seeing(api, later) == {PMO, AUDITOR} | others
        shown = await api.state(later)
        assert (shown["visibility"], shown["teams"]) == (asked["visibility"], asked.get("teams", []))


async def test_only_sponsor_and_pmo_change_it_and_teams_go_with_team(api: Api) -> None:
    project = await api.start()
    path = f"/v1/projects/{project}/change-visibility"
    for who in (PRODUCT, MEMBER, AUDITOR, OFFICE):
        problem(await api.post(path, SECRET, who), 403, "WrongRole")
    for wrong in ({"visibility": "TEAM"}, {"visibility": "OPEN", "teams": ["finance"]}, {"visibility": "SECRET"}):
        problem(await api.post(path, wrong | {"reason": "x"}), 422, "Malformed")
    many = {"visibility": "TEAM", "teams": [f"t{number}" for number in range(21)], "reason": "x"}
    problem(await api.post(path, many), 422, "Malformed")
    await api.do(project, "hold-project", {"reason": "Wait"})
    await api.do(project, "change-visibility", SECRET)
    problem(await api.post(path, SECRET), 409, "VisibleAlready")
    await api.do(project, "change-visibility", {"visibility": "OPEN", "reason": "Announced"})
    assert STRANGER in await seeing(api, project)


async def test_whoever_waits_for_confirmation_sees_it_and_whoever_left_it_does_not(api: Api) -> None:
    project = await api.start()
    await api.do(project, "change-visibility", SECRET)
    given = {"person": STRANGER, "role": "PMO", "reason": "Helps"}
    await api.do(project, "assign-role", given)
    assert STRANGER in await seeing(api, project)
    await api.do(project, "confirm-role", {"grant": "G-6"}, SPONSOR)
    assert (await api.get("/v1/audit/events", STRANGER)).json()["items"]
    await api.do(project, "end-role", given)
    assert STRANGER not in await seeing(api, project)
    assert (await api.get("/v1/audit/events", STRANGER)).json()["items"] == []


async def test_a_door_that_remembers_somebody_s_role_tells_nothing_once_it_is_ended(
    api: Api, behind: Parts, store: PostgresStore
) -> None:
    project = await api.start()
    await api.do(project, "change-visibility", SECRET)
    remembered = behind.step.states.remembered(project)
    assert remembered is not None
    elsewhere = Step(store, behind.step.templates, vault=behind.vault)
    behind.door._step, mine = elsewhere, behind.door._step
    await api.do(project, "end-role", {"person": MEMBER, "role": "MEMBER", "reason": "Moves on"})
    behind.door._step = mine
    assert behind.step.states.remembered(project) is remembered
    late = await api.post(f"/v1/projects/{project}/hold-project", {"reason": "x"}, MEMBER)
    problem(late, 404, "NoProject")


async def test_the_record_is_searched_by_those_who_look_after_it(api: Api) -> None:
    mine = await api.start()
    people = {"sponsor": "a.sponsor", "pmo": "a.office", "product_manager": "a.product"}
    other = (await api.post("/v1/projects", START | {"people": people}, "a.office")).json()["id"]
    for who, found in {
        REVIEWER: {mine, other},
        OFFICE: {mine, other},
        PMO: {mine},
        AUDITOR: {mine},
        PRODUCT: {mine},
        MEMBER: set[str](),
        KEEPER: set[str](),
    }.items():
        items = (await api.get("/v1/audit/events", who)).json()["items"]
        assert {item["stream"].removeprefix("project-") for item in items} == found, who
    problem(await api.get("/v1/audit/export", OFFICE), 403, "ForAuditors")


async def test_a_message_and_its_count_go_with_the_project(api: Api, behind: Parts) -> None:
    project = await api.start()
    (event,) = await behind.store.read(f"project-{project}")
    await told(behind.store, project, str(event.event_id), STRANGER)
    inbox = (await api.get("/v1/inbox", STRANGER)).json()
    assert (len(inbox["messages"]), inbox["unread"]) == (1, 1)
    await api.do(project, "change-visibility", SECRET)
    for query in ("", "?as_of=2100-01-01"):
        gone = (await api.get(f"/v1/inbox{query}", STRANGER)).json()
        assert (gone["messages"], gone["unread"]) == ([], 0)
    number = inbox["messages"][0]["id"]
    problem(await api.post(f"/v1/inbox/{number}/read", None, STRANGER), 404, "NoMessage")
    assert (await api.get("/v1/me/deliveries", STRANGER)).json()["items"] == []


async def test_the_whole_log_is_proven_though_some_of_it_is_withheld(
    api: Api, store: PostgresStore, tmp_path: Path
) -> None:
    await api.start()
    hidden = (await api.post("/v1/projects", START | {"visibility": "CONFIDENTIAL"})).json()["id"]
    await api.start()
    await api.do(hidden, "draft-charter", COMMANDS["DraftCharter"].example)
    await seal(store)
    path = tmp_path / "log.zip"
    path.write_bytes((await api.get("/v1/audit/export", REVIEWER)).content)
    report = checked(path, await key_of(store))
    assert (report.code, report.findings, report.events) == (UNPROVEN, [], await store.head())
    assert hidden.encode() not in path.read_bytes()
    await api.do(hidden, "change-visibility", {"visibility": "OPEN", "reason": "Announced"})
    await seal(store)
    path.write_bytes((await api.get("/v1/audit/export", REVIEWER)).content)
    assert checked(path, await key_of(store)).code == VALID


async def test_what_is_derived_of_sight_is_rebuilt_the_same(api: Api, database: Database) -> None:
    await api.start()
    hidden = (await api.post("/v1/projects", START | {"visibility": "TEAM", "teams": ["finance"]})).json()["id"]
    await api.do(hidden, "assign-role", {"person": STRANGER, "role": "PMO", "reason": "Helps"})
    assert [one.differing for one in await rebuild(database.admin, ["pages", "duties"])] == [0, 0, 0]
    connection = await asyncpg.connect(database.admin)
    await connection.execute("UPDATE tandem.project SET locks = NULL")
    await connection.close()
    assert [one.differing for one in await rebuild(database.admin, ["pages"])] == [1, 0]
    assert STRANGER in await seeing(api, hidden)
    assert KEEPER not in await seeing(api, hidden)


async def test_what_waits_to_be_told_is_not_told_once_the_project_has_closed_itself(
    api: Api, behind: Parts, store: PostgresStore
) -> None:
    """In a digest or on its own: quiet hours and mail servers that are away keep notices waiting."""
    project, inbox, day = await api.start(), Inbox(Messages(store.pool)), date(2030, 1, 7)
    told = {"project_id": project, "code": "P-1", "kind": "K", "recipient": STRANGER, "en": "They merge", "zh": "合并"}
    notice, digests = NoticeMessage(event_id=str(uuid4()), **told), Digests(store.pool, behind.sight.keys)
    channel = Discreet(inbox, behind.sight.sees_stream)
    assert await channel.deliver(notice) is None
    await digests.hold(notice)
    await api.do(project, "change-visibility", SECRET)
    assert await digests.collect(STRANGER, day) == []
    with pytest.raises(Undeliverable):
        await channel.deliver(notice)
    await api.do(project, "change-visibility", {"visibility": "OPEN", "reason": "Announced"})
    assert [item.en for item in await digests.collect(STRANGER, day)] == ["They merge"]
    assert await channel.deliver(notice) is None


async def test_a_refused_start_of_a_confidential_project_tells_its_words_to_whoever_tried_alone(api: Api) -> None:
    body = START | {"title": "Zephyrquill takeover", "visibility": "CONFIDENTIAL"}
    problem(await api.post("/v1/projects", body, STRANGER), 403, "NotAStarter")
    for query in ("", "&text=zephyrquill"):
        found = await api.get(f"/v1/audit/refusals?type=StartProject{query}", REVIEWER)
        assert "Zephyrquill" not in found.text
        assert [item["sealed"] for item in found.json()["items"]] == ([] if query else [True])
    problem(await api.post("/v1/projects", body | {"visibility": "OPEN"}, STRANGER), 403, "NotAStarter")
    assert "Zephyrquill" in (await api.get("/v1/audit/refusals?type=StartProject", REVIEWER)).text
