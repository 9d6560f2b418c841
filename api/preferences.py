"""How the caller wants to be told beyond the inbox, and for those who administer what could not be sent."""

import re
from dataclasses import replace
from datetime import time
from typing import Annotated, Any
from zoneinfo import available_timezones

from fastapi import Query
from pydantic import Field, field_validator
from starlette.requests import Request
from starlette.responses import Response

from api.feeding import Body, read, said
from api.operation import READING, Operation
from api.parts import Parts, asker, parts
from api.plain import moment
from api.problems import Problem, invalid
from api.projects import Parameters
from api.shapes import Shape
from auth.identity import Scope
from projections.outbox import Kept, Outbox
from projections.preferences import Preference, Preferences
from projections.profiles import Profiles
from store.vault import PostgresVault

MOST_ID = 2**63 - 1
WRITING = (401, 403, 409, 413, 415, 422, 503)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["21:00"])]


class QuietTimes(Body):
    """When mails wait that can wait, on the person's own clock; over midnight where `until` is the earlier one."""

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
    address: Annotated[str | None, Field(description="Where mails go; kept sealed.")]
    mail: Annotated[bool, Field(description="Whether notices come by mail too.")]


class PreferenceChange(Body):
    """What is to change; what is left out stays. `null` takes quiet hours or the address away."""

    language: Annotated[str, Field(pattern="^(en|zh)$", description="`en` or `zh`.")] = "en"
    time_zone: Annotated[str, Field(max_length=64, description="A name such as `Asia/Shanghai`.")] = "UTC"
    quiet_hours: QuietTimes | None = None
    address: Annotated[str | None, Field(max_length=254, description="Where mails go; kept sealed.")] = None
    mail: Annotated[bool, Field(description="Whether notices come by mail too.")] = False

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


class OutboxLine(Shape):
    """A message that was not sent."""

    id: int
    at: str
    event: str
    recipient: str
    channel: str
    state: str
    message_id: str
    language: str
    subject: str
    text: str
    html: str


class OutboxPage(Shape):
    """The newest first."""

    items: list[OutboxLine]
    next: str | None


class OutboxParameters(Parameters):
    """How much of the outbox."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many on a page.")] = 50
    cursor: Annotated[str | None, Field(max_length=30, description="`next` of the page before.")] = None


async def read_preferences(request: Request) -> Response:
    """In which language, when and through which channels the caller wants to be told."""
    behind, who = parts(request), asker(request).principal
    wanted = await Preferences(behind.store.pool).of(who)
    return said(_shown(wanted, await _profiles(behind).mailbox(who)))


async def change_preferences(request: Request) -> Response:
    """Change them. Notices come by mail once there is an address and `mail` is true; the inbox has them anyhow."""
    behind, who = parts(request), asker(request).principal
    change = await read(request, PreferenceChange)
    known, profiles = Preferences(behind.store.pool), _profiles(behind)
    address = change.address if "address" in change.model_fields_set else await profiles.mailbox(who)
    after = _changed(await known.of(who), change)
    if after.mail and address is None:
        if change.mail:
            raise invalid("/mail", "There is no address to send mails to: give `address` too.")
        after = replace(after, mail=False)
    if not await profiles.set_mailbox(who, address):
        raise Problem("PersonErased")
    await known.keep(after)
    return said(_shown(after, address))


async def read_outbox(request: Request, asked: Annotated[OutboxParameters, Query()]) -> Response:
    """Messages as they would have been sent: no mail server is set, or none took them. For PMO officers."""
    behind, who = parts(request), asker(request)
    if Scope.ADMINISTER not in who.scopes:
        raise Problem("ScopeMissing")
    rows = await Outbox(behind.store.pool).page(_before(asked.cursor), asked.limit + 1)
    following = str(rows[asked.limit - 1].id) if len(rows) > asked.limit else None
    return said({"items": [_line(row) for row in rows[: asked.limit]], "next": following})


def _profiles(behind: Parts) -> Profiles:
    return Profiles(behind.keys or PostgresVault("", behind.store.pool, None))


def _changed(before: Preference, change: PreferenceChange) -> Preference:
    said_so = change.model_fields_set
    after = replace(before, **{name: getattr(change, name) for name in {"language", "time_zone", "mail"} & said_so})
    if "quiet_hours" not in said_so:
        return after
    if (quiet := change.quiet_hours) is None:
        return replace(after, quiet_from=None, quiet_until=None)
    return replace(after, quiet_from=time.fromisoformat(quiet.start), quiet_until=time.fromisoformat(quiet.until))


def _shown(wanted: Preference, address: str | None) -> dict[str, Any]:
    quiet = None
    if wanted.quiet_from is not None and wanted.quiet_until is not None:
        quiet = {"start": f"{wanted.quiet_from:%H:%M}", "until": f"{wanted.quiet_until:%H:%M}"}
    return {
        "language": wanted.language,
        "time_zone": wanted.time_zone,
        "quiet_hours": quiet,
        "address": address,
        "mail": wanted.mail,
    }


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and int(cursor[:20]) <= MOST_ID):
        raise invalid("/query/cursor", "Give `next` of the page before, unchanged.")
    return int(cursor)


def _line(kept: Kept) -> dict[str, Any]:
    return {
        "id": kept.id,
        "at": moment(kept.at),
        "event": str(kept.event_id),
        "recipient": kept.recipient,
        "channel": kept.channel,
        "state": "kept",
        "message_id": kept.message_id,
        "language": kept.language,
        "subject": kept.subject,
        "text": kept.text,
        "html": kept.html,
    }


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
    Operation("GET", "/v1/outbox", "readOutbox", "inbox", read_outbox, OutboxPage, problems=(401, 403, 422, 503)),
)
