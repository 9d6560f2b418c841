"""What is told about mail addresses: the code to the new one, a word to the old one, each once."""

import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from uuid import uuid4

import httpx2
import pytest
from temporalio.testing import WorkflowEnvironment

from activities.addresses import TO_CHANGE, TO_CONFIRM, start_owed
from api.app import build
from api.parts import Installation, Surroundings
from auth.development import DevelopmentAuthenticator
from projections.address_notes import AddressNotes
from projections.profiles import Asked, Profiles
from store.postgres import PostgresStore
from tests.api.asking import Recorder, named
from tests.api.conftest import joined
from tests.mailing import mailing
from tests.vaults import keys_of
from tests.workflows.test_notification import quiet_for_ten_hours
from tests.workflows.world import PRODUCT, World

OLD, NEW, PATH = "old@mail.example", "new@mail.example", "/v1/me/preferences"


@pytest.fixture
async def world(skipping: WorkflowEnvironment, store: PostgresStore) -> World:
    return World(skipping, store, f"queue-{uuid4()}")


def said(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_a_code_goes_to_the_new_address_at_once_and_a_word_to_the_old_one(
    world: World, store: PostgresStore
) -> None:
    notes, profiles = AddressNotes(store.pool), Profiles(keys_of(store))
    behind = joined(store, Recorder())
    await profiles.set_mailbox(PRODUCT, OLD)
    await quiet_for_ten_hours(world)
    app = build(Surroundings(DevelopmentAuthenticator(), Installation("0.0.test", "inst-1"), behind))
    async with (
        mailing() as postman,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://t") as client,
    ):
        world.settings = {"smtp_url": postman.url, "mail_from": "tandem@tandem.example"}
        assert (await client.patch(PATH, json={"address": NEW}, headers=named(PRODUCT))).status_code == 200
        asked = (await profiles.places(PRODUCT)).asked
        assert asked is not None
        owed = await notes.owed()
        assert sorted(kind for _, _, kind in owed) == [TO_CHANGE, TO_CONFIRM]
        async with world.working():
            assert (await start_owed(notes, world.engine), await start_owed(notes, world.engine)) == (2, 0)
            by_reader = {str(mail["To"]): mail for mail in await postman.until(2)}
            workflows = [world.client.get_workflow_handle(f"notice-{note}-{PRODUCT}") for note, _, _ in owed]
            assert [await each.result() for each in workflows] == [["mail"], ["mail"]]
            # Killed between the start and its note, it is started once more, and nothing comes of that.
            for note, _, _ in owed:
                await store.pool.execute("UPDATE tandem.address_note SET started_at = NULL WHERE id = $1", note)
            await start_owed(notes, world.engine)
        assert set(by_reader) == {NEW, OLD}
        code = re.search(r"\b[2-9A-Z]{12}\b", said(by_reader[NEW]))
        assert code is not None
        assert code[0] not in said(by_reader[OLD]) + str(by_reader[NEW]["Subject"])
        assert NEW not in said(by_reader[OLD])
        answer = await client.post(f"{PATH}/confirm-address", json={"code": code[0]}, headers=named(PRODUCT))
        assert (answer.json()["address"], code[0]) == (NEW, asked.code)
        assert len(postman.mails) == 2
        history = await workflows[0].fetch_history()
        assert not [secret for secret in (code[0], NEW, OLD) if secret in history.to_json()]
    await behind.newest.close()
    await behind.door.wakes.close()


async def test_the_old_address_is_told_even_where_the_new_one_is_confirmed_first(
    world: World, store: PostgresStore
) -> None:
    notes, profiles, now = AddressNotes(store.pool), Profiles(keys_of(store)), datetime.now(UTC)
    await profiles.set_mailbox(PRODUCT, OLD)
    await profiles.take_away(PRODUCT)
    await profiles.ask(PRODUCT, Asked(NEW, "CODE", now + timedelta(days=1)))
    await notes.add(PRODUCT, [TO_CHANGE], 5)
    assert await profiles.confirm(PRODUCT, "CODE", now)
    async with mailing() as postman:
        world.settings = {"smtp_url": postman.url, "mail_from": "tandem@tandem.example"}
        async with world.working():
            await start_owed(notes, world.engine)
            assert [mail["To"] for mail in await postman.until(1)] == [OLD]
