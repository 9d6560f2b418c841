"""Erasing somebody takes two people, is an event in the log, and destroys the key; a legal hold stops it."""

from typing import Any

import pytest

from activities.ports import StoreUnavailable
from api.parts import Parts
from projections.people import erase_again
from store.vault import PostgresVault
from tests.api.asking import MEMBER, PMO, PRODUCT, SPONSOR, START, Api, problem

GONE = "zhao.min"
ASKED = {"basis": "asked by the person"}
SECOND = "pei.lan"


@pytest.fixture
async def officers(api: Api) -> Api:
    """Two projects, each with a PMO officer of its own."""
    await api.start()
    people = {**START["people"], "pmo": SECOND}
    answer = await api.post("/v1/projects", {**START, "people": people}, SECOND)
    assert answer.status_code == 201, answer.text
    return api


async def told(api: Api, path: str, data: Any = None, who: str = PMO, **headers: str) -> dict[str, Any]:
    answer = await api.post(f"/v1/people/{GONE}/{path}", data, who, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def key_of(behind: Parts, person: str) -> bytes | None:
    assert behind.keys
    return (await behind.keys.keys([person], make=False)).get(person)


async def test_two_officers_erase_a_person(officers: Api, behind: Parts) -> None:
    assert behind.keys
    await behind.keys.keys([GONE], make=True)
    asked = await told(officers, "erase", ASKED)
    assert (asked["requested_by"], asked["erased_at"], asked["events"]) == (PMO, None, ["ErasureRequested"])
    assert await key_of(behind, GONE)
    done = await told(officers, "confirm-erasure", who=SECOND)
    assert done["erased_at"]
    assert done["events"] == ["PersonErased"]
    assert await key_of(behind, GONE) is None
    feed = (await officers.get("/v1/events", params={"type": ["ErasureRequested", "PersonErased"]})).json()["items"]
    assert [event["stream"] for event in feed] == [f"person-{GONE}"] * 2
    assert feed[1]["sentence"] == f"{SECOND} confirmed that {GONE} be erased, as {PMO} asked (asked by the person)"


async def test_one_alone_cannot(officers: Api, behind: Parts) -> None:
    await told(officers, "erase", ASKED)
    problem(await officers.post(f"/v1/people/{GONE}/confirm-erasure", {}), 403, "SecondPersonNeeded")
    problem(await officers.post(f"/v1/people/{GONE}/erase", ASKED, SECOND), 409, "AlreadyRequested")
    await told(officers, "withdraw-erasure", who=SECOND)
    problem(await officers.post(f"/v1/people/{GONE}/confirm-erasure", {}, SECOND), 409, "NothingRequested")
    refused = [line.code for _, line in await behind.store.refusals(10)]
    assert refused == ["SecondPersonNeeded", "AlreadyRequested", "NothingRequested"]


@pytest.mark.parametrize("who", [SPONSOR, PRODUCT, MEMBER, "stranger"])
async def test_only_officers_have_a_say(officers: Api, who: str) -> None:
    problem(await officers.post(f"/v1/people/{GONE}/erase", ASKED, who), 403, "NotPrivileged")
    problem(await officers.get(f"/v1/people/{GONE}", who), 403, "NotPrivileged")
    assert (await officers.get(f"/v1/people/{who}", who)).json()["version"] == 0


async def test_nobody_erases_themselves(officers: Api) -> None:
    problem(await officers.post(f"/v1/people/{PMO}/erase", ASKED, PMO), 403, "NotYourself")
    await officers.post(f"/v1/people/{PMO}/erase", ASKED, SECOND)
    problem(await officers.post(f"/v1/people/{PMO}/confirm-erasure", {}, PMO), 403, "NotYourself")


async def test_a_legal_hold_stops_it_until_it_is_lifted(officers: Api, behind: Parts) -> None:
    await told(officers, "erase", ASKED)
    assert (await told(officers, "hold", {"basis": "dispute"}))["held"] == "dispute"
    problem(await officers.post(f"/v1/people/{GONE}/confirm-erasure", {}, SECOND), 409, "HeldByLaw")
    await told(officers, "release", who=SECOND)
    assert (await told(officers, "confirm-erasure", who=SECOND))["erased_at"]
    problem(await officers.post(f"/v1/people/{GONE}/hold", {"basis": "audit"}), 409, "AlreadyErased")


async def test_the_same_key_counts_once(officers: Api) -> None:
    first = await told(officers, "erase", ASKED, **{"Idempotency-Key": "k-1"})
    again = await officers.post(f"/v1/people/{GONE}/erase", ASKED, headers={"Idempotency-Key": "k-1"})
    assert again.json() == first
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await officers.post(
        f"/v1/people/{GONE}/erase", {"basis": "purpose ended"}, headers={"Idempotency-Key": "k-1"}
    )
    problem(other, 422, "IdReused")


@pytest.mark.parametrize("body", [{}, {"basis": "whim"}, {"basis": "purpose ended", "why": "x"}, [], "x"])
async def test_what_cannot_be_read_is_refused(officers: Api, body: Any) -> None:
    problem(await officers.post(f"/v1/people/{GONE}/erase", body), 422, "Malformed")
    problem(await officers.post("/v1/people/Zhao/erase", ASKED), 404)


async def test_an_erasure_cut_short_is_made_up_for(officers: Api, behind: Parts, keys: PostgresVault) -> None:
    """The event is there, the key too: as after a crash between the two."""
    await keys.keys([GONE], make=True)
    headers = {"Idempotency-Key": "confirm"}
    await told(officers, "erase", ASKED)

    async def crash(person: str, at: object) -> bool:
        raise StoreUnavailable("gone")

    whole, keys.erase = keys.erase, crash  # type: ignore[method-assign,assignment]
    problem(await officers.post(f"/v1/people/{GONE}/confirm-erasure", {}, SECOND, headers=headers), 503)
    keys.erase = whole  # type: ignore[method-assign]
    assert await key_of(behind, GONE)
    again = await officers.post(f"/v1/people/{GONE}/confirm-erasure", {}, SECOND, headers=headers)
    assert again.json()["events"] == ["PersonErased"]
    assert await key_of(behind, GONE) is None


async def test_a_copy_from_before_an_erasure_forgets_again(officers: Api, behind: Parts, keys: PostgresVault) -> None:
    await keys.keys([GONE, MEMBER], make=True)
    await told(officers, "erase", ASKED)
    whole, keys.erase = keys.erase, quiet  # type: ignore[method-assign,assignment]
    await told(officers, "confirm-erasure", who=SECOND)
    keys.erase = whole  # type: ignore[method-assign]
    assert await key_of(behind, GONE)
    assert await erase_again(behind.store.pool, keys) == [GONE]
    assert await erase_again(behind.store.pool, keys) == []
    assert await key_of(behind, GONE) is None
    assert await key_of(behind, MEMBER)


async def quiet(person: str, at: object) -> bool:
    """A vault that is older than what it was told."""
    return False
