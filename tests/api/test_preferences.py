"""What a person may say about being told, and who sees what was not sent."""

from typing import Any
from uuid import uuid4

import pytest

from activities.letters import Letter
from projections.outbox import Outbox
from projections.preferences import Preferences
from store.postgres import PostgresStore
from store.vault import PostgresVault
from tests.api.asking import PMO, PRODUCT, Api, named, problem

PATH = "/v1/me/preferences"
ADDRESS = "pan.mei@mail.example"
PLAIN = {"language": "en", "time_zone": "UTC", "quiet_hours": None, "address": None, "mail": False}


async def change(api: Api, who: str = PRODUCT, **wanted: Any) -> Any:
    return await api.client.patch(PATH, json=wanted, headers=named(who))


async def test_what_is_left_out_stays(api: Api) -> None:
    assert (await api.get(PATH, PRODUCT)).json() == PLAIN
    quiet = {"start": "21:00", "until": "08:00"}
    assert (await change(api, address=ADDRESS, mail=True, time_zone="Asia/Shanghai")).status_code == 200
    answer = await change(api, quiet_hours=quiet, language="zh")
    whole = {"language": "zh", "time_zone": "Asia/Shanghai", "quiet_hours": quiet, "address": ADDRESS, "mail": True}
    assert answer.json() == whole
    assert (await api.get(PATH, PRODUCT)).json() == whole
    assert (await api.get(PATH, PMO)).json() == PLAIN
    assert (await change(api, quiet_hours=None)).json()["quiet_hours"] is None


async def test_mail_needs_an_address_and_goes_with_it(api: Api, store: PostgresStore) -> None:
    found = problem(await change(api, mail=True), 422, "Invalid")
    assert found["errors"][0]["pointer"] == "/mail"
    await change(api, address=ADDRESS, mail=True)
    assert await Preferences(store.pool).channels([PRODUCT, PMO]) == {PRODUCT: ("mail",)}
    assert (await change(api, address=None)).json()["mail"] is False
    assert await Preferences(store.pool).channels([PRODUCT]) == {}


async def test_an_address_stands_nowhere_in_the_clear_and_the_profile_keeps_the_rest(
    api: Api, store: PostgresStore, keys: PostgresVault
) -> None:
    await keys.put_profile(PRODUCT, {"name": "潘梅"})
    await change(api, address=ADDRESS, mail=True)
    assert await keys.profiles([PRODUCT]) == {PRODUCT: {"name": "潘梅", "mail": ADDRESS}}
    assert ADDRESS not in str(await store.pool.fetch("SELECT * FROM tandem.preference"))


@pytest.mark.parametrize(
    "wanted",
    [
        {"language": "de"},
        {"time_zone": "Mars/Olympus"},
        {"quiet_hours": {"start": "08:00", "until": "08:00"}},
        {"quiet_hours": {"start": "25:00", "until": "08:00"}},
        {"address": "nobody"},
        {"address": "a@b.example\r\nBcc: c@d.example"},
        {"address": "a@b.example, c@d.example"},
        {"mail": None},
        {"sound": True},
    ],
)
async def test_what_cannot_be_is_refused(api: Api, wanted: dict[str, Any]) -> None:
    assert problem(await change(api, **wanted), 422, "Invalid")["errors"]
    assert (await api.get(PATH, PRODUCT)).json() == PLAIN


async def test_whoever_was_erased_is_not_kept_again(api: Api, keys: PostgresVault, store: PostgresStore) -> None:
    await change(api, address=ADDRESS, mail=True)
    await store.pool.execute("SELECT vault.erase($1, now())", PRODUCT)
    assert (await api.get(PATH, PRODUCT)).json()["address"] is None
    problem(await change(api, address=ADDRESS), 409, "PersonErased")


async def test_the_outbox_is_for_officers_and_paged(api: Api, store: PostgresStore) -> None:
    problem(await api.get("/v1/outbox", PRODUCT), 403, "ForOfficers")
    await api.start()
    for number in range(3):
        ids = (str(uuid4()), PRODUCT, "mail", f"<{number}@tandem.example>", "<p@tandem.example>")
        await Outbox(store.pool).keep(Letter(*ids, "en", f"Mail {number}", "text", "<p>text</p>"))
    first = (await api.get("/v1/outbox?limit=2", PMO)).json()
    assert [(line["subject"], line["state"]) for line in first["items"]] == [("Mail 2", "kept"), ("Mail 1", "kept")]
    second = (await api.get(f"/v1/outbox?limit=2&cursor={first['next']}", PMO)).json()
    assert ([line["subject"] for line in second["items"]], second["next"]) == (["Mail 0"], None)
    problem(await api.get("/v1/outbox?cursor=x", PMO), 422, "Invalid")
