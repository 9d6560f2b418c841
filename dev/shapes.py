"""JSON schemas in words: what a field may hold, for the reference pages."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter

Schema = Mapping[str, Any]
PATTERNS = {
    r"^[a-z][a-z0-9._-]{0,63}$": "person, e.g. `li.wei`",
    r"^[A-Za-z][A-Za-z0-9_-]{0,39}$": "short name, e.g. `M1`",
    r"^[0-9a-f]{64}$": "SHA-256 in hex",
    r"^[A-Z]{3}$": "currency, e.g. `CNY`",
    r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$": 'decimal in a string, e.g. `"1250.50"`',
}
FORMATS = {
    "date": "day, `2026-03-02`",
    "date-time": "instant with offset, `2026-03-02T01:00:00Z`",
    "time": "wall clock, `09:00:00`",
    "password": "secret",
    "path": "folder",
}


def link(name: str) -> str:
    """A link to the shape's own heading on the same page."""
    return f"[{name}](#{name.lower()})"


def words(schema: Schema) -> str:
    """What a value of this schema looks like, with its bounds."""
    if "$ref" in schema:
        return link(schema["$ref"].rsplit("/", 1)[-1])
    if schema.get("pattern") in PATTERNS:
        return PATTERNS[schema["pattern"]]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(words(s) for s in schema["anyOf"] if s.get("type") != "null"))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    return _plain(schema)


def _plain(schema: Schema) -> str:
    match schema.get("type"):
        case "array":
            return f"list of {words(schema.get('items', {}))}{_bounds(schema, 'minItems', 'maxItems')}"
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return f"object of {words(schema['additionalProperties'])}"
        case "number":
            over = schema.get("exclusiveMinimum")
            return "number" if over is None else f"number over {over:g}"
        case "integer":
            return f"whole number{_bounds(schema, 'minimum', 'maximum')}"
        case "string" if "format" in schema:
            return FORMATS.get(schema["format"], str(schema["format"]))
        case "string":
            pattern = f", pattern `{schema['pattern']}`" if "pattern" in schema else ""
            return f"text{_bounds(schema, 'minLength', 'maxLength')}{pattern}"
        case "boolean":
            return "`true` or `false`"
        case _:
            return "any JSON value"


def _bounds(schema: Schema, least: str, most: str) -> str:
    low, high = schema.get(least), schema.get(most)
    if low is None and high is None:
        return ""
    if high is None:
        return f" ({low:,} or more)"
    return f" ({low or 0:,} to {high:,})"


@cache
def meanings(kind: type[BaseModel]) -> Mapping[str, str]:
    """The sentence written under each field of the class and of its bases."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= dict(_field_notes(base))
    return found


def _field_notes(kind: type) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    for statement, note in zip(definition.body, definition.body[1:], strict=False):
        match statement, note:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)


def table(heads: list[str], rows: Iterator[list[str]] | list[list[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped, a line break becomes a blank."""

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(heads), line(["---"] * len(heads)), *(line(row) for row in rows)])


def fields_table(schema: Schema, notes: Mapping[str, str]) -> str:
    """Every field with what it holds, whether it must be given, and what it means."""
    required = set(schema.get("required", ()))
    rows = [
        [f"`{name}`", words(field), "required" if name in required else _default(field), notes.get(name, "")]
        for name, field in schema.get("properties", {}).items()
    ]
    return table(["field", "holds", "default", "meaning"], rows) if rows else "No fields."


def _default(field: Schema) -> str:
    value = field.get("default")
    return "–" if value in (None, [], {}) else f"`{json.dumps(value, ensure_ascii=False)}`"


def models(kind: type[BaseModel] = BaseModel) -> dict[str, type[BaseModel]]:
    """Every model of the rules, by its name."""
    found: dict[str, type[BaseModel]] = {}
    for below in kind.__subclasses__():
        found |= models(below)
        if below.__module__.startswith("domain."):
            found[below.__name__] = below
    return found


class Shapes:
    """The fields of several classes, and the shapes inside them, each described once."""

    def __init__(self) -> None:
        self._inner: dict[str, Schema] = {}

    def describe(self, kind: type[BaseModel]) -> str:
        """The fields of the class; shapes inside it are kept for `sections`."""
        schema = TypeAdapter(kind).json_schema()
        self._inner |= schema.get("$defs", {})
        return fields_table(schema, meanings(kind))

    def sections(self) -> Iterator[str]:
        """A heading and its content for every shape inside the described classes, by name."""
        known = models()
        for name, schema in sorted(self._inner.items()):
            notes = meanings(known[name]) if name in known else {}
            body = words(schema) if "enum" in schema else fields_table(schema, notes)
            yield f"### {name}\n\n{schema.get('description', '').strip()}\n\n{body}\n"
