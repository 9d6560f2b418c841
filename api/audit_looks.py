"""Shapes of the audit view's answers, for the contract alone."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from api.shapes import EventState, Shape


class Sentences(Shape):
    """One sentence, in both languages; null for an event that this program does not know."""

    en: str | None
    zh: str | None


class FieldChange(Shape):
    """A field of the project that an event changed, by JSON pointer; things in lists are named by their ids."""

    path: str
    before: Any
    after: Any


class AuditEvent(EventState):
    """An event with what allowed it, what it answers, and what it changed."""

    sentences: Sentences
    command: str | None
    command_id: str | None
    correlation_id: Annotated[str | None, Field(description="The chain: the same for all that one cause led to.")]
    causation_id: Annotated[str | None, Field(description="The event that it answers; null where it began a chain.")]
    request_id: str | None
    difference: Annotated[list[FieldChange] | None, Field(description="With `expand=difference`.")] = None


class Reach(Shape):
    """How far the search index reaches: everything below `upto` of `head`; the rest is looked through."""

    upto: int
    head: int


class AuditEventList(Shape):
    """A page of events; `next` and `previous` go into `cursor`. `previous` stays good for what is still to come."""

    items: list[AuditEvent]
    next: str | None
    previous: str | None
    index: Reach


class RefusalState(Shape):
    """A refused command. What was tried is null and `sealed` true while it is closed to the caller."""

    id: int
    at: datetime
    project: Annotated[str | None, Field(description="Null where others asked of one that is none to the caller.")]
    command: str
    command_id: str
    actor: dict[str, Any]
    code: str
    rule: str | None
    detail: str | None
    channel: str
    data: Any
    sealed: bool


class RefusalList(Shape):
    """A page of refusals; `next` and `previous` go into `cursor`."""

    items: list[RefusalState]
    next: str | None
    previous: str | None
    index: Reach


class AuditRead(Shape):
    """A look into the audit view. Without an end it broke off."""

    id: int
    at: datetime
    reader: str
    what: str
    format: str
    request_id: str
    filter: dict[str, Any]
    ended_at: datetime | None
    rows: int | None


class AuditReadList(Shape):
    """A page of looks; `next` and `previous` go into `cursor`."""

    items: list[AuditRead]
    next: str | None
    previous: str | None
