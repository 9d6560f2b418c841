"""Reading what a request says: its body, its key, its precondition, its patience."""

import re
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from api.problems import Problem, invalid

MOST_BYTES = 256 * 1024
MOST_PATIENCE = 30
DEEP = 200
"""Brackets from which on it is worth looking whether the body can be written down again."""
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEY = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_WAIT = re.compile(r"wait=([0-9]{1,6})")


class NotAnObject(Exception):
    """The body is no JSON object; the text says why."""

    def __init__(self, detail: str, code: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Precondition:
    """If-Match. `version` is None where any version will do."""

    version: int | None


def project_id(text: str) -> str:
    """The id as it is stored. Raises Problem (404) where it cannot be one."""
    lowered = text.lower()
    if not _ID.fullmatch(lowered):
        raise Problem("NoProject", "There is no project with this id.")
    return lowered


def no_query(request: Request) -> None:
    """Commands take no query parameters. Raises Problem."""
    for name in request.query_params:
        raise invalid(f"/query/{name[:50]}", "There is no such parameter.", "extra_forbidden")


def only_signed(request: Request) -> bool:
    """Whether `?sign=only` asks for a signed envelope instead of the command's effect. Raises Problem."""
    for name, value in request.query_params.multi_items():
        if name != "sign":
            raise invalid(f"/query/{name[:50]}", "There is no such parameter.", "extra_forbidden")
        if value != "only":
            raise invalid("/query/sign", "`only` is all that can be said here.")
    return "sign" in request.query_params


async def body(request: Request, kind: str = "application/json") -> bytes:
    """The whole body. Raises Problem where it is too large or another kind than this is announced."""
    _check_announced(request, kind)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise Problem("TooLarge")
        chunks.append(chunk)
    read = b"".join(chunks)
    if read and "content-type" not in request.headers:
        raise Problem("UnsupportedMediaType")
    return read


def _check_announced(request: Request, kind: str) -> None:
    announced = request.headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > MOST_BYTES:
        raise Problem("TooLarge")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("UnsupportedMediaType", "Send the body without a content encoding.")
    media_type, _, parameters = request.headers.get("content-type", kind).partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media_type.strip().lower() != kind or charset not in {"", "charset=utf-8"}:
        raise Problem("UnsupportedMediaType")


def decoded(raw: bytes) -> dict[str, Any]:
    """The JSON object; an empty body is `{}`, for commands without fields. Raises NotAnObject."""
    if not raw:
        return {}
    try:
        value = orjson.loads(raw)
        if raw.count(b"[") + raw.count(b"{") > DEEP:
            orjson.dumps(value)
    except TypeError:
        raise NotAnObject("The body is nested too deeply.", "too_deep") from None
    except orjson.JSONDecodeError as error:
        raise NotAnObject(f"The body is not JSON: {error.msg} at character {error.pos}.", "json_invalid") from None
    if not isinstance(value, dict):
        raise NotAnObject("A command is a JSON object.", "object_expected")
    return value


def idempotency_key(request: Request) -> str | None:
    """Idempotency-Key: 1 to 255 printable ASCII characters. Raises Problem."""
    key = single(request, "Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise invalid("/header/Idempotency-Key", "1 to 255 printable ASCII characters.")
    return key


def precondition(request: Request) -> Precondition:
    """If-Match: `"<version>"` or `*`. Raises Problem where it is neither."""
    tag = single(request, "If-Match")
    if tag is None or tag == "*":
        return Precondition(None)
    version = version_of(tag)
    if version is None:
        raise invalid("/header/If-Match", 'Name one version as it was given in ETag, e.g. "12".')
    return Precondition(version)


def version_of(tag: str) -> int | None:
    """The version in an entity tag; a bare number will do."""
    found = _TAG.fullmatch(tag)
    text = tag if found is None else found[2]
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) and not (found and found[1]) else None


def whole(text: str, most: int) -> int | None:
    """The whole number that these digits write; None where there are others, or it is above `most`."""
    number = int(text) if re.fullmatch(r"[0-9]{1,19}", text) else None
    return None if number is None or number > most else number


def none_match(request: Request, version: int) -> bool:
    """Whether If-None-Match names this version: the caller has it already."""
    tags = (tag.strip() for tag in request.headers.get("if-none-match", "").split(","))
    return any(tag == "*" or tag.removeprefix("W/") == f'"{version}"' for tag in tags)


def patience(request: Request) -> int | None:
    """`Prefer: wait=n` in whole seconds, at most 30; None where nothing of that kind is preferred."""
    for preference in request.headers.get("prefer", "").split(","):
        if found := _WAIT.fullmatch(preference.strip().lower()):
            return min(int(found[1]), MOST_PATIENCE)
    return None


def request_id(request: Request) -> str:
    """The id that the edge gave the request, or took from it."""
    return str(request.scope["state"]["request_id"])


def single(request: Request, name: str) -> str | None:
    """A header that may be given once. Raises Problem where it is given more often."""
    given = request.headers.getlist(name)
    if len(given) > 1:
        raise invalid(f"/header/{name}", "Given more than once.")
    return given[0].strip() if given else None
