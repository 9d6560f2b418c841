"""Telling people about their mail addresses: what the API owes is started on its way here.

So the API waits for nobody, and what was owed while Temporal was away goes out when it is back.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import UUID

from activities.messages import NoticeMessage
from activities.outages import OUTAGES

log = logging.getLogger("tandem.addresses")
TO_CONFIRM, TO_CHANGE = "AddressToConfirm", "AddressToChange"
TEXTS = {
    TO_CONFIRM: (
        "Confirm that you read mail here: sign in and give this code. Without it nothing more is sent to this address.",
        "请确认您在此邮箱收信:登录后输入以下验证码。未确认前不会再向此地址发送邮件。",
    ),
    TO_CHANGE: (
        "Somebody signed in as you has named another mail address, or taken this one away. Until another one is "
        "confirmed, mails go on coming here unless this one was taken away. If it was not you, end your sessions.",
        "有人以您的身份登录并填写了新的邮箱地址,或移除了此地址。除非此地址被移除,新地址确认之前邮件仍发送到这里。如非本人操作,请终止您的会话。",
    ),
}
"""In English and Chinese."""
SECONDS = 2.0
DIGESTS_EVERY = 900
"""So many rounds, half an hour, until digests are looked after that nobody woke."""


class Owed(Protocol):
    """What is to be told. Raises StoreUnavailable."""

    async def owed(self) -> list[tuple[UUID, str, str]]: ...
    async def started(self, note: UUID) -> None: ...


class Engine(Protocol):
    """Starts workflows. Raises OSError."""

    async def send(self, notice: NoticeMessage) -> None: ...
    async def wake_digest(self, person: str) -> None: ...


async def start_owed(notes: Owed, engine: Engine) -> int:
    """Start what is owed; how many. May be killed and run again: the id makes a second start impossible."""
    owed = await notes.owed()
    for note, person, kind in owed:
        en, zh = TEXTS[kind]
        told = {"kind": kind, "recipient": person, "en": en, "zh": zh, "channels": ("mail",), "urgent": True}
        await engine.send(NoticeMessage.model_validate({"event_id": str(note), "project_id": "", "code": "", **told}))
        await notes.started(note)
    return len(owed)


async def run(notes: Owed, engine: Engine, waiting: Callable[[], Awaitable[list[str]]]) -> None:
    """Again and again, until cancelled. `waiting`: for whom a digest collects, whose workflow may have been lost."""
    rounds = 0
    while True:
        try:
            await start_owed(notes, engine)
            if rounds % DIGESTS_EVERY == 0:
                for person in await waiting():
                    await engine.wake_digest(person)
        except OUTAGES as outage:
            log.warning("what is to be told about addresses is told later: %s", outage)
        except Exception:
            log.exception("what is to be told about addresses is not told, and tried again")
        rounds += 1
        await asyncio.sleep(SECONDS)
