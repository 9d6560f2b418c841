"""The shapes of the inbox's answers."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.shapes import Shape

LeftOver = Annotated[
    int | None,
    Field(description="Seconds of working time by the project's calendar; 0 once overdue, null without a due time."),
]


class DutyState(Shape):
    """Something that waits for the caller."""

    project: str
    code: str
    kind: str
    ref: str
    title: str
    since: datetime
    due_at: datetime | None
    overdue: bool
    working_time_left: LeftOver
    held: bool


class NudgeState(Shape):
    """Whether the caller may nudge those that a decision waits for, and why not."""

    allowed: bool
    why: str | None


class AwaitedState(Shape):
    """An open decision that the caller asked for."""

    project: str
    code: str
    decision: str
    kind: str
    title: str
    since: datetime
    due_at: datetime
    overdue: bool
    working_time_left: LeftOver
    held: bool
    people: Annotated[list[str], Field(description="Whose vote it waits for.")]
    nudges: int
    nudge: NudgeState


class MessageState(Shape):
    """Something that the caller was told."""

    id: int
    project: str
    text: str
    at: datetime
    read: bool


class InboxState(Shape):
    """Duties, overdue first, what the caller waits for, and messages, the newest first."""

    duties: list[DutyState]
    waiting_for: list[AwaitedState]
    messages: list[MessageState]
    unread: int
    next: str | None


class Marked(Shape):
    """A message that was read."""

    id: int
    read: bool
