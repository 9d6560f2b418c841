"""Webhooks as the steps see them: endpoints, what they are owed, and what is asked of store and network."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from activities.ports import Recorded


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are meant; None leaves nothing out."""

    types: Sequence[str] | None = None
    streams: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint at the start of a round."""

    id: UUID
    epoch: int
    """The round's number: what a round writes after another has begun is refused."""
    owner: str
    url: str
    checkpoint: int
    wanted: Filter
    enabled: bool
    deleted: bool
    paused_until: datetime | None
    last_success_at: datetime | None


@dataclass(frozen=True, slots=True)
class Lane:
    """A stream that is behind its endpoint's checkpoint."""

    stream: str
    position: int
    """Where delivering goes on."""
    attempt: int
    """Tries that the event there has had."""
    since: datetime
    next_at: datetime


@dataclass(frozen=True, slots=True)
class Extra:
    """A delivery beside the order: a test, or something to be sent again."""

    id: int
    kind: str
    event_id: UUID
    stream: str
    attempt: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent: one event, once more or for the first time."""

    event_id: UUID
    type: str
    position: int | None
    body: bytes
    kind: str = "event"
    """`event`, `resend` or `test`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request. Without a status nothing was answered, and `problem` says why."""

    status: int | None
    seconds: float
    text: str = ""
    """The beginning of the body."""
    problem: str = ""
    retry_after: float | None = None
    """Seconds that the other side asks for."""
    reached: bool = True
    """Whether there was a connection: without one it is not this event's fault."""

    @property
    def good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Attempt:
    """A line of the delivery log."""

    parcel: Parcel
    answer: Answer
    at: datetime
    attempt: int
    state: str
    """`delivered`, `retrying` or `failed`."""
    next_at: datetime | None


class Overtaken(Exception):
    """Another round of the same endpoint has begun: this one must write nothing more."""


class Ledger(Protocol):
    """What the store keeps of endpoints. Whatever takes an Endpoint raises Overtaken where its round is over."""

    async def begin(self, webhook_id: UUID) -> Endpoint | None:
        """Begin a round, which ends any other; None where there is no such endpoint."""
        ...

    async def remove(self, webhook_id: UUID) -> None:
        """Remove an endpoint that was deleted, with all that is kept of it."""
        ...

    async def secrets(self, webhook_id: UUID) -> list[str]:
        """The live secrets, the newest first."""
        ...

    async def lanes(self, endpoint: Endpoint, limit: int) -> list[Lane]:
        """Streams that are behind, those due first."""
        ...

    async def laned(self, endpoint: Endpoint, streams: Sequence[str]) -> set[str]:
        """Which of these streams are behind."""
        ...

    async def put_lanes(self, endpoint: Endpoint, checkpoint: int, lanes: Sequence[Lane]) -> None:
        """Move the checkpoint and keep which streams stay behind it, both or neither."""
        ...

    async def move_lane(self, endpoint: Endpoint, lane: Lane) -> None:
        """Where the stream's delivering goes on, and when."""
        ...

    async def end_lane(self, endpoint: Endpoint, stream: str) -> None:
        """The stream has caught up with the checkpoint."""
        ...

    async def extras(self, endpoint: Endpoint, now: datetime, limit: int, *, only_tests: bool) -> list[Extra]:
        """What is due beside the order, each stream's in order up to the first that still waits."""
        ...

    async def move_extra(self, endpoint: Endpoint, extra: Extra, next_at: datetime) -> None:
        """To be tried again."""
        ...

    async def end_extra(self, endpoint: Endpoint, extra: Extra) -> None:
        """Delivered, or given up."""
        ...

    async def next_due(self, endpoint: Endpoint) -> datetime | None:
        """When the next lane or extra is due; None where nothing waits."""
        ...

    async def pause(self, endpoint: Endpoint, until: datetime) -> None:
        """Send this endpoint nothing until then, tests apart."""
        ...

    async def disable(self, endpoint: Endpoint, because: str) -> None:
        """Send this endpoint nothing until its owner enables it again."""
        ...

    async def log(self, endpoint: Endpoint, attempt: Attempt) -> None:
        """Keep what came of an attempt."""
        ...

    async def noted(self, endpoint: Endpoint, event_id: UUID) -> bool:
        """Whether the event is known to have got through in its turn."""
        ...

    async def wanted(self, wanted: Filter, after: int, limit: int) -> tuple[list[Recorded], int]:
        """Facts with position > after, in order, and the position up to which nothing else is wanted."""
        ...

    async def of_stream(self, wanted: Filter, stream: str, start: int, upto: int, limit: int) -> list[Recorded]:
        """Facts of one stream from `start` up to `upto`, both included, in order."""
        ...

    async def event(self, event_id: UUID) -> Recorded | None:
        """The event, if it exists."""
        ...


class Sender(Protocol):
    """Sends signed requests."""

    async def send(self, url: str, parcel: Parcel, secrets: Sequence[str]) -> Answer:
        """Never raises for what the other side does, or for an address that must not be asked."""
        ...
