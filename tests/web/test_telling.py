"""How one is told, and what was sent."""

from uuid import uuid4

import pytest

from activities.messages import NoticeMessage
from api.parts import Parts
from notifications.letters import Writer
from projections.deliveries import Deliveries
from projections.outbox import Outbox
from projections.preferences import Preferences
from store.postgres import PostgresStore
from tests.api.asking import PMO, PRODUCT, Api
from tests.web.test_signing import link_of
from tests.web.visiting import Form, Reader, Visitor


@pytest.fixture
async def pmo(visitor: Visitor, store: PostgresStore) -> Visitor:
    """The PMO's browser."""
    await visitor.post(await link_of(store))
    return visitor


async def preferences(visitor: Visitor) -> Form:
    page = (await visitor.get("/preferences")).text
    return next(form for form in Reader(page).forms if form.action == "/preferences")


async def test_preferences_are_kept_and_shown_again(pmo: Visitor, store: PostgresStore) -> None:
    wanted = {"/language": "zh", "/time_zone": "Asia/Shanghai"}
    wanted |= {"/quiet_hours/start": "21:00", "/quiet_hours/until": "07:30"}
    kept = await pmo.submit("/preferences", await preferences(pmo), **wanted)
    assert kept.status_code == 303, kept.text
    known = await Preferences(store.pool).of(PMO)
    assert (known.language, known.time_zone, f"{known.quiet_from:%H:%M}") == ("zh", "Asia/Shanghai", "21:00")
    assert 'lang="zh-CN"' in (await pmo.get("/preferences")).text
    form = await preferences(pmo)
    assert form.fields | wanted == form.fields
    await pmo.submit("/preferences", form, **{"/quiet_hours/start": "", "/quiet_hours/until": ""})
    assert (await Preferences(store.pool).of(PMO)).quiet_from is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"/quiet_hours/start": "25:00", "/quiet_hours/until": "07:00"}, "not written as it should be"),
        ({"/quiet_hours/start": "07:00", "/quiet_hours/until": "07:00"}, "quiet hours end at another time"),
        ({"/quiet_hours/start": "07:00"}, "This is needed"),
        ({"/address": "nobody"}, "an address is like"),
        ({"/mail": "true"}, "There is no address to send mails to"),
        ({"/time_zone": "Mars/Olympus"}, "there is no such time zone"),
    ],
)
async def test_what_cannot_be_is_said_beside_its_field(
    wrong: dict[str, str], said: str, pmo: Visitor, store: PostgresStore
) -> None:
    answer = await pmo.submit("/preferences", await preferences(pmo), **wrong)
    assert answer.status_code == 422
    assert said in answer.text
    assert "aria-invalid" in answer.text or "✗" in answer.text
    for value in wrong.values():
        assert value == "true" or value in answer.text
    assert (await Preferences(store.pool).of(PMO)).time_zone == "UTC"


async def test_a_new_address_waits_for_its_code(pmo: Visitor) -> None:
    await pmo.submit("/preferences", await preferences(pmo), **{"/address": "pei.min@mail.example"})
    page = (await pmo.get("/preferences")).text
    assert "A code was mailed to pei.min@mail.example" in page
    form = next(form for form in Reader(page).forms if form.action == "/preferences/confirm")
    wrong = await pmo.submit("/preferences", form, **{"/code": "WRONG"})
    assert wrong.status_code == 422
    assert "This is not the code" in wrong.text


async def kept(behind: Parts, recipient: str) -> None:
    told = NoticeMessage(
        event_id=str(uuid4()), project_id="p", code="P-1", kind="x", recipient=recipient, en="It rains", zh="下雨"
    )
    await Outbox(behind.store.pool, behind.vault).keep(Writer().write(told, "mail", "en", "UTC"))
    await Deliveries(behind.store.pool).record(told, "mail", "failed", 3, "the mail server says 554")


async def test_the_outbox_shows_ones_own_letters_and_gives_them_as_files(pmo: Visitor, behind: Parts) -> None:
    assert "No letter to you is kept" in (await pmo.get("/outbox")).text
    for person in (PMO, PRODUCT):
        await kept(behind, person)
    page = (await pmo.get("/outbox")).text
    assert page.count("[P-1] It rains") == 1
    assert "the mail server says 554" in page
    assert "reached nobody" not in page
    (path,) = (link for link in Reader(page).links if link.endswith(".eml"))
    file = await pmo.get(path)
    assert (file.status_code, file.headers["content-type"]) == (200, "message/rfc822")
    assert b"It rains" in file.content
    own = int(path.split("/")[-1].partition(".")[0])
    for other in (str(3 - own), "0", "x", "9" * 30):
        assert (await pmo.get(f"/outbox/{other}.eml")).status_code == 404


async def test_whoever_looks_after_the_organisation_sees_what_reached_nobody(
    pmo: Visitor, behind: Parts, api: Api
) -> None:
    await api.post("/v1/directory/found", {}, PMO)
    await kept(behind, PRODUCT)
    page = (await pmo.get("/outbox")).text
    assert "reached nobody" in page
    assert PRODUCT in page
    assert "It rains" not in page
