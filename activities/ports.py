"""What the steps need from the world, said beside their users; adapters satisfy these shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

GENESIS = bytes(32)
"""The `prev_hash` of the first event of every stream."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One event ready to be stored. Everything here but `leaf_hash` is covered by `leaf_hash`."""

    stream: str
    version: int
    """Dense from 1 within the stream."""
    event_id: UUID
    """UUIDv5 of stream, command id and ordinal: the same after a retry."""
    type: str
    schema_version: int
    recorded_at: datetime
    """Server clock, UTC, microseconds."""
    effective_at: datetime
    """Business time, UTC; may be earlier than `recorded_at`."""
    metadata: Mapping[str, Any]
    """actor, command_id, correlation_id … : canonical JSON values only."""
    data: Mapping[str, Any]
    prev_hash: bytes
    leaf_hash: bytes
    """SHA-256(0x00 ‖ canonical envelope), see store/canonical.py."""


@dataclass(frozen=True, slots=True)
class Recorded(Fact):
    """A stored event. Stored bytes are never rewritten."""

    position: int = -1
    """Dense from 0 over all streams, in commit order: the leaf index of the Merkle log."""


@dataclass(frozen=True, slots=True)
class Duty:
    """One line of a person's inbox: something that waits for them."""

    person: str
    kind: str
    ref: str
    title: str
    since: datetime
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """The rows that projections keep of one project, as of one version."""

    project_id: str
    code: str
    title: str
    stage: str
    held: bool
    ended: bool
    next_due: datetime | None
    people: Mapping[str, Sequence[str]]
    """role -> persons who hold it now."""
    duties: Sequence[Duty] | None
    """None: unchanged since the version before, leave the rows as they are."""
    over: Sequence[tuple[str, str, str]] | None = None
    """None: `duties` are all that there are. Else they are the new ones, and this is (person, kind, ref) of the old."""
    locks: Sequence[str] | None = None
    """Who sees the project by which of their keys, see domain/sight.py; None: everybody."""
    brief: bool = False
    """Whether all of its heading is as it was one append before: then it need not be written again."""

    @property
    def heading(self) -> tuple[object, ...]:
        """What most appends leave as it is."""
        return tuple([getattr(self, name) for name in _HEADING])


_HEADING = [f.name for f in fields(Page) if f.name not in {"next_due", "duties", "over", "brief"}]


@dataclass(frozen=True, slots=True)
class Append:
    """One command's facts, to be stored whole or not at all, with the pages that show them."""

    stream: str
    expected_version: int
    command_id: str
    fingerprint: bytes
    """SHA-256 of the command (type, canonical data, actor): not of the events."""
    facts: Sequence[Fact]
    answer: Mapping[str, Any]
    """The outcome, given again when the same command comes again."""
    page: Page | None = None


class VerdictKind(StrEnum):
    """How an append ended."""

    OK = "ok"
    CONFLICT = "conflict"
    """Somebody was first: `version` is the actual one. Nothing was written."""
    DUPLICATE = "duplicate"
    """This command was recorded before: `answer`, `version` and `position` are the first ones."""
    ID_REUSED = "id_reused"
    """The command id is known with another fingerprint. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The store's answer to one append."""

    kind: VerdictKind
    version: int
    """Head of the stream after OK; actual head on CONFLICT; last version of the first answer on DUPLICATE."""
    position: int | None
    """Position of the last event of this command (OK and DUPLICATE)."""
    answer: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class KnownCommand:
    """What is kept of a command that was recorded."""

    fingerprint: bytes
    version: int
    position: int
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RefusalLine:
    """One refused command, kept for auditors: who tried what, and which rule said no."""

    at: datetime
    stream: str
    command_id: str
    type: str
    actor: Mapping[str, Any]
    data: Mapping[str, Any]
    code: str
    rule: str | None
    detail: str
    channel: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """The identity given to a project before it exists, the same for the same principal and key."""

    project_id: str
    number: int
    fresh: bool = field(compare=False, default=True)


@dataclass(frozen=True, slots=True)
class Chain:
    """An event that another one answers, and the chain that both belong to."""

    event_id: str
    correlation_id: str


class StoreUnavailable(Exception):
    """The database cannot be reached or is shutting down; nothing is known to have been written."""


class StreamRewound(Exception):
    """The stream is shorter than what was seen before: the database was restored from an older copy."""


class Store(Protocol):
    """The only truth. Every method raises StoreUnavailable when the database is away."""

    async def read(self, stream: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """Facts of one stream with version > after, oldest first; [] where it does not exist."""
        ...

    async def append(self, append: Append) -> Verdict:
        """Store in one transaction with pages, command table and wake mark. Never raises for a conflict."""
        ...

    async def known_command(self, stream: str, command_id: str) -> KnownCommand | None:
        """The first answer to a command, if it was ever recorded."""
        ...

    async def newest_of(self, stream: str, types: Sequence[str], field: str, value: str) -> Chain | None:
        """The newest event of these types whose data, where it has this field, says this value there."""
        ...

    async def refuse(self, line: RefusalLine) -> None:
        """Append to the refusal log."""
        ...

    async def reserve(self, principal: str, key: str, fresh_id: str) -> Reservation:
        """The project id and number for this principal and idempotency key; the first call decides."""
        ...

    async def mark_seen(self, stream: str, version: int) -> None:
        """The lifecycle has acted on everything up to `version`. Never goes backwards."""
        ...

    async def seen(self, stream: str) -> int:
        """Up to which version the lifecycle has acted; 0 where unknown."""
        ...
