"""A receiver as a process of its own: `python -m tests.load.receivers mail|web BOOK`; it says where it is and serves.

Each message that came in is a line of the book: when it came, and when it was taken, which is written down just
before the sender is told.
"""

import asyncio
import sys
import time
from collections import Counter
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import orjson
from aiosmtpd.smtp import SMTP, Envelope

from tests.load.moods import LATE_SECONDS, MAIL, WEB, Manner, manner_of
from tests.mailing import TAKEN, Postman, mailing
from tests.receiving import Got, Receiver, Reply, receiving

FOR_EVER = 3600.0


class Book:
    """Lines of JSON in a file, each there for whoever reads it at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._came: Counter[tuple[str, str]] = Counter()

    def attempt(self, message: str, to: str) -> int:
        """The number of this try, from 1."""
        self._came[message, to] += 1
        return self._came[message, to]

    def note(self, message: str, to: str, arrived: float, manner: Manner) -> None:
        taken = time.time() if manner in {Manner.TAKES, Manner.LATE} else None
        line = {"message": message, "to": to, "arrived": arrived, "manner": manner, "taken": taken}
        self._file.write(orjson.dumps(line) + b"\n")


class Mailbox(Postman):
    """A mail server that writes down what it took."""

    def __init__(self, book: Book) -> None:
        super().__init__()
        self._book = book

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:
        arrived, content = time.time(), envelope.content
        assert isinstance(content, bytes)
        message, to = str(message_from_bytes(content, policy=policy.default)["Message-ID"]), envelope.rcpt_tos[0]
        manner = manner_of(MAIL, message, self._book.attempt(message, to))
        if manner is Manner.LATE:
            await asyncio.sleep(LATE_SECONDS["mail"])
        self._book.note(message, to, arrived, manner)
        if manner is Manner.HANGS_UP:
            assert server.transport is not None
            server.transport.close()
        if manner in {Manner.SILENT, Manner.HANGS_UP}:
            await asyncio.sleep(FOR_EVER)
        return "451 busy, come again" if manner is Manner.BUSY else TAKEN


class Endpoint(Receiver):
    """A webhooks' receiver that writes down what it took."""

    def __init__(self, book: Book) -> None:
        super().__init__()
        self._book = book

    async def _answer(self, got: Got, writer: asyncio.StreamWriter) -> None:
        arrived = time.time()
        manner = manner_of(WEB, got.id + got.path, self._book.attempt(got.id, got.path))
        if manner is Manner.LATE:
            await asyncio.sleep(LATE_SECONDS["web"])
        self._book.note(got.id, got.path, arrived, manner)
        if manner is Manner.HANGS_UP:
            writer.transport.abort()
            return
        await self._say(Reply({Manner.SILENT: None, Manner.BUSY: 500}.get(manner, 204)), writer)


async def serve(kind: str, path: Path) -> None:
    """Until it is killed."""
    book = Book(path)
    if kind == "mail":
        async with mailing(Mailbox(book)) as postman:
            print(postman.url, flush=True)
            await asyncio.sleep(FOR_EVER)
    async with receiving(receiver=Endpoint(book)) as receiver:
        print(receiver.url, flush=True)
        await asyncio.sleep(FOR_EVER)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
