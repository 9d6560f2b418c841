"""What a person may say about being told, and who sees what was not sent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from projections.preferences import Preferences
from projections.profiles import Asked, Profiles
from store.postgres import PostgresStore
from store.vault import PostgresVault
from tests.api.asking import PMO, PRODUCT, Api, named, problem

PATH = "/v1/me/preferences"
ADDRESS = "pan.mei@mail.example"
PLAIN = {
    "language": "en",
    "time_zone": "UTC",
    "quiet_hours": None,
    "address": None,
    "address_to_confirm": None,
    "mail": False,
    "chat": False,
    "chat_service": None,
    "first": "mail",
    "digest": "none",
    "digest_at": "09:00",
}
CHAT = "https://mattermost.example.com/hooks/abcdefghij0123456789abcdef"


async def change(api: Api, who: str = PRODUCT, **wanted: Any) -> Any:
    return await api.client.patch(PATH, json=wanted, headers=named(who))


async def test_what_is_left_out_stays(api: Api) -> None:
    assert (await api.get(PATH, PRODUCT)).json() == PLAIN
    quiet = {"start": "21:00", "until": "08:00"}
    assert (await change(api, address=ADDRESS, mail=True, time_zone="Asia/Shanghai")).status_code == 200
    answer = await change(api, quiet_hours=quiet, language="zh")
    named = {"address_to_confirm": ADDRESS, "mail": True, "quiet_hours": quiet}
    whole = PLAIN | named | {"language": "zh", "time_zone": "Asia/Shanghai"}
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
    await change(api, address=ADDRESS, mail=True, chat_address=CHAT, chat=True)
    kept = (await keys.profiles([PRODUCT]))[PRODUCT]
    assert (kept["name"], kept["mail_asked"]) == ("潘梅", ADDRESS)
    rows = str(await store.pool.fetch("SELECT p, n FROM tandem.preference p, tandem.address_note n"))
    assert PRODUCT in rows
    assert not [secret for secret in (ADDRESS, kept["mail_code"], "abcdefghij") if secret in rows]


async def code_of(keys: PostgresVault) -> str:
    asked = (await Profiles(keys).places(PRODUCT)).asked
    assert asked is not None
    return asked.code


async def test_an_address_counts_once_its_code_came_back(api: Api, keys: PostgresVault) -> None:
    await change(api, address=ADDRESS, mail=True)
    code = await code_of(keys)
    for wrong in (code[::-1], "x", "é" * 12):
        found = problem(await confirm(api, wrong), 422, "Invalid")
        assert found["errors"][0]["pointer"] == "/code"
    problem(await confirm(api, code, PMO), 422, "Invalid")
    answer = (await confirm(api, f"{code[:6].lower()} - {code[6:]}")).json()
    assert (answer["address"], answer["address_to_confirm"]) == (ADDRESS, None)
    problem(await confirm(api, code), 422, "Invalid")


async def confirm(api: Api, code: str, who: str = PRODUCT) -> Any:
    return await api.client.post(f"{PATH}/confirm-address", json={"code": code}, headers=named(who))


async def test_an_old_address_goes_on_until_the_new_one_is_confirmed(api: Api, keys: PostgresVault) -> None:
    await Profiles(keys).set_mailbox(PRODUCT, ADDRESS)
    answer = (await change(api, address="new@mail.example")).json()
    assert (answer["address"], answer["address_to_confirm"]) == (ADDRESS, "new@mail.example")
    code = await code_of(keys)
    assert (await change(api, address="new@mail.example")).json()["address"] == ADDRESS
    assert await code_of(keys) == code, "named again it needs no second letter"
    back = (await change(api, address=ADDRESS)).json()
    assert (back["address"], back["address_to_confirm"]) == (ADDRESS, None)
    problem(await confirm(api, code), 422, "Invalid")


async def test_a_code_ends_and_nobody_is_flooded_with_codes(api: Api, keys: PostgresVault) -> None:
    await Profiles(keys).ask(PRODUCT, Asked(ADDRESS, "CODE", datetime.now(UTC) - timedelta(seconds=1)))
    problem(await confirm(api, "CODE"), 422, "Invalid")
    for number in range(5):
        assert (await change(api, address=f"a{number}@mail.example")).status_code == 200
    found = problem(await change(api, address="a6@mail.example"), 422, "Invalid")
    assert "tomorrow" in found["detail"]
    assert (await api.get(PATH, PRODUCT)).json()["address_to_confirm"] is None


async def test_a_chat_address_is_never_shown_again(api: Api, keys: PostgresVault) -> None:
    problem(await change(api, chat=True), 422, "Invalid")
    answer = await change(api, chat_address=CHAT, chat=True, first="chat", digest="weekly", digest_at="08:30")
    shown = answer.json()
    assert (shown["chat"], shown["chat_service"], shown["first"]) == (True, "Mattermost", "chat")
    assert (shown["digest"], shown["digest_at"]) == ("weekly", "08:30")
    assert "abcdefghij" not in answer.text + (await api.get(PATH, PRODUCT)).text
    bad = await change(api, chat_address="mmosts://127.0.0.1/abcdefghij0123456789abcdef")
    assert "abcdefghij" not in bad.text
    assert problem(bad, 422, "Invalid")["errors"][0]["pointer"] == "/chat_address"
    gone = (await change(api, chat_address=None)).json()
    assert (gone["chat"], gone["chat_service"]) == (False, None)


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
        {"digest": "hourly"},
        {"digest_at": "9"},
        {"first": "pigeon"},
        {"chat_address": "syslog://localhost"},
        {"chat_address": "x" * 2000},
        {"chat_address": 7},
    ],
)
async def test_what_cannot_be_is_refused(api: Api, wanted: dict[str, Any]) -> None:
    assert problem(await change(api, **wanted), 422, "Invalid")["errors"]
    assert (await api.get(PATH, PRODUCT)).json() == PLAIN


async def test_whoever_was_erased_is_not_kept_again(api: Api, keys: PostgresVault, store: PostgresStore) -> None:
    await change(api, address=ADDRESS, mail=True)
    await store.pool.execute("SELECT vault.erase($1, now())", PRODUCT)
    assert (await api.get(PATH, PRODUCT)).json()["address_to_confirm"] is None
    problem(await change(api, address=ADDRESS), 409, "PersonErased")
