"""What commands and events have in common, and the registries from which everything else is derived.

A command is what somebody wants; an event is what happened. Each is one class: fields and bounds,
docstring, who may ask and when, what it does. Routes, CLI verbs, permissions, reference pages and
tests read the registries; nothing is listed twice.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_origin

from pydantic import TypeAdapter, ValidationError

from domain.refusals import malformed
from domain.titles import slot_in, title_in
from domain.values import EVERY_STAGE, Role, Stage, Value
from domain.words import word

if TYPE_CHECKING:
    from domain.notice import Notice
    from domain.project.aggregate import Project
    from domain.story import Story

COMMANDS: dict[str, type[Command]] = {}
EVENTS: dict[str, type[Event]] = {}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, for whom, through which door."""

    principal: str
    on_behalf_of: str | None = None
    delegation: str | None = None
    client: str = "api"
    system: bool = False
    """The lifecycle itself; only the workflow's steps set it."""
    confirmed_at: datetime | None = None
    """When they last proved to be there; None for a credential that cannot tell, such as a token."""

    @property
    def person(self) -> str:
        """The person whose right is used."""
        return self.on_behalf_of or self.principal

    def as_metadata(self) -> dict[str, Any]:
        """The actor as it is written into every event, without empty fields."""
        fields = {
            "principal": self.principal,
            "on_behalf_of": self.on_behalf_of,
            "delegation": self.delegation,
            "client": self.client,
            "kind": "system" if self.system else "person",
        }
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A command on its way to a project."""

    command_id: str
    project_id: str
    type: str
    actor: Actor
    at: datetime
    data: Mapping[str, Any]
    expected_version: int | None = None
    correlation_id: str | None = None
    """The chain that it belongs to; None: it starts one."""
    causation_id: str | None = None
    """The event that it answers, where the lifecycle asks."""
    request_id: str | None = None
    """The request that it came with."""


@dataclass(frozen=True, slots=True)
class Happened:
    """When and by whose hand an event came about; given to `Event.apply`."""

    at: datetime
    by: str


class Command(Value):
    """What somebody wants done to a project."""

    roles: ClassVar[frozenset[Role]]
    """The roles that may ask. The decision engine checks more than that."""
    stages: ClassVar[frozenset[Stage]] = EVERY_STAGE
    """The stages in which it makes sense."""
    while_held: ClassVar[bool] = False
    """Whether it is possible while the project is on hold."""
    delegable: ClassVar[bool] = False
    """Whether a delegate may do it for somebody else (DR7)."""
    example: ClassVar[dict[str, Any]] = {}
    """A valid body, shown in the API's documentation and used by its tests."""
    blind: ClassVar[bool] = False
    """Whether its content is closed to everybody else until the evaluations are revealed, refused or not (Z1)."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        COMMANDS[cls.__name__] = cls

    @abstractmethod
    def decide(self, story: Story) -> None:
        """Record in `story` what happens now, or raise Refused and change nothing."""

    @property
    def represents(self) -> str | None:
        """For whom it is meant, where the command itself says so."""
        return getattr(self, "on_behalf_of", None)

    @classmethod
    def route(cls) -> str:
        """The command's name in a URL and on the command line."""
        return dashed(cls.__name__)


class Event(Value):
    """What happened. The class name is a stored name and the fields a stored shape: both are promises."""

    schema_version: ClassVar[int] = 1
    allowed_by: ClassVar[str]
    """The rule of docs/governance.md by which it may happen."""
    en: ClassVar[str]
    zh: ClassVar[str]
    """One sentence for the timeline; `{actor}` and field names are filled in."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            EVENTS[cls.__name__] = cls

    @abstractmethod
    def apply(self, project: Project, happened: Happened) -> Project:
        """The project after this event. Never refuses: what happened, happened."""

    def tells(self, project: Project) -> Iterable[Notice]:
        """Who must be told, given the project after this event."""
        return ()

    def effective(self, project: Project, at: datetime) -> datetime:
        """Since when it is true, given the project before it and when it was recorded; never later than that."""
        return at

    def seals(self, project: Project, reader: str) -> bool:
        """Whether this event's content is still closed to `reader` (blind evaluations)."""
        return False

    def sentence(self, language: str, actor: str) -> str:
        """This event in words, in `en` or `zh`."""
        words = self.zh if language.startswith("zh") else self.en
        return words.format_map(_Fields(self, actor, language))


WRITTEN = {"title": title_in, "slot": slot_in}
"""Fields in which the rules themselves write, and how that reads in another language."""


class _Fields(dict[str, Any]):
    """Field values for a sentence; a list reads as a list, a missing value as a dash, a code as its word."""

    def __init__(self, event: Event, actor: str, language: str) -> None:
        coded = {n for n, field in type(event).model_fields.items() if get_origin(field.annotation) is Literal}
        values = {name: getattr(event, name) for name in type(event).model_fields}
        super().__init__({n: word(v, language) if n in coded else _readable(v, language) for n, v in values.items()})
        self |= {n: words(self[n], language) for n, words in WRITTEN.items() if isinstance(values.get(n), str)}
        self["actor"] = actor


def _readable(value: Any, language: str) -> str:
    if value is None or value == ():
        return "–"
    if isinstance(value, StrEnum):
        return word(value.value, language)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, tuple):
        return ("、" if language.startswith("zh") else ", ").join(_readable(v, language) for v in value)
    if hasattr(value, "amount"):
        return f"{value.amount} {value.currency}"
    return str(value)


def dashed(name: str) -> str:
    """`WithdrawChange` → `withdraw-change`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


@cache
def _adapter(kind: type[Value]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def read_command(name: str, json: bytes | str) -> Command:
    """The command in `json`. Raises Refused (Malformed) with one entry per wrong field."""
    if name not in COMMANDS:
        raise malformed(f"There is no command {name!r}.")
    try:
        command: Command = _adapter(COMMANDS[name]).validate_json(json)
    except ValidationError as error:
        raise malformed("The command cannot be read.", wrong_fields(error)) from None
    return command


def wrong_fields(error: ValidationError) -> tuple[dict[str, str], ...]:
    """Pointer, code and message of each wrong field, at most 50."""
    return tuple(
        {"pointer": "/" + "/".join(str(p) for p in e["loc"]), "code": e["type"], "message": e["msg"]}
        for e in error.errors(include_url=False, include_context=False, include_input=False)[:50]
    )


def to_data(value: Value) -> dict[str, Any]:
    """The value as canonical JSON values (decimals and dates are strings)."""
    return value.model_dump(mode="json")
