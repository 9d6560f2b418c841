"""Second places for checkpoints, out of reach of whoever owns the database: a file, an address, a mailbox."""

import asyncio
import os
import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2
import orjson

from domain.checkpoint import NOTE_BOUND, BadNote, Note

PATIENCE = 10.0
"""Seconds for one delivery."""
TAIL = 4 * NOTE_BOUND
"""Bytes read from the end of a file to find the last checkpoint in it."""


class FileAnchor:
    """A line `{"note": …}` for each checkpoint at the end of a file, on a disk of somebody else's at best."""

    place = "file"
    every = timedelta(0)

    def __init__(self, path: Path) -> None:
        self._path = path

    async def last(self, origin: str) -> Note | None:
        """The last whole line of this log. Raises OSError, and BadNote for a line that is none of ours."""
        return await asyncio.to_thread(self._last, origin)

    async def keep(self, notes: Sequence[str]) -> None:
        """Append what is not there yet, down to the disk. Raises OSError and BadNote."""
        await asyncio.to_thread(self._keep, [Note.parse(note) for note in notes])

    def _keep(self, notes: list[Note]) -> None:
        kept = self._last(notes[0].checkpoint.origin)
        size = kept.checkpoint.size if kept else 0
        lines = [orjson.dumps({"note": str(note)}) + b"\n" for note in notes if note.checkpoint.size > size]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            # A line that was being written when the power went is ended first; it reads as no line of ours.
            file.write(b"".join([b"" if self._ended() else b"\n", *lines]))
            file.flush()
            os.fsync(file.fileno())

    def _last(self, origin: str) -> Note | None:
        for line in reversed(self._tail()):
            with suppress(_Torn):
                note = _note(line)
                if note.checkpoint.origin == origin:
                    return note
        return None

    def _tail(self) -> list[bytes]:
        """The last whole lines."""
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            start = max(0, self._path.stat().st_size - TAIL)
            file.seek(start)
            lines = file.read().split(b"\n")[:-1]
            return lines[1:] if start else lines
        return []

    def _ended(self) -> bool:
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(max(0, self._path.stat().st_size - 1))
            return file.read() in (b"", b"\n")
        return True


class _Torn(Exception):
    """A line that was not written to its end."""


def _note(line: bytes) -> Note:
    try:
        note = orjson.loads(line)["note"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as torn:
        raise _Torn from torn
    if not isinstance(note, str):
        raise BadNote("a line of the file has no note")
    return Note.parse(note)


class WebAnchor:
    """Each checkpoint posted to an address as text/plain; what is kept there cannot be read back."""

    place = "url"
    every = timedelta(0)

    def __init__(self, url: str) -> None:
        self._url = url

    async def last(self, origin: str) -> Note | None:
        """None: nobody is asked."""
        return None

    async def keep(self, notes: Sequence[str]) -> None:
        """Post them in order. Raises OSError where one is not taken with a 2xx."""
        headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "tandem"}
        try:
            async with httpx2.AsyncClient(timeout=PATIENCE) as client:
                for note in notes:
                    answer = await client.post(self._url, content=note.encode(), headers=headers)
                    answer.raise_for_status()
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise OSError(f"the checkpoint was not taken: {type(error).__name__}") from error


class MailAnchor:
    """The newest checkpoint in a mail, now and then: it stands for the ones before it.

    `url` is smtp://user:password@host:25/?from=tandem@example.com&to=auditor@example.com; smtps:// speaks TLS from the
    first byte, smtp:// as soon as the server offers it. Raises ValueError where a part is missing.
    """

    place = "mail"

    def __init__(self, url: str, every: timedelta) -> None:
        self._server = urlsplit(url)
        self.every = every
        asked = parse_qs(self._server.query)
        if self._server.scheme not in ("smtp", "smtps") or not self._server.hostname:
            raise ValueError("a mailbox is named as smtp://host/?from=…&to=…")
        try:
            (self._sender,), (self._recipient,) = asked["from"], asked["to"]
        except (KeyError, ValueError) as missing:
            raise ValueError("a mailbox needs one ?from= and one &to=") from missing

    async def last(self, origin: str) -> Note | None:
        """None: a mailbox is not read."""
        return None

    async def keep(self, notes: Sequence[str]) -> None:
        """Send the last of them. Raises OSError where the server does not take it."""
        await asyncio.to_thread(self._send, notes[-1])

    def _send(self, note: str) -> None:
        mail = EmailMessage()
        checkpoint = Note.parse(note).checkpoint
        mail["Subject"] = f"{checkpoint.origin}: {checkpoint.size} events"
        mail["From"], mail["To"] = self._sender, self._recipient
        mail.set_content(note)
        server, secure = self._server, ssl.create_default_context()
        assert server.hostname is not None
        connection = (
            smtplib.SMTP_SSL(server.hostname, server.port or 465, timeout=PATIENCE, context=secure)
            if server.scheme == "smtps"
            else smtplib.SMTP(server.hostname, server.port or 25, timeout=PATIENCE)
        )
        with connection:
            connection.ehlo()
            if server.scheme == "smtp" and connection.has_extn("starttls"):
                connection.starttls(context=secure)
            if server.username:
                connection.login(unquote(server.username), unquote(server.password or ""))
            connection.send_message(mail)
