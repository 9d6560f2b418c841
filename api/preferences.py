"""How the caller wants to be told beyond the inbox: language, hours, channels, digest, and addresses."""

import re
import secrets
from dataclasses import replace
from datetime import time, timedelta
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, field_validator
from starlette.requests import Request
from starlette.responses import Response

from activities.addresses import TO_CHANGE, TO_CONFIRM
from api.feeding import Body, read, said
from api.operation import READING, Operation
from api.parts import Parts, asker, parts
from api.problems import Problem, invalid
from api.shapes import Shape
from notifications.addresses import AddressRefused
from notifications.chat_address import MOST, ChatAddress
from projections.address_notes import AddressNotes
from projections.preferences import Preference, Preferences
from projections.profiles import CHAT, NOTHING_ASKED, Asked, Places, Profiles
from store.vault import PostgresVault

WRITING = (401, 403, 409, 413, 415, 422, 503)
CODE_LIVES = timedelta(days=2)
MOST_A_DAY = 5
"""Addresses that one person may name within a day."""
LETTERS, LENGTH = "23456789ABCDEFGHJKMNPQRSTUVWXYZ", 12
"""Of a code: none that look alike; about 59 bits."""
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["21:00"])]
ONCE = "Digest: notices that can wait come together on working days, weekly on the first of the week."


class QuietTimes(Body):
    """When messages wait that can wait, on the person's own clock; over midnight where `until` is the earlier one."""

    start: Annotated[Clock, Field(description="From then.")]
    until: Annotated[Clock, Field(description="Until then.")]

    @field_validator("until")
    @classmethod
    def some(cls, until: str, info: Any) -> str:
        """Not the whole day: then nothing would ever be sent."""
        if until == info.data.get("start"):
            raise ValueError("quiet hours end at another time than they begin")
        return until


class PreferenceState(Shape):
    """What the caller wants."""

    language: str
    time_zone: str
    quiet_hours: QuietTimes | None
    address: Annotated[str | None, Field(description="Where mails go: confirmed, and kept sealed.")]
    address_to_confirm: Annotated[str | None, Field(description="Gets nothing but the code that confirms it.")]
    mail: Annotated[bool, Field(description="Whether notices come by mail too.")]
    chat: Annotated[bool, Field(description="Whether notices come by chat too.")]
    chat_service: Annotated[str | None, Field(description="Which chat; the address itself is never shown again.")]
    first: Annotated[str, Field(description="`mail` or `chat`: what is tried before the other.")]
    digest: Annotated[str, Field(description=f"`none`, `daily` or `weekly`. {ONCE}")]
    digest_at: Annotated[str, Field(description="The hour of the digest, on the person's own clock.")]


class PreferenceChange(Body):
    """What is to change; what is left out stays. `null` takes quiet hours or an address away."""

    language: Annotated[str, Field(pattern="^(en|zh)$", description="`en` or `zh`.")] = "en"
    time_zone: Annotated[str, Field(max_length=64, description="A name such as `Asia/Shanghai`.")] = "UTC"
    quiet_hours: QuietTimes | None = None
    address: Annotated[str | None, Field(max_length=254, description="Where mails go, once it is confirmed.")] = None
    mail: Annotated[bool, Field(description="Whether notices come by mail too.")] = False
    chat: Annotated[bool, Field(description="Whether notices come by chat too.")] = False
    chat_address: Annotated[
        SecretStr | None, Field(max_length=MOST, description="The URL of a chat's webhook; kept sealed, never shown.")
    ] = None
    first: Annotated[str, Field(pattern="^(mail|chat)$", description="What is tried before the other.")] = "mail"
    digest: Annotated[str, Field(pattern="^(none|daily|weekly)$", description=ONCE)] = "none"
    digest_at: Annotated[Clock, Field(description="The hour of the digest, on the person's own clock.")] = "09:00"

    @field_validator("time_zone")
    @classmethod
    def known(cls, name: str) -> str:
        """As in the time zone database."""
        if name not in available_timezones():
            raise ValueError("there is no such time zone")
        return name

    @field_validator("address")
    @classmethod
    def sound(cls, address: str | None) -> str | None:
        """One plain address."""
        if address is not None and not _ADDRESS.fullmatch(address):
            raise ValueError("an address is like li.wei@example.com")
        return address


class AddressConfirmation(Body):
    """The code that was mailed to the new address."""

    code: Annotated[str, Field(min_length=1, max_length=40, description="Blanks and dashes do not matter.")]


async def read_preferences(request: Request) -> Response:
    """In which language, when and through which channels the caller wants to be told."""
    return said(await preferences_of(parts(request), asker(request).principal))


async def preferences_of(behind: Parts, who: str) -> dict[str, Any]:
    """The same for a page."""
    return _shown(await Preferences(behind.store.pool).of(who), await _profiles(behind).places(who))


async def change_preferences(request: Request) -> Response:
    """Change them. A new mail address gets a code first, and nothing else until the code is given back here."""
    behind, who = parts(request), asker(request).principal
    return said(await changed(behind, who, await read(request, PreferenceChange)))


async def changed(behind: Parts, who: str, change: PreferenceChange) -> dict[str, Any]:
    """The same for a page. Raises Problem."""
    known, profiles = Preferences(behind.store.pool), _profiles(behind)
    chat = _chat(change, private=behind.private_chats)
    before = await profiles.places(who)
    after = _reachable(_changed(await known.of(who), change), change, before)
    if not await profiles.change(who, chat):
        raise Problem("PersonErased")
    if "address" in change.model_fields_set:
        await _name(behind, who, change.address, before)
    await known.keep(after)
    return _shown(after, await profiles.places(who))


async def confirm_address(request: Request) -> Response:
    """Give back the code that was mailed to the new address: from now on mails go there."""
    behind, who = parts(request), asker(request).principal
    return said(await confirmed(behind, who, await read(request, AddressConfirmation)))


async def confirmed(behind: Parts, who: str, given: AddressConfirmation) -> dict[str, Any]:
    """The same for a page. Raises Problem."""
    code = "".join(letter for letter in given.code.upper() if letter.isalnum())
    if not await _profiles(behind).confirm(who, code, behind.now()):
        raise invalid("/code", "This is not the code, or it is too old: name the address again for a new one.")
    return await preferences_of(behind, who)


async def _name(behind: Parts, who: str, address: str | None, before: Places) -> None:
    """Take the address away, or ask its reader for the code. Raises Problem."""
    profiles, notes = _profiles(behind), AddressNotes(behind.store.pool)
    if address is None:
        done = await profiles.take_away(who)
        if before.mailbox:
            await notes.add(who, [TO_CHANGE], MOST_A_DAY)
    elif address == before.mailbox:
        done = await profiles.change(who, NOTHING_ASKED)
    elif before.asked is not None and before.asked.address == address and behind.now() < before.asked.until:
        done = True
    else:
        code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        # The code first: a letter that finds none says nothing.
        done = await profiles.ask(who, Asked(address, code, behind.now() + CODE_LIVES))
        kinds = [TO_CONFIRM, *([TO_CHANGE] if before.mailbox else [])]
        if done and not await notes.add(who, kinds, MOST_A_DAY):
            await profiles.change(who, NOTHING_ASKED)
            raise invalid("/address", f"{MOST_A_DAY} addresses were tried within a day: try again tomorrow.")
    if not done:
        raise Problem("PersonErased")


def _chat(change: PreferenceChange, *, private: bool) -> dict[str, str | None]:
    """What of the profile changes. Raises Problem, which never repeats the address."""
    if "chat_address" not in change.model_fields_set:
        return {}
    if change.chat_address is None:
        return {CHAT: None}
    try:
        return {CHAT: ChatAddress.read(change.chat_address.get_secret_value(), private=private).text}
    except AddressRefused as refused:
        raise invalid("/chat_address", str(refused)) from None


def _reachable(after: Preference, change: PreferenceChange, before: Places) -> Preference:
    """Channels without an address are off; to ask for one is refused."""
    mail, chat = bool(before.mailbox or before.asked), bool(before.chat)
    mail = bool(change.address) if "address" in change.model_fields_set else mail
    chat = bool(change.chat_address) if "chat_address" in change.model_fields_set else chat
    if change.mail and not mail:
        raise invalid("/mail", "There is no address to send mails to: give `address` too.")
    if change.chat and not chat:
        raise invalid("/chat", "There is no chat to send messages to: give `chat_address` too.")
    return replace(after, mail=after.mail and mail, chat=after.chat and chat)


def _profiles(behind: Parts) -> Profiles:
    return Profiles(behind.keys or PostgresVault("", behind.store.pool, None))


def _changed(before: Preference, change: PreferenceChange) -> Preference:
    said_so, plain = change.model_fields_set, {"language", "time_zone", "mail", "chat", "first", "digest"}
    after = replace(before, **{name: getattr(change, name) for name in plain & said_so})
    if "digest_at" in said_so:
        after = replace(after, digest_at=time.fromisoformat(change.digest_at))
    if "quiet_hours" not in said_so:
        return after
    if (quiet := change.quiet_hours) is None:
        return replace(after, quiet_from=None, quiet_until=None)
    return replace(after, quiet_from=time.fromisoformat(quiet.start), quiet_until=time.fromisoformat(quiet.until))


def _shown(wanted: Preference, places: Places) -> dict[str, Any]:
    quiet = None
    if wanted.quiet_from is not None and wanted.quiet_until is not None:
        quiet = {"start": f"{wanted.quiet_from:%H:%M}", "until": f"{wanted.quiet_until:%H:%M}"}
    return {
        "language": wanted.language,
        "time_zone": wanted.time_zone,
        "quiet_hours": quiet,
        "address": places.mailbox,
        "address_to_confirm": places.asked.address if places.asked else None,
        "mail": wanted.mail,
        "chat": wanted.chat,
        "chat_service": _service(places.chat),
        "first": wanted.first,
        "digest": wanted.digest,
        "digest_at": f"{wanted.digest_at:%H:%M}",
    }


def _service(address: str | None) -> str | None:
    """`Feishu`, `Slack` …; an address that is no longer accepted is unknown."""
    if address is None:
        return None
    try:
        return ChatAddress.read(address, private=True).service.name
    except AddressRefused:
        return "unknown"


OPERATIONS = (
    Operation(
        "GET",
        "/v1/me/preferences",
        "readPreferences",
        "account",
        read_preferences,
        PreferenceState,
        problems=READING,
    ),
    Operation(
        "PATCH",
        "/v1/me/preferences",
        "changePreferences",
        "account",
        change_preferences,
        PreferenceState,
        problems=WRITING,
        body=PreferenceChange,
    ),
    Operation(
        "POST",
        "/v1/me/preferences/confirm-address",
        "confirmAddress",
        "account",
        confirm_address,
        PreferenceState,
        problems=WRITING,
        body=AddressConfirmation,
    ),
)
