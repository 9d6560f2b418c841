"""Which chat room hears of which project."""

import json
from collections.abc import Collection

import pytest

from notifications.chat import Poster, Room
from notifications.letters import Writer
from notifications.rooms import EVERYBODY, ChatRooms, read_rooms
from tests.notifications.test_chat import TOKEN, mattermost
from tests.notifications.test_mail import PROJECT, notice
from tests.receiving import always, receiving

OWN, COMMON = f"mmosts://own.example.com/{TOKEN}", f"mmosts://all.example.com/{TOKEN}"


class Open:
    """Projects that are open to all."""

    def __init__(self, *ids: str) -> None:
        self._ids = frozenset(ids)

    async def open_to_all(self, project_ids: Collection[str]) -> frozenset[str]:
        return self._ids & set(project_ids)


@pytest.mark.parametrize(
    ("rooms", "project", "room"),
    [
        ({"*": COMMON}, PROJECT, COMMON),
        ({"*": COMMON}, "locked", None),
        ({"*": COMMON, "P-1": OWN}, "locked", OWN),
        ({PROJECT: OWN}, PROJECT, OWN),
        ({"P-2": OWN}, PROJECT, None),
        ({}, PROJECT, None),
    ],
)
async def test_the_common_room_hears_of_open_projects_alone(
    rooms: dict[str, str], project: str, room: str | None
) -> None:
    found = await ChatRooms(rooms, Open(PROJECT), "zh").room(project, "P-1")
    assert found == (None if room is None else (room, "zh"))


async def test_an_event_is_one_message_that_names_whom_it_is_for() -> None:
    rooms = ChatRooms({"*": COMMON}, Open(PROJECT))
    first, other = notice(recipient="pan.mei"), notice()
    both = [first, first.model_copy(update={"recipient": "sun.lei"}), other]
    heard = await rooms.heard(both)
    assert [(one.event_id, one.recipient, one.channels) for one in heard] == [
        (first.event_id, EVERYBODY, ("room",)),
        (other.event_id, EVERYBODY, ("room",)),
    ]
    assert heard[0].en.startswith("pan.mei, sun.lei: ")
    assert heard[0].zh.startswith("pan.mei、sun.lei:")
    assert await ChatRooms({}, Open(PROJECT)).heard(both) == []


async def test_a_room_is_told_by_its_own_address() -> None:
    async with receiving(always(200)) as receiver:
        rooms = ChatRooms({"*": mattermost(receiver)}, Open(PROJECT), "zh")
        (heard,) = await rooms.heard([notice()])
        assert await Room(Writer("https://tandem.example"), rooms, Poster(private=True)).deliver(heard) is None
        assert json.loads(receiver.got[0].body)["text"].startswith("pan.mei:请表决:章程")


@pytest.mark.parametrize(
    "text", ["x", "[]", '{"*": 7}', '{"*": "syslog://"}', json.dumps({"*": f"mmosts://10.0.0.1/{TOKEN}"})]
)
def test_what_is_no_room_is_refused_without_telling_the_address(text: str) -> None:
    with pytest.raises(ValueError, match="TANDEM_CHAT_ROOMS") as wrong:
        read_rooms(text, private=False)
    assert TOKEN not in str(wrong.value)


def test_rooms_are_read() -> None:
    assert read_rooms("", private=False) == {}
    assert read_rooms(json.dumps({"*": COMMON, "P-7": OWN}), private=False) == {"*": COMMON, "P-7": OWN}
