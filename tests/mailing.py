"""A real SMTP server on loopback that takes mails, refuses them, hangs or answers late, as a test wants."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

Script = Callable[[int], str]
TAKEN = "250 taken"


class Postman:
    """Keeps what came in. `answer` is given for the nth mail; `seconds` later than it came."""

    def __init__(self) -> None:
        self.answer: Script = lambda _: TAKEN
        self.mailbox = "250 ok"
        self.seconds = 0.0
        self.mails: list[EmailMessage] = []
        self.url = ""
        self._arrived = asyncio.Condition()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:
        if self.mailbox.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.mailbox

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        async with self._arrived:
            self.mails.append(mail)
            self._arrived.notify_all()
        await asyncio.sleep(self.seconds)
        return self.answer(len(self.mails))

    async def until(self, count: int, seconds: float = 30) -> list[EmailMessage]:
        """Wait until so many mails have come."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.mails) >= count)
        return self.mails


@asynccontextmanager
async def mailing(postman: Postman | None = None) -> AsyncIterator[Postman]:
    """A mail server on a free port."""
    postman = postman or Postman()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(postman, enable_SMTPUTF8=False), "127.0.0.1", 0)
    postman.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield postman
    finally:
        server.close()
