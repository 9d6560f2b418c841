"""Chat rooms of projects: which room hears of what, by setting."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import orjson

from activities.messages import NoticeMessage
from notifications.chat import ROOM
from notifications.chat_address import ChatAddress

EVERY = "*"
"""The room for every project that is open to all and has no room of its own."""
EVERYBODY = "#room"
"""Whom a room's notice is for: no person can have this name."""
MOST = 200
"""Rooms that can be set."""


class Openness(Protocol):
    """Which projects everybody may see. Raises StoreUnavailable."""

    async def open_to_all(self, project_ids: Collection[str]) -> frozenset[str]: ...


class ChatRooms:
    """Satisfies `activities.notify.Rooms` and `notifications.chat.Rooms`."""

    def __init__(self, rooms: Mapping[str, str], openness: Openness, language: str = "en") -> None:
        self._rooms = rooms
        self._openness = openness
        self._language = language

    async def room(self, project_id: str, code: str) -> tuple[str, str] | None:
        """The room's address and language; the common room hears of nothing that is not open to all."""
        own = self._rooms.get(code) or self._rooms.get(project_id)
        if own is None and EVERY in self._rooms and await self._openness.open_to_all([project_id]):
            own = self._rooms[EVERY]
        return None if own is None else (own, self._language)

    async def heard(self, notices: Sequence[NoticeMessage]) -> list[NoticeMessage]:
        """One notice an event, for the room of its project: what the first recipient is told, and who is told so."""
        if not self._rooms:
            return []
        firsts = {notice.event_id: notice for notice in reversed(notices)}
        return [
            _for_room(first, [n.recipient for n in notices if (n.event_id, n.en) == (first.event_id, first.en)])
            for first in reversed(firsts.values())
            if await self.room(first.project_id, first.code)
        ]


def _for_room(notice: NoticeMessage, people: list[str]) -> NoticeMessage:
    names = sorted(set(people))
    return notice.model_copy(
        update={
            "recipient": EVERYBODY,
            "channels": (ROOM,),
            "en": f"{', '.join(names)}: {notice.en}",
            "zh": f"{'、'.join(names)}:{notice.zh}",
        }
    )


def read_rooms(text: str, *, private: bool) -> dict[str, str]:
    """From JSON such as {"*": "mmosts://…", "P-7": "https://…"}. Raises ValueError, which never tells an address."""
    try:
        rooms = orjson.loads(text) if text else {}
        for address in rooms.values():
            ChatAddress.read(address, private=private)
    except Exception as wrong:
        raise ValueError(f"TANDEM_CHAT_ROOMS is JSON of codes and chat addresses: {type(wrong).__name__}") from None
    if len(rooms) > MOST:
        raise ValueError(f"TANDEM_CHAT_ROOMS names at most {MOST} rooms")
    return dict(rooms)
