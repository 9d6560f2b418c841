"""What a SCIM request says: its body, its filter, which page, which attribute; and how resources are answered.

RFC 7644, sections 3.4.2, 3.5.2 and 3.14, as far as identity providers use them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any

import orjson
from pydantic import StringConstraints, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api import asking
from api.plain import moment
from api.scim_errors import MEDIA_TYPE, ScimError, wrong
from domain.values import Line

BASE = "/scim/v2"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
MOST = 200
"""Resources on a page."""
MOST_OPERATIONS = 200
_FILTER = re.compile(r'\s*([A-Za-z][A-Za-z0-9.:]{0,99})\s+eq\s+("(?:[^"\\]|\\.){0,1000}")\s*', re.IGNORECASE)
_PATH = re.compile(
    r"(?:urn:[A-Za-z0-9:._-]{1,200}:)?([A-Za-z$][A-Za-z0-9_$-]{0,63})"
    r"(?:\[\s*([A-Za-z]{1,63})\s+eq\s+(\"(?:[^\"\\]|\\.){0,300}\"|true|false)\s*\])?(?:\.([A-Za-z$][A-Za-z0-9_$-]{0,63}))?",
    re.IGNORECASE,
)
_line = TypeAdapter(Line)
_external = TypeAdapter(
    Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f\u0080-\u009f]+$")]
)


@dataclass(frozen=True, slots=True)
class Condition:
    """`attribute eq "value"`; the attribute in lower case, without its schema."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: from the 1-based `start` on, at most `count`."""

    start: int
    count: int

    def of(self, names: Sequence[str]) -> Sequence[str]:
        """That part."""
        return names[self.start - 1 : self.start - 1 + self.count]


@dataclass(frozen=True, slots=True)
class Change:
    """One operation of a PATCH: `add`, `replace` or `remove`; names in lower case, an attribute alone where `value`
    has the whole of it."""

    op: str
    attribute: str
    value: Any
    sub: str | None = None
    chosen: str | None = None
    """The value by which members of a list were chosen, in `members[value eq "li.wei"]`."""


async def body(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises Problem, ScimError."""
    announced = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind = MEDIA_TYPE if announced == MEDIA_TYPE else "application/json"
    try:
        read = asking.decoded(await asking.body(request, kind))
    except asking.NotAnObject as unreadable:
        raise wrong(str(unreadable), "invalidSyntax") from None
    return read


def field(read: Mapping[str, Any], name: str) -> Any:
    """A field, whatever the case of its name; None where it is missing or null."""
    return next((value for key, value in read.items() if key.lower() == name.lower()), None)


def condition(request: Request) -> Condition | None:
    """The filter, where there is one. Raises ScimError for others than `attribute eq "value"`."""
    if (text := request.query_params.get("filter")) is None:
        return None
    found = _FILTER.fullmatch(text[:2000])
    if not found:
        raise wrong('A filter is like userName eq "li.wei"; no other form is supported.', "invalidFilter")
    return Condition(found[1].lower().rpartition(":")[2], _quoted(found[2], "invalidFilter"))


def _quoted(text: str, otherwise: Any) -> str:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise wrong("The value in quotes cannot be read.", otherwise) from None
    return str(value)


def page(request: Request) -> Page:
    """`startIndex` and `count`, brought into their bounds. Raises ScimError where one is no number."""
    return Page(max(1, _number(request, "startIndex", 1)), min(MOST, max(0, _number(request, "count", 100))))


def _number(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise wrong(f"{name} is a whole number.")
    return int(text)


def changes(read: Mapping[str, Any]) -> list[Change]:
    """The operations of a PATCH, one an attribute, in order. Raises ScimError."""
    operations = field(read, "Operations")
    if not isinstance(operations, list) or not operations:
        raise wrong("A PATCH has a list of Operations.", "invalidSyntax")
    if len(operations) > MOST_OPERATIONS:
        raise ScimError(413, f"A PATCH has at most {MOST_OPERATIONS} operations.")
    return [change for operation in operations for change in _of(operation)]


def _of(operation: Any) -> Iterable[Change]:
    if not isinstance(operation, dict):
        raise wrong("An operation is an object with op, path and value.", "invalidSyntax")
    op, path, value = (field(operation, name) for name in ("op", "path", "value"))
    if not isinstance(op, str) or op.lower() not in {"add", "replace", "remove"}:
        raise wrong("op is add, replace or remove.", "invalidSyntax")
    if path is not None:
        return [_at(op.lower(), path, value)]
    if op.lower() == "remove":
        raise wrong("What is to be removed? Give a path.", "noTarget")
    if not isinstance(value, dict):
        raise wrong("Without a path the value is an object with attributes.")
    return [_at(op.lower(), name, inner) for name, inner in value.items() if name.lower() != "schemas"]


def _at(op: str, path: Any, value: Any) -> Change:
    found = _PATH.fullmatch(path) if isinstance(path, str) else None
    if found is None:
        if isinstance(path, str) and path.lower().startswith("urn:") and len(path) <= 300:
            return Change(op, path.lower(), value)  # an extension as a whole: none is known here
        raise wrong("The path of an operation cannot be read.", "invalidPath")
    chosen = found[3]
    if chosen is not None:
        chosen = _quoted(chosen, "invalidPath") if chosen.startswith('"') else chosen.lower()
    return Change(op, found[1].lower(), value, found[4] and found[4].lower(), chosen)


def line(value: Any, name: str) -> str | None:
    """One line of text; None for null and blank. Raises ScimError."""
    return _text(value, name, _line.validate_python, "one line of at most 200 characters")


def external(value: Any) -> str | None:
    """The provider's own id; None for null and blank. Raises ScimError."""
    return _text(value, "externalId", _external.validate_python, "at most 255 printable characters")


def _text(value: Any, name: str, check: Callable[[Any], str], what: str) -> str | None:
    if value is None or value == "":
        return None
    try:
        return check(value)
    except ValidationError:
        raise wrong(f"{name} is {what}.") from None


def truth(value: Any, name: str) -> bool:
    """A boolean, or the word for it as Entra ID sends it. Raises ScimError."""
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise wrong(f"{name} is true or false.")
    return value


def listing(shown: Sequence[Mapping[str, Any]], total: int, start: int = 1) -> Response:
    """A list, or one page of it."""
    fields = {"totalResults": total, "startIndex": start, "itemsPerPage": len(shown)}
    return said({"schemas": [LIST], **fields, "Resources": list(shown)})


def resource(
    kind: str, name: str, created: datetime | None, changed: datetime | None, /, **fields: Any
) -> dict[str, Any]:
    """A resource with its meta; the version follows from what it says. What is None is left out."""
    found: dict[str, Any] = {key: value for key, value in fields.items() if value is not None}
    schema = USER if kind == "User" else GROUP
    shown = {"schemas": [schema], "id": name, **found}
    location = f"{BASE}/{kind}s/{name}"
    times = {"created": created, "lastModified": changed}
    meta = {"resourceType": kind, "location": location} | {n: moment(at) for n, at in times.items() if at is not None}
    return shown | {"meta": meta | {"version": f'W/"{sha256(orjson.dumps(shown)).hexdigest()[:16]}"'}}


def said(shown: Mapping[str, Any], status: int = 200) -> Response:
    """An answer in SCIM's media type; ETag and location where the resource has them."""
    meta = shown.get("meta", {})
    headers = {"Cache-Control": "private, no-store"}
    headers |= {"ETag": meta["version"]} if "version" in meta else {}
    headers |= {"Location": meta["location"]} if status == 201 else {}
    return Response(orjson.dumps(shown), status, headers, MEDIA_TYPE)


def check_version(request: Request, shown: Mapping[str, Any]) -> None:
    """If-Match. Raises ScimError where the resource is another than the one that was read."""
    wanted = request.headers.get("if-match")
    if wanted is None or wanted.strip() == "*":
        return
    known = shown["meta"]["version"].removeprefix("W/")
    if known not in {tag.strip().removeprefix("W/") for tag in wanted.split(",")}:
        raise ScimError(412, "It has changed since it was read: read it again.")


def trimmed(request: Request, shown: dict[str, Any]) -> dict[str, Any]:
    """The resource with the attributes that were asked for, or without those that were not."""
    always = {"schemas", "id", "meta"}
    if wanted := _names(request, "attributes"):
        return {name: value for name, value in shown.items() if name in always or name.lower() in wanted}
    unwanted = _names(request, "excludedAttributes")
    return {name: value for name, value in shown.items() if name in always or name.lower() not in unwanted}


def _names(request: Request, parameter: str) -> set[str]:
    """Attributes, in lower case, without their schema and what is inside them."""
    given = request.query_params.get(parameter, "")[:2000].split(",")
    return {name.rpartition(":")[2].partition(".")[0].strip().lower() for name in given if name.strip()}
