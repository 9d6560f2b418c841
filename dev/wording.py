"""Commands as the command line knows them: all from the registry, nothing listed twice."""

import inspect
import json
from collections.abc import Iterator, Sequence
from typing import Any

import domain.project.catalog  # noqa: F401  fills the registry
from domain.messages import COMMANDS, Command


class Unreadable(Exception):
    """The words on the command line do not make a command; the message says what is wrong."""


def find(route: str) -> type[Command]:
    """The command of this kebab-case name. Raises Unreadable, with the nearest names."""
    import difflib

    routes = {command.route(): command for command in COMMANDS.values()}
    if route not in routes:
        near = ", ".join(difflib.get_close_matches(route, routes)) or "tandem do --list shows all"
        raise Unreadable(f"There is no command {route!r}. Did you mean: {near}?")
    return routes[route]


def listing() -> Iterator[tuple[str, str]]:
    """Each command's name and the first line of what it does."""
    for command in sorted(COMMANDS.values(), key=lambda one: one.route()):
        yield command.route(), _first_line(command)


def description(command: type[Command]) -> dict[str, Any]:
    """What it does, who may ask and when, its fields and an example."""
    schema = command.model_json_schema()
    return {
        "command": command.route(),
        "does": _first_line(command),
        "roles": sorted(command.roles),
        "stages": [str(stage) for stage in command.stages],
        "required": schema.get("required", []),
        "fields": schema.get("properties", {}),
        "types": schema.get("$defs", {}),
        "example": command.example,
    }


def body(command: type[Command], fields: Sequence[str], whole: str | None) -> dict[str, Any]:
    """The command's JSON from `key=value` words, laid over a whole JSON object. Raises Unreadable."""
    data = _whole(whole)
    for word in fields:
        name, sign, value = word.partition("=")
        if not sign:
            raise Unreadable(f"--field takes key=value, not {word!r}.")
        data[name] = _value(command, name, value)
    return data


def _whole(text: str | None) -> dict[str, Any]:
    try:
        data = json.loads(text) if text else {}
    except ValueError as error:
        raise Unreadable(f"--json is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise Unreadable('--json takes an object, like \'{"reason": "…"}\'.')
    return data


def _value(command: type[Command], name: str, text: str) -> Any:
    """Text stays text where the field is text; a number, a list or an object is read as JSON."""
    schema = command.model_json_schema()
    properties = schema.get("properties", {})
    if name not in properties:
        known = ", ".join(properties) or "none"
        raise Unreadable(f"{command.route()} has no field {name!r}. Its fields: {known}.")
    if "string" in _types(properties[name], schema.get("$defs", {})):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise Unreadable(f"{name} is not text: give it as JSON, like {name}=3 or {name}='[\"a\"]'.") from None


def _types(field: Any, named: dict[str, Any]) -> set[str]:
    if "$ref" in field:
        return _types(named[field["$ref"].rpartition("/")[2]], named)
    inner = [kind for one in field.get("anyOf", []) for kind in _types(one, named)]
    return {field["type"], *inner} if "type" in field else set(inner)


def _first_line(command: type[Command]) -> str:
    return (inspect.getdoc(command) or "").split("\n")[0]
