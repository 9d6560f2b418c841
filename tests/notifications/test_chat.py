"""Chat messages as they are posted: to a real receiver that takes, refuses, hangs and answers late."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from activities.messages import NoticeMessage
from activities.notify import Undeliverable
from notifications.addresses import AddressRefused
from notifications.chat import Chat, Poster, fitting, spelled
from notifications.chat_address import SERVICES, ChatAddress
from notifications.letters import Writer
from notifications.mail import NotNow
from notifications.posting import MOST_BYTES, WATCHED
from projections.outbox import Outbox
from projections.preferences import Preference, Preferences
from projections.profiles import CHAT, Profiles
from store.postgres import PostgresStore
from tests.notifications.test_mail import notice
from tests.receiving import Receiver, Reply, always, receiving
from tests.vaults import keys_of, vault_of

READER, TOKEN = "pan.mei", "abcdefghij0123456789abcdef"
LONG = "需要签字 " * 3000
ADDRESSES = {
    "feishu": "https://open.feishu.cn/open-apis/bot/v2/hook/abcdEFGH-1234",
    "lark": "https://open.larksuite.com/open-apis/bot/v2/hook/abcdEFGH-1234",
    "dingtalk": "https://oapi.dingtalk.com/robot/send?access_token=abcdef0123456789",
    "wecombot": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=12345678-1234-1234-1234-123456789012",
    "slack": "https://hooks.slack.com/services/T0AAAAAA/B0AAAAAA/abcdefghijklmnopqrstuvwx",
}
FLOW = "https://prod-1.westus.logic.azure.com:443/workflows/643e69f83c8944/triggers/manual/paths/invoke"
GOOD = [*ADDRESSES.values(), f"{FLOW}?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=KODuebbbGG"]
HOSTS = {
    "feishu": "notify_url",
    "lark": "webhook_url",
    "dingtalk": "notify_url",
    "wecombot": "api_url",
    "slack": "webhook_url",
}
"""Where the plugins keep the URL that they post to."""


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(always(200)) as started:
        yield started


def mattermost(receiver: Receiver) -> str:
    return receiver.url.replace("http://", "mmost://").replace("/hook", f"/{TOKEN}")


@pytest.fixture
async def channel(store: PostgresStore, receiver: Receiver) -> Chat:
    await Profiles(keys_of(store)).change(READER, {CHAT: mattermost(receiver)})
    writer = Writer("https://tandem.example/")
    poster = Poster(private=True, seconds=2)
    return Chat(writer, Preferences(store.pool), Profiles(keys_of(store)), Outbox(store.pool, vault_of(store)), poster)


def said(receiver: Receiver) -> str:
    return str(json.loads(receiver.got[-1].body)["text"])


async def test_a_message_has_the_sentence_the_time_and_a_link_that_decides_nothing(
    channel: Chat, receiver: Receiver, store: PostgresStore
) -> None:
    told = notice(due_at="2026-03-02T16:30:00Z")
    assert await channel.deliver(told) is None
    text = said(receiver)
    assert receiver.got[0].path == f"/hooks/{TOKEN}"
    assert "Please decide: <b>Charter</b> & budget".replace("<b", "<\u2060b").replace("</b", "<\u2060/b") in text
    assert "Due: 2026-03-02 16:30 (Mon) (UTC)" in text
    assert f"https://tandem.example/projects/{told.project_id}/decisions/D-1" in text
    await Preferences(store.pool).keep(Preference(READER, "zh", "Asia/Shanghai", chat=True))
    await channel.deliver(told)
    assert "2026-03-03 00:30(周二)(Asia/Shanghai)" in said(receiver)
    assert "请表决:章程" in said(receiver)


async def test_a_second_delivery_can_be_told_from_another_notice(channel: Chat, receiver: Receiver) -> None:
    first, second = notice(), notice()
    for told in (first, first, second):
        await channel.deliver(told)
    one, again, two = (json.loads(got.body)["text"].rpartition("Ref. ")[2] for got in receiver.got)
    assert one == again != two


@pytest.mark.parametrize("status", [429, 500, 503, 302])
async def test_a_service_that_cannot_now_is_asked_again(receiver: Receiver, status: int) -> None:
    receiver.script = always(status, location="http://127.0.0.1:1/elsewhere")
    with pytest.raises(NotNow, match=f"the chat service says {status}"):
        await Poster(private=True).post("text", "", mattermost(receiver))
    assert len(receiver.got) == 1, "retries are Temporal's, and redirects nobody's"


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_an_address_that_ended_is_final_and_is_not_told(receiver: Receiver, status: int) -> None:
    receiver.script = always(status)
    with pytest.raises(Undeliverable, match=f"says {status}") as final:
        await Poster(private=True).post("text", "", mattermost(receiver))
    assert TOKEN not in str(final.value)
    assert final.value.__cause__ is None


async def test_a_service_that_hangs_answers_late_or_is_away_costs_no_notice(
    channel: Chat, receiver: Receiver, store: PostgresStore
) -> None:
    receiver.script = lambda _: Reply(200, seconds=0.5)
    assert await channel.deliver(notice()) is None
    receiver.script = lambda _: Reply(None)
    with pytest.raises(NotNow, match="did not answer"):
        await channel.deliver(notice())
    await Profiles(keys_of(store)).change(READER, {CHAT: f"mmost://127.0.0.1:1/{TOKEN}"})
    with pytest.raises(NotNow, match="did not answer"):
        await channel.deliver(notice())


async def test_an_answer_without_end_is_not_read(receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(200, body=b"x" * 5_000_000)
    answer = await asyncio.to_thread(WATCHED.get, receiver.url)
    assert len(answer.content) == MOST_BYTES


async def test_without_an_address_or_a_good_one_it_ends(channel: Chat, store: PostgresStore) -> None:
    with pytest.raises(Undeliverable, match="no chat address"):
        await channel.deliver(notice(recipient="tao.yun"))
    await Profiles(keys_of(store)).change(READER, {CHAT: "syslog://localhost"})
    with pytest.raises(Undeliverable, match="known are"):
        await channel.deliver(notice())


async def test_what_is_given_up_is_kept(channel: Chat, store: PostgresStore) -> None:
    told = notice()
    await channel.keep(told)
    (kept,) = await Outbox(store.pool, vault_of(store)).page(None, 10)
    assert (kept.channel, str(kept.event_id), kept.html) == ("chat", told.event_id, "")


@pytest.mark.parametrize("name", HOSTS)
async def test_each_service_gets_a_request_of_its_own_kind_within_its_limit(
    name: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.script = lambda _: Reply(200, body=b"ok")
    await post(name, receiver, monkeypatch, LONG)
    body = json.loads(receiver.got[0].body)
    text = "".join(_texts(body))
    assert "需要签字" in text
    assert len(text.encode()) <= SERVICES[name].most + 100
    assert "https://tandem.example/x" in text
    assert receiver.got[0].headers["content-type"].startswith("application/json")


def test_teams_gets_a_card_within_its_limit() -> None:
    chat = ChatAddress.read(GOOD[-1], private=False)
    card = chat.plugin().gen_payload(body=fitting(LONG, chat.service.most, "https://tandem.example/x"))
    (text,) = [text for text in _texts(card) if "需要签字" in text]
    assert len(text.encode()) <= 1000
    assert text.endswith("https://tandem.example/x")


@pytest.mark.parametrize(
    ("name", "answer", "error"),
    [
        ("wecombot", b'{"errcode": 93000, "errmsg": "invalid webhook url"}', Undeliverable),
        ("wecombot", b'{"errcode": 45009, "errmsg": "api freq out of limit"}', NotNow),
        ("dingtalk", b'{"errcode": 310000, "errmsg": "keywords not in content"}', Undeliverable),
        ("dingtalk", b'{"errcode": 130101, "errmsg": "send too fast"}', NotNow),
        ("feishu", b'{"code": 19001, "msg": "param invalid"}', Undeliverable),
        ("feishu", b'{"code": 11232, "msg": "frequency limited"}', NotNow),
    ],
)
async def test_a_no_with_status_200_is_a_no(
    name: str, answer: bytes, error: type[Exception], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.script = lambda _: Reply(200, body=answer)
    with pytest.raises(error, match="says no with code"):
        await post(name, receiver, monkeypatch, "text")
    assert len(receiver.got) == 1


async def post(name: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Through the service's own plugin, whose URL leads to the receiver for once."""
    made = ChatAddress.plugin

    def redirected(self: ChatAddress) -> Any:
        plugin = made(self)
        setattr(plugin, HOSTS[name], receiver.url)
        return plugin

    monkeypatch.setattr(ChatAddress, "plugin", redirected)
    await Poster(private=True).post(text, "https://tandem.example/x", ADDRESSES[name])


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    return [text for inner in value for text in _texts(inner)] if isinstance(value, list) else [str(value)]


@pytest.mark.parametrize("address", [*GOOD, f"https://mattermost.example.com/team/hooks/{TOKEN}"])
def test_an_address_is_taken_as_the_service_shows_it(address: str) -> None:
    assert ChatAddress.read(address, private=False).plugin()


@pytest.mark.parametrize(
    "address",
    [
        "syslog://localhost",
        "dbus://",
        "json://localhost/x",
        "file:///etc/passwd",
        "https://evil.example/",
        f"{FLOW}?api-version=1&sp=x&sv=1.0&sig=abcd&template=/etc/passwd",
        f"mmosts://mattermost.example.com/{TOKEN}?retry=9&verify=no",
        f"mmosts://127.0.0.1/{TOKEN}",
        f"mmosts://[::1/{TOKEN}",
        "https://[/workflows/a/triggers/manual/paths/invoke?sig=x",
        f"mmosts://10.0.0.7/{TOKEN}",
        f"mmosts://localhost/{TOKEN}",
        f"mmost://mattermost.example.com/{TOKEN}",
        "feishu://",
        "x" * 2000,
        "feishu://a b",
        "https://[::1",
    ],
)
def test_what_is_no_chat_address_or_leads_inside_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        ChatAddress.read(address, private=False)
    assert TOKEN not in str(refused.value)


async def test_where_an_address_leads_is_looked_at_again_when_something_is_sent(receiver: Receiver) -> None:
    with pytest.raises(Undeliverable, match="begin with mmosts"):
        await Poster().post("text", "", mattermost(receiver))
    assert receiver.got == []


@pytest.mark.parametrize("most", [200, 1_000, 2_048])
def test_a_text_is_cut_between_two_characters_with_a_link_to_the_whole(most: int) -> None:
    cut = fitting(LONG, most, "https://tandem.example/x")
    assert most - 3 <= len(cut.encode()) <= most
    assert re.fullmatch(r"[需要签字 ]+…\nhttps://tandem\.example/x", cut)
    assert fitting("short", most, "x") == "short"


def test_a_text_calls_nobody() -> None:
    assert "@all" not in spelled("@all look", "Mattermost")
    assert "<at" not in spelled('<at user_id="all"></at>', "Feishu")
    assert spelled("<!channel>", "Slack").startswith("&lt;")


def test_a_notice_of_no_decision_leads_home() -> None:
    told = NoticeMessage(event_id=str(uuid4()), project_id="p", code="P-1", kind="x", recipient=READER, en="e", zh="z")
    assert Writer("https://tandem.example").link(told) == "https://tandem.example/"
    about_address = told.model_copy(update={"kind": "AddressToConfirm"})
    assert Writer("https://tandem.example").link(about_address) == "https://tandem.example/preferences"
