"""One route and its OpenAPI text. Each area of the API lists its own; `contract.py` joins them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

READING = (401, 404, 422, 503)
WRITING = (401, 403, 404, 409, 412, 413, 415, 422, 503)
JSON = "application/json"
NOT_MODIFIED: dict[int | str, Any] = {304: {"description": "It is what the caller has already."}}


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    name: str
    """operationId: stable."""
    tag: str
    answers: Any
    shape: Any
    """A model, or a union of models; None: no JSON."""
    status: int = 200
    problems: tuple[int, ...] = READING
    summary: str = ""
    about: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)
    """Other media types of the good answer."""
    body: type[BaseModel] | None = None
    """The JSON body, where the route reads it itself."""
    others: Mapping[int | str, Any] = field(default_factory=dict)
    """Other good statuses."""
    listed: bool = True
    """Whether it is part of the contract."""


def header(name: str, about: str, example: str) -> dict[str, Any]:
    """A header that may be sent."""
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": about,
        "schema": {"type": "string"},
        "example": example,
    }


def path_parameter(name: str, about: str) -> dict[str, Any]:
    """A part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": about}


KEY = header("Idempotency-Key", "The same key again: the same answer again.", "4f8c6d1e-charter")
