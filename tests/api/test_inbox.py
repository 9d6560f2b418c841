"""The inbox: duties with the overdue first, messages with what was read."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from activities.messages import NoticeMessage
from domain.decider import COMMANDS
from projections.messages import Messages
from store.postgres import PostgresStore
from tests.api.asking import AUDITOR, PMO, PRODUCT, Api, problem
from tests.conftest import Database


@pytest.fixture
async def notices(store: PostgresStore) -> Messages:
    """Three messages to the PMO, one to the product manager."""
    messages = Messages(store.pool)
    for number, person in enumerate([PMO, PMO, PMO, PRODUCT], 1):
        await messages.put(
            NoticeMessage(
                event_id=str(uuid4()),
                project_id="01a20ed3-174d-7611-9e68-8522ab59412a",
                code="P-00007",
                kind="GateOpened",
                recipient=person,
                en=f"Message {number}",
                zh=f"消息 {number}",
            )
        )
    return messages


async def test_what_waits_for_a_person_is_there(api: Api) -> None:
    project = await api.start()
    await api.do(project, "draft-charter", COMMANDS["DraftCharter"].example)
    await api.do(project, "propose-charter", {"revision": 1})
    duty = (await api.get("/v1/inbox", PRODUCT)).json()["duties"][0]
    assert (duty["project"], duty["code"], duty["kind"], duty["ref"]) == (project, "P-00001", "sign", "D-1")
    assert (duty["overdue"], duty["held"]) == (False, False)
    await api.sign(project, PRODUCT)
    assert (await api.get("/v1/inbox", PRODUCT)).json()["duties"] == []
    assert (await api.get("/v1/inbox", AUDITOR)).json()["duties"] == []


async def test_what_is_overdue_comes_first(api: Api, database: Database) -> None:
    for _ in range(3):
        project = await api.start()
        await api.do(project, "draft-charter", COMMANDS["DraftCharter"].example)
        await api.do(project, "propose-charter", {"revision": 1})
    connection = await asyncpg.connect(database.admin)
    late = datetime.now(UTC) - timedelta(days=1)
    await connection.execute("UPDATE tandem.duty SET due_at = $1 WHERE project_id = $2", late, project)
    await connection.close()
    duties = (await api.get("/v1/inbox", PRODUCT)).json()["duties"]
    assert [duty["overdue"] for duty in duties] == [True, False, False]
    assert duties[0]["project"] == project


async def test_messages_come_newest_first_in_the_callers_language(api: Api, notices: Messages) -> None:
    inbox = (await api.get("/v1/inbox")).json()
    assert [m["text"] for m in inbox["messages"]] == ["Message 3", "Message 2", "Message 1"]
    assert (inbox["unread"], inbox["next"]) == (3, None)
    chinese = (await api.get("/v1/inbox", headers={"Accept-Language": "zh"})).json()
    assert chinese["messages"][0]["text"] == "消息 3"


async def test_messages_go_page_by_page(api: Api, notices: Messages) -> None:
    first = (await api.get("/v1/inbox?limit=2")).json()
    rest = (await api.get("/v1/inbox", params={"limit": 2, "cursor": first["next"]})).json()
    assert [m["text"] for m in first["messages"] + rest["messages"]] == ["Message 3", "Message 2", "Message 1"]
    assert rest["next"] is None


async def test_a_message_is_marked_as_read_by_its_recipient_alone(api: Api, notices: Messages) -> None:
    newest = (await api.get("/v1/inbox")).json()["messages"][0]
    problem(await api.post(f"/v1/inbox/{newest['id']}/read", who=PRODUCT), 404, "NoMessage")
    for _ in range(2):
        answer = await api.post(f"/v1/inbox/{newest['id']}/read")
        assert (answer.status_code, answer.json()) == (200, {"id": newest["id"], "read": True})
    inbox = (await api.get("/v1/inbox")).json()
    assert ([m["read"] for m in inbox["messages"]], inbox["unread"]) == ([True, False, False], 2)
    unread = (await api.get("/v1/inbox?unread=true")).json()["messages"]
    assert [m["text"] for m in unread] == ["Message 2", "Message 1"]


async def test_a_message_that_does_not_exist_is_404(api: Api) -> None:
    for number in ("0", "1", "-1", "x", "9" * 19, "9" * 30, "%00"):
        problem(await api.post(f"/v1/inbox/{number}/read"), 404)


@pytest.mark.parametrize("number", ["0", "9" * 19, "0" * 19 + "1" + "9" * 30, "0" * 19 + "1" + "9" * 5000, "\u0661"])
async def test_a_number_that_no_message_can_have_is_not_there(number: str, api: Api) -> None:
    problem(await api.post(f"/v1/inbox/{number}/read"), 404, "NoMessage")
    problem(await api.get(f"/v1/outbox/{number}/message.eml"), 404, "NoMessage")
    if number != "0":
        problem(await api.get("/v1/inbox", params={"cursor": number}), 422, "Invalid")
        problem(await api.get("/v1/outbox", params={"cursor": number}), 422, "Invalid")
