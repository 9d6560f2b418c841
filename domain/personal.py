"""Personal texts in commands and events: which they are, whose they are, and how a sealed one is written down.

A field is marked once, with `Personal` of domain/values.py. Sealing and opening need keys and chance and are
done by activities/vault.py; what is here is pure. Why which field: docs/explanation/privacy.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from domain.values import SEALED, Personal, Value

ACTOR = "actor"
REMOVED = "[personal]"
"""Stands in the refusal log where a personal text was sent."""
UNKNOWN = "…"
"""Stands there for fields that the command does not have: their names may say as much as their values."""
_PERSON = r"[a-z][a-z0-9._-]{0,63}"
_TOKEN = re.compile(
    re.escape(SEALED) + rf"({_PERSON}(?:\+{_PERSON})*):([0-9a-f-]{{36}}):([a-z_]{{1,40}}):([A-Za-z0-9_-]{{38,}})"
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed text: whose keys open it together, where it belongs, and nonce and ciphertext in base64url."""

    persons: tuple[str, ...]
    event_id: str
    field: str
    body: str

    def __str__(self) -> str:
        return f"{SEALED}{'+'.join(self.persons)}:{self.event_id}:{self.field}:{self.body}"

    def bound_to(self, stream: str) -> bytes:
        """What the seal vouches for beside the text: moved to another stream, event or field it does not open."""
        return f"{stream}/{self.event_id}/{self.field}/{'+'.join(self.persons)}".encode()


@dataclass(frozen=True, slots=True)
class Closed:
    """Stands for a text that is not shown, and says why."""

    persons: tuple[str, ...]

    def words(self, language: str) -> str:
        """What a reader sees in its place."""
        return "[未公开]" if language.startswith("zh") else "[withheld]"


class Withheld(Closed):
    """The reader has no right to it, or this process has no key of the vault."""


class Erased(Closed):
    """A person's key was destroyed: nobody can read it any more, here or in any copy."""

    def words(self, language: str) -> str:
        return "[已删除]" if language.startswith("zh") else "[erased]"


class Unreadable(Closed):
    """It does not belong where it stands, or was altered."""

    def words(self, language: str) -> str:
        return "[无法读取]" if language.startswith("zh") else "[unreadable]"


@cache
def personal_fields(kind: type[Value]) -> Mapping[str, tuple[str, ...]]:
    """The marked fields of a command or an event, and the names of whose they are."""
    return {
        name: marks[0].of
        for name, field in kind.model_fields.items()
        if (marks := [m for m in field.metadata if isinstance(m, Personal)])
    }


def owners(value: Value, of: tuple[str, ...], actor: str) -> tuple[str, ...]:
    """The persons whose text it is, in order, each once; the actor where nobody is named."""
    named: dict[str, None] = {}
    for name in of:
        held = actor if name == ACTOR else getattr(value, name)
        named |= dict.fromkeys((held,) if isinstance(held, str) else held or ())
    return tuple(sorted(named)) or (actor,)


def personal_texts(value: Value, actor: str) -> dict[str, tuple[str, ...]]:
    """The marked fields that hold a text, each with the persons whose it is."""
    return {
        name: owners(value, of, actor)
        for name, of in personal_fields(type(value)).items()
        if getattr(value, name) is not None
    }


def without_personal(kind: type[Value] | None, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was sent, for the refusal log: where texts that speak of people are expected, the other known fields alone.

    `kind` is None for a command that is not known.
    """
    if kind is None or not (marked := personal_fields(kind)):
        return data
    known = kind.model_fields.keys() - marked.keys()
    kept = {name: value for name, value in data.items() if name in known}
    return kept | {name if name in marked else UNKNOWN: REMOVED for name in data if name not in known}


def without_sealed(text: str) -> str:
    """The text with its sealed parts left out."""
    return _TOKEN.sub("", text) if SEALED in text else text


def sealed_for(value: Any) -> set[str]:
    """The persons whose keys the sealed texts of a JSON value ask for."""
    if isinstance(value, str):
        return {p for found in _TOKEN.finditer(value) for p in _sealed(found).persons} if SEALED in value else set()
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return set()
    return set().union(*(sealed_for(inner) for inner in value))


def opened(value: Any, read: Callable[[Sealed], str]) -> Any:
    """The JSON value with each sealed text replaced by what `read` makes of it."""
    if isinstance(value, str):
        return _TOKEN.sub(lambda found: read(_sealed(found)), value) if SEALED in value else value
    if isinstance(value, Mapping):
        return {name: opened(inner, read) for name, inner in value.items()}
    return [opened(inner, read) for inner in value] if isinstance(value, list | tuple) else value


def _sealed(found: re.Match[str]) -> Sealed:
    persons, event_id, field, body = found.groups()
    return Sealed(tuple(persons.split("+")), event_id, field, body)
