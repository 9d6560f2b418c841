"""A form for any command or other model, from its fields and bounds; and the way back from what was typed to JSON.

The name of every input is the JSON pointer of its value, so that a refusal's pointer names the field it is about.
Lists of simple values are written one a line, lists of composed ones as numbered rows; a row left blank is no row.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

from pydantic import BaseModel

Typed = Mapping[str, Sequence[str]]
"""What a browser sent: names of inputs with their values."""
Offer = Sequence[tuple[str, str]]
"""Values with the words for them."""
Schema = Mapping[str, Any]
Wrong = Mapping[str, str]

LONG = 500
"""Texts that may be longer than this get more than one line."""
MOST_ROWS = 500
FEW = 6
"""So many words of a kind are shown at once; more are a list to pick from."""
PERSON = "^[a-z][a-z0-9._-]{0,63}$"
DECIMAL = "^-?[0-9]{1,15}(\\.[0-9]{1,6})?$"
KINDS = {"date": "date", "password": "secret"}
_CHOICE = re.compile(r"\^\(([a-z]+(?:\|[a-z]+)+)\)\$")
_WHOLE = re.compile(r"-?[0-9]{1,15}")


@dataclass(frozen=True)
class Field:
    """One input, or several that belong together, ready to be shown."""

    name: str
    """The JSON pointer; also the name of the input."""
    label: str
    """A code that has words in every language."""
    kind: str
    """`text`, `long`, `person`, `number`, `decimal`, `date`, `pick`, `radio`, `several`, `lines`, `yes`, `group`,
    `rows`, `secret` or `hidden`."""
    required: bool = False
    forced: bool = False
    """Whether a browser may insist on it: not in a row or group that may stay blank."""
    value: Any = None
    offers: Offer = ()
    inner: tuple["Field", ...] = ()
    least: Any = None
    most: Any = None
    pattern: str = ""
    otherwise: Any = None
    """What holds where it is left out."""
    example: str = ""
    of: str = ""
    """The command that it is a field of, where the label means something of its own there."""
    wrong: tuple[Wrong, ...] = ()
    """What was refused about it."""

    @property
    def id(self) -> str:
        """For `for` and `aria-describedby`."""
        return "f" + self.name.replace("/", "-")


@dataclass(frozen=True)
class Filling:
    """What stands in a form, and what it does not ask for."""

    content: Mapping[str, Any] = field(default_factory=dict)
    """JSON values by field; what cannot be read stays as it was typed."""
    errors: Sequence[Wrong] = ()
    offers: Mapping[str, Offer] = field(default_factory=dict)
    """Values to pick from, by a field's own name."""
    picks: AbstractSet[str] = frozenset()
    """Fields of people for which nobody else can be named than those offered."""
    hidden: AbstractSet[str] = frozenset()
    """Fields that are bound: sent, and not shown."""
    left_out: AbstractSet[str] = frozenset()
    """Fields that are neither."""
    more: str = ""
    """The list that gets one more row."""

    def wrong_at(self, name: str) -> tuple[Wrong, ...]:
        """What was refused about exactly this field."""
        return tuple(one for one in self.errors if one.get("pointer", "") == name)


def fields_of(command: type[BaseModel], filling: Filling) -> tuple[Field, ...]:
    """The command's form."""
    fields = _inner("", _schema(command), command, filling.content, filling)
    return tuple(replace(one, of=command.__name__) for one in fields)


def everything(fields: Sequence[Field]) -> Iterator[Field]:
    """The fields with all that is in them."""
    for one in fields:
        yield one
        yield from everything(one.inner)


def homeless(fields: Sequence[Field], errors: Sequence[Wrong]) -> list[Wrong]:
    """Errors that belong to no field that is shown."""
    shown = {one.name for one in everything(fields) if one.kind != "hidden"}
    return [one for one in errors if one.get("pointer", "") not in shown]


def read(command: type[BaseModel], typed: Typed) -> dict[str, Any]:
    """The JSON of the command that was typed; what was left blank is left out. Whether it is right is not asked."""
    return _read_object("", _schema(command), command, typed) or {}


@cache
def _schema(command: type[BaseModel]) -> Schema:
    return command.model_json_schema()


def _resolved(node: Schema, command: type[BaseModel]) -> Schema:
    """The node itself, for a reference what it refers to, for something or nothing the something."""
    if "$ref" in node:
        found = _schema(command)["$defs"][node["$ref"].rpartition("/")[2]]
        return {**found, **{name: value for name, value in node.items() if name != "$ref"}}
    for one in node.get("anyOf", ()):
        if one.get("type") != "null":
            return _resolved({**one, "default": node.get("default")}, command)
    return node


def _inner(
    name: str, schema: Schema, command: type[BaseModel], content: Any, filling: Filling, *, asked: bool = True
) -> Iterator[Field]:
    held = content if isinstance(content, Mapping) else {}
    for key, node in schema.get("properties", {}).items():
        if name or key not in filling.left_out:
            required = key in schema.get("required", ())
            found = _field(f"{name}/{key}", key, node, command, held.get(key), filling, required=required)
            yield replace(found, forced=required and asked)


def _field(
    name: str, label: str, node: Schema, command: type[BaseModel], value: Any, filling: Filling, *, required: bool
) -> Field:
    found = _resolved(node, command)
    offers = filling.offers.get(label, ())
    wrong = filling.wrong_at(name)
    if name[1:] in filling.hidden:
        return Field(name, label, "hidden", value=value)
    if found.get("type") == "object":
        inner = tuple(_inner(name, found, command, value, filling, asked=required))
        return Field(name, label, "group", required=required, inner=inner, wrong=wrong)
    if found.get("type") == "array":
        return _list(name, label, found, command, value, filling, required=required)
    kind, given = _simple(name, found)
    offers = given or offers
    if offers and (kind == "text" or label in filling.picks):
        kind = "pick"
    return Field(
        name,
        label,
        kind,
        required,
        value=value,
        offers=offers,
        least=found.get("minimum"),
        most=found.get("maximum", found.get("maxLength")),
        pattern=found.get("pattern", ""),
        otherwise=found.get("default"),
        example=str(next(iter(found.get("examples", ())), "")),
        wrong=wrong,
    )


def _simple(name: str, node: Schema) -> tuple[str, Offer]:
    """The kind of one input, and the words of its kind where they are counted out."""
    if words := _counted_out(node):
        return ("radio" if len(words) <= FEW and name.count("/") == 1 else "pick"), words
    if node.get("type") == "integer":
        return "number", ()
    if node.get("type") == "boolean":
        return "yes", ()
    if node.get("format") in KINDS:
        return KINDS[node["format"]], ()
    known = {PERSON: "person", DECIMAL: "decimal"}
    return known.get(node.get("pattern", ""), "long" if node.get("maxLength", 0) > LONG else "text"), ()


def _counted_out(node: Schema) -> Offer:
    """The words that alone are possible, where they are counted out."""
    choice = _CHOICE.fullmatch(node.get("pattern", ""))
    return [(one, one) for one in (choice[1].split("|") if choice else node.get("enum", ()))]


def _list(
    name: str, label: str, node: Schema, command: type[BaseModel], value: Any, filling: Filling, *, required: bool
) -> Field:
    item = _resolved(node["items"], command)
    held = list(value) if isinstance(value, list | tuple) else []
    bounded = partial(Field, name, label, required=required, least=node.get("minItems"), most=node.get("maxItems"))
    wrong = filling.wrong_at(name)
    if "enum" in item:
        words = [(one, one) for one in item["enum"]]
        return bounded(kind="several", value=held, offers=words, wrong=wrong)
    if item.get("type") != "object":
        wrong += tuple(one for one in filling.errors if one.get("pointer", "").startswith(f"{name}/"))
        return bounded(kind="lines", value=held, wrong=wrong)
    count = max(len(held) + (name == filling.more), node.get("minItems", 0), 1)
    rows = tuple(
        Field(
            f"{name}/{index}",
            str(index + 1),
            "group",
            inner=tuple(
                _inner(f"{name}/{index}", item, command, dict(enumerate(held)).get(index), filling, asked=False)
            ),
            wrong=filling.wrong_at(f"{name}/{index}"),
        )
        for index in range(min(count, MOST_ROWS))
    )
    return bounded(kind="rows", inner=rows, wrong=wrong)


def _read_object(name: str, schema: Schema, command: type[BaseModel], typed: Typed) -> dict[str, Any] | None:
    """None where nothing was typed in it."""
    found = {key: _read(f"{name}/{key}", node, command, typed) for key, node in schema.get("properties", {}).items()}
    return {key: value for key, value in found.items() if value is not None} or None


def _read(name: str, node: Schema, command: type[BaseModel], typed: Typed) -> Any:
    found = _resolved(node, command)
    if found.get("type") == "object":
        return _read_object(name, found, command, typed)
    if found.get("type") == "array":
        return _read_list(name, _resolved(found["items"], command), command, typed) or None
    text = _text(typed, name)
    if not text:
        return None
    if found.get("type") == "integer" and _WHOLE.fullmatch(text):
        return int(text)
    if found.get("type") == "boolean" and text in {"true", "false"}:
        return text == "true"
    return text


def _read_list(name: str, item: Schema, command: type[BaseModel], typed: Typed) -> list[Any]:
    if "enum" in item:
        return [one for one in typed.get(name, ()) if one]
    if item.get("type") != "object":
        lines = (line.strip() for line in _text(typed, name).split("\n"))
        return [_read("", item, command, {"": [line]}) for line in lines if line]
    rows = (_read_object(f"{name}/{index}", item, command, typed) for index in _rows(name, typed))
    return [row for row in rows if row is not None]


def _rows(name: str, typed: Typed) -> list[int]:
    """The numbers of the rows of this list that were sent, in order."""
    begins = f"{name}/"
    numbers = {one[len(begins) :].partition("/")[0] for one in typed if one.startswith(begins)}
    return sorted(int(one) for one in numbers if one.isascii() and one.isdigit() and len(one) <= 3)[:MOST_ROWS]


def _text(typed: Typed, name: str) -> str:
    """As browsers send texts, but with plain line ends."""
    return next(iter(typed.get(name, ())), "").replace("\r\n", "\n").strip()
