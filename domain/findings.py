"""Personal data where none should be: what looks like it in a text, and which fields can hold a text at all.

The first is for the log as it is, the second for the classes of commands and events: every field for free text is
marked `Personal`, or named in domain/prose.py with the reason why it is not. Both run as tests; the first also over a
live log, as `tandem privacy scan`.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, StringConstraints

from domain.personal import without_sealed
from domain.values import Personal, Value

_MAIL = re.compile(r"[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_MOBILE = re.compile(r"(?<![A-Za-z0-9_-])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![A-Za-z0-9_-])")
_ABROAD = re.compile(r"(?<![A-Za-z0-9_-])\+\d{1,3}(?:[ -]?\d){7,12}(?![A-Za-z0-9_-])")
_IDENTITY = re.compile(r"(?<![A-Za-z0-9_-])\d{17}[\dXx](?![A-Za-z0-9_-])")
_CARD = re.compile(r"(?<![A-Za-z0-9_-])[3-6]\d{3}(?:[ -]?\d{4}){2,3}(?:[ -]?\d{1,3})?(?![A-Za-z0-9_-])")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_LENGTHS = range(13, 20)


@dataclass(frozen=True, slots=True)
class Finding:
    """What looks like personal data, and where in the value it is."""

    path: str
    kind: str
    """`e-mail`, `phone`, `identity number`, `bank card` or `name`."""
    text: str

    @property
    def hint(self) -> str:
        """Enough to find it again, not enough to be it."""
        return f"{self.text[:2]}…{self.text[-1:]} ({len(self.text)} characters)"


def in_text(text: str, names: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Kind and text of whatever looks like personal data. Sealed texts are passed over."""
    text = without_sealed(text)
    for found in _MAIL.finditer(text):
        yield "e-mail", found[0]
    taken: list[range] = []
    for kind, pattern, holds in (
        ("identity number", _IDENTITY, _is_identity),
        ("bank card", _CARD, _is_card),
        ("phone", _MOBILE, bool),
        ("phone", _ABROAD, bool),
    ):
        for found in pattern.finditer(text):
            place = range(found.start(), found.end())
            if holds(found[0]) and not any(place.start < t.stop and t.start < place.stop for t in taken):
                taken.append(place)
                yield kind, found[0]
    yield from (("name", name) for name in names if name and name in text)


def in_value(value: Any, names: Collection[str] = (), path: str = "") -> Iterator[Finding]:
    """Whatever looks like personal data in a JSON value, keys included."""
    if isinstance(value, str):
        yield from (Finding(path, kind, text) for kind, text in in_text(value, names))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from in_value(key, names, path)
            yield from in_value(inner, names, f"{path}.{key}" if path else key)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from in_value(inner, names, path)


def free_texts(kind: type[Value]) -> dict[str, bool]:
    """Every place in a class where a text without a pattern can stand, as `Class.field.field`; whether it is marked."""
    return dict(_texts(kind, kind.__name__, ()))


def _texts(kind: type[BaseModel], path: str, above: tuple[type, ...]) -> Iterator[tuple[str, bool]]:
    for name, field in kind.model_fields.items():
        marked = any(isinstance(m, Personal) for m in field.metadata)
        patterned = any(isinstance(m, StringConstraints) and m.pattern for m in field.metadata)
        if not patterned:
            yield from ((where, marked) for where in _of(field.annotation, f"{path}.{name}", (*above, kind)))


def _of(annotation: Any, path: str, above: tuple[type, ...]) -> Iterator[str]:
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        if not any(isinstance(m, StringConstraints) and m.pattern for m in metadata):
            yield from _of(inner, path, above)
    elif annotation is str:
        yield path
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in above:
            yield from (where for where, _ in _texts(annotation, path, above))
    else:
        for inner in get_args(annotation):
            yield from _of(inner, path, above)


def _is_identity(text: str) -> bool:
    """A Chinese identity number: a day of birth and a check digit."""
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    return _CHECKS[sum(int(d) * w for d, w in zip(text[:17], _WEIGHTS, strict=True)) % 11] == text[17].upper()


def _is_card(text: str) -> bool:
    """The check digit of bank cards (Luhn)."""
    digits = [int(d) for d in text if d.isdigit()]
    doubled = [d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return len(digits) in _LENGTHS and sum(doubled) % 10 == 0
