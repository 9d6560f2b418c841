"""Chat: one short message a notice, to a person's own address or to a room, through apprise.

Chat services know no idempotency: where a worker is killed after a service took a message and before that was noted,
the message comes a second time, word for word, with the same reference at its end.
"""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from html import escape
from typing import Protocol

import requests

from activities.messages import NoticeMessage
from activities.notify import Undeliverable
from activities.vault import VaultLocked
from notifications.addresses import AddressRefused, NotResolved
from notifications.chat_address import ChatAddress
from notifications.letters import Writer
from notifications.mail import NotNow, Outbox, Readers
from notifications.posting import WATCHED

CHANNEL, ROOM = "chat", "room"
SECONDS = 24.0
"""For everything; a step has thirty."""
AT_ONCE = 8
_CALL = re.compile(r"@(?=[\w])|<(?=[!@/a-zA-Z])")
"""What a service might take for calling everybody."""


class Addresses(Protocol):
    """Where people's chats are. Raises VaultLocked and StoreUnavailable."""

    async def chat(self, person: str) -> str | None: ...


class Rooms(Protocol):
    """Which chat room hears of a project. Raises StoreUnavailable."""

    async def room(self, project_id: str, code: str) -> tuple[str, str] | None:
        """Its address and its language."""
        ...


class Poster:
    """Posts texts to chat addresses. `private`: whether they may lead into our own network."""

    def __init__(self, *, private: bool = False, seconds: float = SECONDS) -> None:
        self._private = private
        self._seconds = seconds
        # Of its own: services that never answer hold up nothing but other chats.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="chat")

    async def post(self, text: str, link: str, address: str) -> None:
        """Raises NotNow, and Undeliverable where trying again is of no use."""
        try:
            chat = ChatAddress.read(address, private=self._private)
            async with asyncio.timeout(self._seconds):
                await chat.check(private=self._private)
                refusal = await asyncio.get_running_loop().run_in_executor(self._threads, _sent, chat, text, link)
        except AddressRefused as refused:
            raise Undeliverable(str(refused)) from None
        except (NotResolved, TimeoutError):
            # What raised it may name the address, and would stand in the workflow's history for good.
            raise NotNow("the chat service did not answer") from None
        if refusal is not None:
            said, final = refusal
            raise (Undeliverable if final else NotNow)(said)


def _sent(chat: ChatAddress, text: str, link: str) -> tuple[str, bool] | None:
    """In a thread: post once; why not, and whether that is final."""
    WATCHED.forget()
    with suppress(requests.RequestException):
        if chat.plugin().send(body=fitting(spelled(text, chat.service.name), chat.service.most, link)):
            return WATCHED.refusal
    return WATCHED.refusal or ("the chat service did not take it", False)


def spelled(text: str, service: str) -> str:
    """The text so that no service takes a word of it for a call to everybody."""
    calm = _CALL.sub(lambda found: found[0] + "\u2060", text)
    return escape(calm, quote=False) if service == "Slack" else calm


def fitting(text: str, most: int, link: str) -> str:
    """At most so many bytes, cut between two characters; what is cut ends with the link to the whole."""
    if len(text.encode()) <= most:
        return text
    ending = f"…\n{link}" if link else "…"
    room = most - len(ending.encode())
    return text.encode()[: max(room, 0)].decode(errors="ignore") + ending


class Chat:
    """The channel to people's own chats."""

    def __init__(self, writer: Writer, readers: Readers, addresses: Addresses, outbox: Outbox, poster: Poster) -> None:
        self._writer = writer
        self._readers = readers
        self._addresses = addresses
        self._outbox = outbox
        self._poster = poster

    async def deliver(self, notice: NoticeMessage) -> str | None:
        """Send it. Raises NotNow and Undeliverable."""
        try:
            address = await self._addresses.chat(notice.recipient)
        except VaultLocked as locked:
            raise NotNow(str(locked)) from locked
        if address is None:
            raise Undeliverable("no chat address is known")
        reader = await self._readers.of(notice.recipient)
        letter = self._writer.write(notice, CHANNEL, reader.language, reader.time_zone)
        await self._poster.post(letter.text, self._writer.link(notice), address)
        return None

    async def keep(self, notice: NoticeMessage) -> None:
        """Into the outbox. May run twice. Raises NotNow where the vault is locked."""
        reader = await self._readers.of(notice.recipient)
        try:
            await self._outbox.keep(self._writer.write(notice, CHANNEL, reader.language, reader.time_zone))
        except VaultLocked as locked:
            raise NotNow(str(locked)) from locked


class Room:
    """The channel to the room that hears of a project; who reads there is not known to Tandem."""

    def __init__(self, writer: Writer, rooms: Rooms, poster: Poster, time_zone: str = "UTC") -> None:
        self._writer = writer
        self._rooms = rooms
        self._poster = poster
        self._zone = time_zone

    async def deliver(self, notice: NoticeMessage) -> str | None:
        """Send it, where the project has a room by now. Raises NotNow and Undeliverable."""
        found = await self._rooms.room(notice.project_id, notice.code)
        if found is None:
            raise Undeliverable("the project has no chat room")
        address, language = found
        letter = self._writer.write(notice, CHANNEL, language, self._zone)
        await self._poster.post(letter.text, self._writer.link(notice), address)
        return None
