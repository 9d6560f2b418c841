"""E-mail: one letter a notice, over SMTP, with a Message-ID that stays the same however often it is sent.

Where no server is set the letter is kept in the outbox instead.
"""

import asyncio
import ipaddress
import ssl
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache
from typing import Protocol, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib

from activities.addresses import TO_CHANGE, TO_CONFIRM
from activities.letters import Letter
from activities.messages import NoticeMessage
from activities.notify import Undeliverable
from activities.vault import VaultLocked
from notifications.letters import Writer

CHANNEL = "mail"
HIDDEN = "••••••"
"""Stands in the outbox in the place of a code: who reads that there has not shown that they read mail."""
SECONDS = 10.0
"""For one word of the server."""
WHOLE_SECONDS = 25.0
"""For all of them; a step has thirty."""
PORTS = {"smtp": 587, "smtps": 465}

ONE_LINE = SMTP.clone(max_line_length=400, cte_type="7bit")
"""Ids are not folded: not every program that sorts by thread can read them then."""


class NotNow(OSError):
    """The letter did not get through and may later."""


class Reader(Protocol):
    """How one person reads."""

    @property
    def language(self) -> str: ...
    @property
    def time_zone(self) -> str: ...


class Readers(Protocol):
    """How people read."""

    async def of(self, person: str) -> Reader:
        """Raises StoreUnavailable."""
        ...


class AskedAddress(Protocol):
    """An address that waits for its confirmation, and the code that is mailed there."""

    @property
    def address(self) -> str: ...
    @property
    def code(self) -> str: ...


class Places(Protocol):
    """Where one person reads mail, and where they say they do."""

    @property
    def mailbox(self) -> str | None: ...
    @property
    def before(self) -> str | None: ...
    @property
    def asked(self) -> AskedAddress | None: ...


class Addresses(Protocol):
    """Where people's mailboxes are. Raises VaultLocked and StoreUnavailable."""

    async def places(self, person: str) -> Places: ...


class Outbox(Protocol):
    """Keeps letters. Raises StoreUnavailable and VaultLocked."""

    async def keep(self, letter: Letter) -> None: ...


class Carrier(Protocol):
    """Brings a letter to an address. Raises NotNow and Undeliverable."""

    async def carry(self, letter: Letter, address: str) -> None: ...


@dataclass(frozen=True)
class MailServer:
    """A mail server and who letters are from. Satisfies Carrier."""

    host: str
    port: int
    tls: bool
    """TLS from the first byte; otherwise as soon as the server offers it."""
    sender: str
    user: str | None = None
    password: str | None = None
    seconds: float = SECONDS

    @classmethod
    def read(cls, url: str, sender: str) -> Self:
        """From smtp://user:password@host:port or smtps://…; raises ValueError, which never tells the password."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("TANDEM_SMTP_URL is smtp://user:password@host:port, or smtps://…")
        if "@" not in parseaddr(sender)[1]:
            raise ValueError("TANDEM_MAIL_FROM has to name who mails are from, e.g. Tandem <tandem@example.com>")
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password or "") if user else None
        port = parts.port or PORTS[parts.scheme]
        return cls(parts.hostname, port, parts.scheme == "smtps", sender, user, password)

    async def carry(self, letter: Letter, address: str) -> None:
        """Send it. Raises NotNow, and Undeliverable where the server will never take it for this address."""
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                await self._send(composed(letter, self.sender, address))
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise _refusal(refused.recipients[0], address) from None
        except aiosmtplib.SMTPDataError as refused:
            raise _refusal(refused, address) from None
        except (aiosmtplib.SMTPException, OSError) as failed:
            # What raised it may name the address, and would stand in the workflow's history for good.
            raise NotNow(_said(failed, address)) from None

    async def _send(self, mail: EmailMessage) -> None:
        await aiosmtplib.send(
            mail.as_bytes(),
            sender=parseaddr(self.sender)[1],
            recipients=[parseaddr(mail["To"])[1]],
            hostname=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            use_tls=self.tls,
            # A password goes over the network sealed, or not at all.
            start_tls=None if self.tls or self.user is None or _is_here(self.host) else True,
            tls_context=_trusting(),
            timeout=self.seconds,
        )


@cache
def _trusting() -> ssl.SSLContext:
    """Whom this machine trusts, read once: it takes longer than to send a mail."""
    return ssl.create_default_context()


def _is_here(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _refusal(refused: aiosmtplib.SMTPResponseException, address: str) -> Exception:
    """Undeliverable for the server's final word (5xx), NotNow otherwise."""
    return (Undeliverable if refused.code >= 500 else NotNow)(_said(refused, address))


def _said(failed: Exception, address: str) -> str:
    """What the server said, or what happened on the way, in one line and without the address."""
    if isinstance(failed, aiosmtplib.SMTPResponseException):
        said = " ".join(failed.message.split()).replace(address, "the address")
        return f"the mail server says {failed.code} {said[:200]}"
    return f"the mail server did not answer: {type(failed).__name__}"


def composed(letter: Letter, sender: str, address: str) -> EmailMessage:
    """The letter as it goes over the wire."""
    mail = EmailMessage(ONE_LINE)
    mail["From"], mail["To"], mail["Subject"] = sender, address, letter.subject
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = letter.message_id
    mail["In-Reply-To"] = mail["References"] = letter.thread_id
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["Content-Language"] = letter.language
    mail.set_content(letter.text)
    mail.add_alternative(letter.html, subtype="html")
    return mail


class Mail:
    """The channel. Without a carrier every letter is kept in the outbox."""

    def __init__(
        self, writer: Writer, readers: Readers, addresses: Addresses, outbox: Outbox, carrier: Carrier | None
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._addresses = addresses
        self._outbox = outbox
        self._carrier = carrier

    async def deliver(self, notice: NoticeMessage) -> str | None:
        """Send it, or keep it, which is said as `kept`. Raises NotNow and Undeliverable."""
        if self._carrier is None:
            await self.keep(notice)
            return "kept"
        places = await self._places(notice.recipient)
        if notice.kind == TO_CONFIRM:
            if places.asked is None:
                raise Undeliverable("the address was confirmed or taken back")
            await self._carrier.carry(await self._written(notice, places.asked.code), places.asked.address)
        elif address := (places.before if notice.kind == TO_CHANGE else places.mailbox):
            await self._carrier.carry(await self._written(notice), address)
        elif places.asked is not None:
            await self.keep(notice)
            return "kept"
        else:
            raise Undeliverable("no address is known")
        return None

    async def keep(self, notice: NoticeMessage) -> None:
        """Into the outbox. May run twice. Raises NotNow where the vault is locked."""
        try:
            await self._outbox.keep(await self._written(notice))
        except VaultLocked as locked:
            raise NotNow(str(locked)) from locked

    async def _written(self, notice: NoticeMessage, code: str = HIDDEN) -> Letter:
        reader = await self._readers.of(notice.recipient)
        letter = self._writer.write(notice, CHANNEL, reader.language, reader.time_zone)
        if notice.kind != TO_CONFIRM:
            return letter
        coded = notice.model_copy(update={"en": f"{notice.en} {code}", "zh": f"{notice.zh} {code}"})
        whole = self._writer.write(coded, CHANNEL, reader.language, reader.time_zone)
        # A subject is shown where a text is not: on locked screens, in logs of mail servers.
        return replace(whole, subject=letter.subject)

    async def _places(self, person: str) -> Places:
        try:
            return await self._addresses.places(person)
        except VaultLocked as locked:
            raise NotNow(str(locked)) from locked
