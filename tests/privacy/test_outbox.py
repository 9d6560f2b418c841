"""Messages that were not sent name people: they lie sealed, and go with whoever is erased."""

from uuid import uuid4

from activities.letters import Letter
from api.parts import Parts
from projections.outbox import Outbox
from projections.profiles import CHAT, Asked, Profiles
from store.postgres import PostgresStore
from store.vault import PostgresVault
from tests.api.asking import PMO, PRODUCT, SPONSOR, Api
from tests.conftest import Database
from tests.privacy.test_erasure import OFFICERS, database_text, erase, officers

__all__ = ["officers"]
SUBJECT, TEXT = f"{PRODUCT} was late again", f"Dear reader, {PRODUCT} never came, says {PMO}."


def letter(to: str, channel: str = "mail") -> Letter:
    event = str(uuid4())
    return Letter(event, to, channel, f"<{event}@t.example>", "<p@t.example>", "en", SUBJECT, TEXT, f"<p>{TEXT}</p>")


async def read(api: Api, who: str) -> list[tuple[str, str, str]]:
    items = (await api.get("/v1/outbox", who)).json()["items"]
    return [(item["subject"], item["text"], item["html"]) for item in items]


async def test_whoever_is_named_takes_the_message_along(officers: Api, behind: Parts, database: Database) -> None:
    outbox = Outbox(behind.store.pool, behind.vault)
    await outbox.keep(letter(SPONSOR))
    await outbox.keep(letter("an.other"))
    assert "never came" not in await database_text(database.admin)
    assert await read(officers, SPONSOR) == [(SUBJECT, TEXT, f"<p>{TEXT}</p>")]
    await erase(officers, PRODUCT)
    for reader in (SPONSOR, "an.other"):
        assert await read(officers, reader) == [("[erased]", "[erased]", "[erased]")]
    everyone = (await officers.get("/v1/outbox?whose=everyone", OFFICERS[0])).text
    assert PRODUCT not in everyone
    assert "never came" not in everyone


async def test_nothing_is_kept_for_whoever_was_erased(officers: Api, behind: Parts) -> None:
    outbox = Outbox(behind.store.pool, behind.vault)
    await outbox.keep(letter(SPONSOR))
    await erase(officers, SPONSOR)
    await outbox.keep(letter(SPONSOR))
    assert await read(officers, SPONSOR) == [("[erased]", "[erased]", "[erased]")]
    await outbox.keep(letter(PRODUCT))
    assert (await read(officers, PRODUCT))[0][0] == SUBJECT


async def test_what_was_kept_in_the_clear_before_is_sealed(
    officers: Api, behind: Parts, database: Database, store: PostgresStore
) -> None:
    """As an installation kept it that is older than the sealing."""
    outbox = Outbox(store.pool, behind.vault)
    await erase(officers, "tao.yun")
    for reader in (SPONSOR, "tao.yun"):
        old = letter(reader)
        fields = (old.message_id, old.language, old.subject, old.text, old.html)
        sql = """
            INSERT INTO tandem.outbox
              (event_id, recipient, channel, message_id, language, subject, body_text, body_html)
            VALUES (gen_random_uuid(), $1, 'mail', $2, $3, $4, $5, $6)
        """
        await store.pool.execute(sql, reader, *fields)
    assert "never came" in await database_text(database.admin)
    assert (await outbox.seal_plain(), await outbox.seal_plain()) == (2, 0)
    assert "never came" not in await database_text(database.admin)
    assert await read(officers, SPONSOR) == [(SUBJECT, TEXT, f"<p>{TEXT}</p>")]
    assert await read(officers, "tao.yun") == [("[erased]", "[erased]", "[erased]")]


async def test_addresses_codes_and_chats_go_with_the_key(officers: Api, behind: Parts, keys: PostgresVault) -> None:
    profiles = Profiles(keys)
    await profiles.set_mailbox(PRODUCT, "pan.mei@mail.example")
    await profiles.change(PRODUCT, {CHAT: "feishu://abcdEFGH-1234"})
    await profiles.ask(PRODUCT, Asked("new@mail.example", "CODE", behind.now()))
    await erase(officers, PRODUCT)
    places = await profiles.places(PRODUCT)
    assert (places.mailbox, places.chat, places.asked) == (None, None, None)
