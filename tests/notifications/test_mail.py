"""Letters as they read and as they travel: to a real SMTP server that takes, refuses, hangs and answers late."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from activities.messages import NoticeMessage
from activities.notify import Undeliverable
from activities.vault import VaultLocked
from notifications.letters import Writer
from notifications.mail import Mail, MailServer, NotNow
from projections.outbox import Outbox
from projections.preferences import Preference, Preferences
from projections.profiles import Profiles
from store.postgres import PostgresStore
from store.vault import PostgresVault
from tests.mailing import Postman, mailing
from tests.vaults import keys_of, vault_of

READER, FROM, ADDRESS = "pan.mei", "Tandem <tandem@tandem.example>", "pan.mei@mail.example"
PROJECT = "0197a3c0-0000-7000-8000-000000000001"


def notice(**changes: object) -> NoticeMessage:
    told = {"en": "Please decide: <b>Charter</b> & budget", "zh": "请表决:章程", "ref": "D-1", "kind": "DecisionOpened"}
    whole = {"event_id": str(uuid4()), "project_id": PROJECT, "code": "P-1", "recipient": READER} | told | changes
    return NoticeMessage.model_validate(whole)


@pytest.fixture
async def postman() -> AsyncIterator[Postman]:
    async with mailing() as started:
        yield started


@pytest.fixture
async def channel(store: PostgresStore, postman: Postman) -> Mail:
    await Profiles(keys_of(store)).set_mailbox(READER, ADDRESS)
    return mail_of(store, replace(MailServer.read(postman.url, FROM), seconds=0.5))


def mail_of(store: PostgresStore, server: MailServer | None, keys: PostgresVault | None = None) -> Mail:
    writer = Writer("https://tandem.example/", FROM)
    profiles = Profiles(keys or keys_of(store))
    return Mail(writer, Preferences(store.pool), profiles, Outbox(store.pool, vault_of(store)), server)


async def test_a_mail_carries_its_thread_and_says_that_a_program_wrote_it(channel: Mail, postman: Postman) -> None:
    first, second = notice(), notice()
    for told in (first, second, first):
        assert await channel.deliver(told) is None
    one, two, again = postman.mails
    assert one["Message-ID"] == again["Message-ID"] != two["Message-ID"]
    assert one["Message-ID"].startswith(f"<{first.event_id}.")
    thread = f"<project-{PROJECT}@tandem.example>"
    assert {mail[name] for mail in postman.mails for name in ("In-Reply-To", "References")} == {thread}
    assert (one["To"], one["From"], one["Auto-Submitted"]) == (ADDRESS, FROM, "auto-generated")
    assert [part.get_content_type() for part in one.iter_parts()] == ["text/plain", "text/html"]


async def test_html_shows_what_was_written_and_links_lead_home(channel: Mail, postman: Postman) -> None:
    await channel.deliver(notice())
    text, html = (part.get_content() for part in postman.mails[0].iter_parts())
    assert "Please decide: <b>Charter</b> & budget" in text
    assert "&lt;b&gt;Charter&lt;/b&gt; &amp; budget" in html
    assert "<b>" not in html
    link = f"https://tandem.example/projects/{PROJECT}/decisions/D-1"
    assert link in text
    assert f'href="{link}"' in html
    assert (html.count("href"), "?" in link) == (1, False)
    await channel.deliver(notice(ref="L-1"))
    other = [part.get_content() for part in postman.mails[1].iter_parts()]
    assert 'href="https://tandem.example/"' in other[1]


async def test_a_chinese_reader_reads_chinese_on_their_own_clock(
    channel: Mail, postman: Postman, store: PostgresStore
) -> None:
    await Preferences(store.pool).keep(Preference(READER, "zh", "Asia/Shanghai", mail=True))
    await channel.deliver(notice(due_at=datetime(2026, 3, 2, 16, 30, tzinfo=UTC)))
    text, html = (part.get_content() for part in postman.mails[0].iter_parts())
    assert postman.mails[0]["Subject"] == "[P-1] 请表决:章程"
    for body in (text, html):
        assert "2026-03-03 00:30" in body
        assert "Asia/Shanghai" in body
        assert "请表决:章程" in body


async def test_a_text_cannot_add_a_header_or_grow_without_bound(channel: Mail, postman: Postman) -> None:
    await channel.deliver(notice(en="Hello\r\nBcc: everybody@evil.example\r\n" + "x" * 500))
    assert postman.mails[0]["Bcc"] is None
    assert postman.mails[0]["To"] == ADDRESS
    assert len(postman.mails[0]["Subject"]) == 150


@pytest.mark.parametrize("refusal", ["450 try later", "451 greylisted"])
async def test_a_server_that_cannot_now_is_asked_again(channel: Mail, postman: Postman, refusal: str) -> None:
    postman.answer = lambda _: refusal
    with pytest.raises(NotNow, match=refusal):
        await channel.deliver(notice())
    postman.mailbox = refusal
    with pytest.raises(NotNow, match=refusal):
        await channel.deliver(notice())


async def test_a_final_word_is_final(channel: Mail, postman: Postman) -> None:
    postman.answer = lambda _: "554 spam"
    with pytest.raises(Undeliverable, match="554 spam"):
        await channel.deliver(notice())
    postman.mailbox = f"550 no such mailbox {ADDRESS}"
    with pytest.raises(Undeliverable, match="550 no such mailbox the address") as final:
        await channel.deliver(notice())
    assert final.value.__cause__ is None, "a cause is written down in the workflow's history, with the address"


async def test_a_server_that_hangs_or_is_not_there_costs_no_notice(
    channel: Mail, postman: Postman, store: PostgresStore
) -> None:
    postman.seconds = 2
    with pytest.raises(NotNow, match="did not answer"):
        await channel.deliver(notice())
    nobody = MailServer.read("smtp://127.0.0.1:1", FROM)
    with pytest.raises(NotNow, match="did not answer"):
        await mail_of(store, nobody).deliver(notice())


async def test_a_password_never_travels_in_the_clear(channel: Mail, postman: Postman, store: PostgresStore) -> None:
    server = MailServer.read(postman.url.replace("://", "://user:secret@"), FROM)
    with pytest.raises(NotNow, match="the mail server"):
        await mail_of(store, replace(server, host="LOCALHOST")).deliver(notice())
    assert postman.mails == []


async def test_without_a_server_the_letter_is_kept_once(store: PostgresStore) -> None:
    told, channel = notice(), mail_of(store, None)
    assert [await channel.deliver(told), await channel.deliver(told)] == ["kept", "kept"]
    (kept,) = await Outbox(store.pool, vault_of(store)).page(None, 10)
    assert (kept.recipient, str(kept.event_id), kept.channel) == (READER, told.event_id, "mail")
    assert "&lt;b&gt;Charter" in kept.html


async def test_without_an_address_it_ends_and_with_a_locked_vault_it_waits(
    channel: Mail, postman: Postman, store: PostgresStore
) -> None:
    server = MailServer.read(postman.url, FROM)
    with pytest.raises(Undeliverable, match="no address"):
        await channel.deliver(notice(recipient="tao.yun"))
    locked = PostgresVault("", store.pool, None)
    with pytest.raises(VaultLocked):
        await locked.profiles([READER])
    with pytest.raises(NotNow, match="no key for the vault"):
        await mail_of(store, server, locked).deliver(notice())


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "mail.example:25"])
def test_what_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="TANDEM_SMTP_URL"):
        MailServer.read(url, FROM)


def test_a_server_is_read_with_its_password_and_needs_a_sender() -> None:
    server = MailServer.read("smtps://tan%40dem:p%3Aw@mail.example", FROM)
    assert (server.port, server.tls, server.user, server.password) == (465, True, "tan@dem", "p:w")
    with pytest.raises(ValueError, match="TANDEM_MAIL_FROM"):
        MailServer.read("smtp://mail.example", "")
