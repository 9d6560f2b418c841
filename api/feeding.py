"""What consumers and webhooks have in common: bodies, filters, names, and events as programs get them."""

import re
from typing import Annotated, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, field_validator
from starlette.requests import Request
from starlette.responses import Response

from activities.endpoints import Filter
from activities.folding import PREFIX, stream_of
from api import asking
from api.asking import project_id
from api.parts import Parts
from api.problems import Problem, invalid
from api.projects import PRIVATE
from domain.messages import EVENTS, wrong_fields

MOST_POSITION = 2**53
MOST_NAMED = 50
"""Types, or projects, in one filter."""
MOST_OWNED = 50
"""Consumers, or webhooks, of one principal."""
Position = Annotated[int, Field(ge=-1, le=MOST_POSITION)]
Read = TypeVar("Read", bound=BaseModel)
EventName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]{0,79}$")]
ProjectId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")]
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Body(BaseModel):
    """Strict, and closed to what nobody knows."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Wanted(Body):
    """Which events are meant; what is left out, or null, leaves nothing out."""

    types: Annotated[
        list[EventName] | None, Field(min_length=1, max_length=MOST_NAMED, description="Only events of these types.")
    ] = None
    projects: Annotated[
        list[ProjectId] | None, Field(min_length=1, max_length=MOST_NAMED, description="Only of these projects.")
    ] = None

    @field_validator("types")
    @classmethod
    def known(cls, types: list[str] | None) -> list[str] | None:
        """A type that does not exist would never come."""
        for name in types or ():
            if name not in EVENTS:
                raise ValueError(f"there is no event {name}")
        return types

    @property
    def filter(self) -> Filter:
        """As the store understands it."""
        projects = None if self.projects is None else sorted({stream_of(project_id(p)) for p in self.projects})
        return Filter(None if self.types is None else sorted(set(self.types)), projects)


async def read(request: Request, shape: type[Read]) -> Read:
    """The body; an empty one is `{}`. Raises Problem."""
    asking.no_query(request)
    raw = await asking.body(request) or b"{}"
    try:
        return TypeAdapter(shape).validate_json(raw)
    except ValidationError as error:
        raise Problem("Invalid", errors=wrong_fields(error)) from None


def uuid_of(text: str, otherwise: str) -> UUID:
    """An id in a path. Raises Problem with the code `otherwise` where it cannot be one."""
    lowered = text.lower()
    if not _ID.fullmatch(lowered):
        raise Problem(otherwise)
    return UUID(lowered)


def projects_of(streams: list[str] | None) -> list[str] | None:
    """Streams as the projects that they are of."""
    return None if streams is None else [stream.removeprefix(PREFIX) for stream in streams]


async def checked_position(behind: Parts, position: int, pointer: str) -> int:
    """A position that exists, or -1. Raises Problem."""
    newest = await behind.store.head() - 1
    if position > newest:
        raise invalid(pointer, f"There is nothing yet at {position}; the newest position is {newest}.")
    return position


def said(value: object, status: int = 200, **headers: str) -> Response:
    """A JSON answer that belongs to the caller alone."""
    return Response(orjson.dumps(value), status, {**PRIVATE, **headers}, "application/json")
