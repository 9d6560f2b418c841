"""What people were told: deliveries by who may see them, and messages that were not sent."""

from dataclasses import replace
from email import message_from_bytes, policy
from uuid import uuid4

from activities.letters import Letter
from activities.messages import NoticeMessage
from api.parts import Parts
from projections.deliveries import Deliveries
from projections.messages import Messages
from projections.outbox import Outbox
from store.postgres import PostgresStore
from tests.api.asking import MEMBER, PMO, PRODUCT, SPONSOR, Api, problem
from tests.vaults import vault_of

EVERYONE = "/v1/outbox?whose=everyone"


def letter(number: int, to: str = PRODUCT, event: object = None) -> Letter:
    ids = (str(event or uuid4()), to, "mail", f"<{number}@tandem.example>", "<p@tandem.example>")
    return Letter(*ids, "en", f"Mail {number}", "text", "<p>text</p>")


async def test_the_outbox_of_everyone_is_for_officers_and_paged(api: Api, store: PostgresStore) -> None:
    problem(await api.get(EVERYONE, PRODUCT), 403, "ForOfficers")
    (event,) = await store.read(f"project-{await api.start()}")
    for number in range(3):
        await Outbox(store.pool, vault_of(store)).keep(letter(number, event=event.event_id))
    await Outbox(store.pool, vault_of(store)).keep(letter(4))  # of no event of a project: for its reader alone
    first = (await api.get(f"{EVERYONE}&limit=2", PMO)).json()
    assert [(line["subject"], line["state"]) for line in first["items"]] == [("Mail 2", "kept"), ("Mail 1", "kept")]
    second = (await api.get(f"{EVERYONE}&limit=2&cursor={first['next']}", PMO)).json()
    assert ([line["subject"] for line in second["items"]], second["next"]) == (["Mail 0"], None)
    problem(await api.get("/v1/outbox?cursor=x", PMO), 422, "Invalid")
    problem(await api.get("/v1/outbox?whose=his", PMO), 422, "Invalid")


async def test_one_s_own_messages_are_there_to_read_and_to_take_along(api: Api, store: PostgresStore) -> None:
    outbox = Outbox(store.pool, vault_of(store))
    await outbox.keep(letter(1))
    await outbox.keep(replace(letter(2, MEMBER), html=""))
    (mine,) = (await api.get("/v1/outbox", PRODUCT)).json()["items"]
    answer = await api.get(mine["href"], PRODUCT)
    assert answer.headers["content-type"] == "message/rfc822"
    mail = message_from_bytes(answer.content, policy=policy.default)
    assert (mail["Subject"], mail["Message-ID"]) == ("Mail 1", "<1@tandem.example>")
    assert mail.get_body(("plain",)).get_content().strip() == "text"
    (other,) = (await api.get("/v1/outbox", MEMBER)).json()["items"]
    problem(await api.get(other["href"], PRODUCT), 404, "NoMessage")
    for nothing in ("0", "x", "9" * 30, "999"):
        problem(await api.get(f"/v1/outbox/{nothing}/message.eml", PRODUCT), 404, "NoMessage")


async def told(store: PostgresStore, project: str, event: str, to: str, state: str = "delivered") -> None:
    """A notice of an event, in the inbox and by mail."""
    ids = {"event_id": event, "project_id": project, "code": "P-1", "recipient": to}
    notice = NoticeMessage.model_validate({**ids, "kind": "K", "en": f"Look, {to}", "zh": f"请看,{to}"})
    await Messages(store.pool).put(notice)
    await Deliveries(store.pool).begin(notice, "mail")
    await Deliveries(store.pool).record(notice, "mail", state, 3, "the mail server says 450")


async def test_deliveries_are_seen_by_sender_recipient_and_who_looks_after_the_project(
    api: Api, store: PostgresStore, behind: Parts
) -> None:
    project = await api.start()
    await api.do(project, "assign-role", {"person": "chen.yu", "role": "MEMBER", "reason": "helps"})
    events = await store.read(f"project-{project}")
    await told(store, project, str(events[-1].event_id), "chen.yu", "failed")
    await told(store, project, str(events[-1].event_id), SPONSOR, "waiting")
    path = f"/v1/projects/{project}/deliveries"

    async def seen(who: str, query: str = "") -> set[tuple[str, str, int]]:
        items = (await api.get(path + query, who)).json()["items"]
        return {(item["recipient"], item["state"], item["attempts"]) for item in items}

    both = {("chen.yu", "failed", 3), (SPONSOR, "waiting", 3)}
    assert await seen(PMO) == both
    assert await seen(SPONSOR) == {(SPONSOR, "waiting", 3)}
    assert await seen(PRODUCT) == set()
    problem(await api.get(f"/v1/projects/{uuid4()}/deliveries", PMO), 404, "NoProject")
    first = (await api.get(f"{path}?limit=1", PMO)).json()
    rest = (await api.get(f"{path}?limit=1&cursor={first['next']}", PMO)).json()
    assert {item["recipient"] for item in first["items"] + rest["items"]} == {"chen.yu", SPONSOR}
    assert rest["next"] is None
    for wrong in ("x", "1~2~3~4", f"1~{uuid4()}~A~mail"):
        problem(await api.get(f"{path}?cursor={wrong}", PMO), 422, "Invalid")


async def test_one_s_own_deliveries_are_told_in_words(api: Api, store: PostgresStore) -> None:
    project = await api.start()
    await told(store, project, str(uuid4()), PRODUCT, "failed")
    await told(store, project, str(uuid4()), MEMBER)
    answer = await api.client.get(
        "/v1/me/deliveries", headers={"Authorization": f"Bearer dev:{PRODUCT}", "Accept-Language": "zh"}
    )
    (line,) = answer.json()["items"]
    assert (line["text"], line["detail"]) == (f"请看,{PRODUCT}", "the mail server says 450")
    assert (line["channel"], line["project"], line["code"]) == ("mail", project, "P-1")
