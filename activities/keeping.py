"""The step for streams beside the projects: fold a small record, decide, append. Run twice, recorded once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from activities.decide import Contended, event_id
from activities.folding import event_of, happened
from activities.hashed import hashed
from activities.ports import GENESIS, Append, Fact, KnownCommand, Recorded, RefusalLine, Store, VerdictKind
from activities.vault import Vault
from domain.canonical import fingerprint
from domain.directory.record import STREAM as DIRECTORY
from domain.directory.record import Directory
from domain.keeping import archive, person
from domain.keeping.person import PersonRecord
from domain.keeping.record import KeepingCommand, KeepingEvent, Record, turned
from domain.messages import Actor, to_data
from domain.refusals import Grounds, Refused, not_allowed

MOST_ATTEMPTS = 20
KINDS = {person.PREFIX: person.PersonRecord, archive.PREFIX: archive.ArchiveRecord, DIRECTORY: Directory}


@dataclass(frozen=True, slots=True)
class Kept:
    """What a command led to: the record after it, and the types of what happened."""

    record: Any
    events: Sequence[str]
    repeated: bool = False


class Keeping:
    """Decides commands on records. Safe for many callers at once, in many processes."""

    def __init__(self, store: Store, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._now = now
        self._directory: tuple[Any, bytes] = (empty(DIRECTORY), GENESIS)
        """As it was read last, and the hash of its last event: thousands of events need not be read each time."""

    async def record(self, stream: str) -> Any:
        """The record of this stream as the store has it now; version 0 where nothing happened yet."""
        return (await self._folded(stream))[0]

    async def submit(self, stream: str, command: KeepingCommand, actor: Actor, command_id: str) -> Kept:
        """Decide and store. Raises Refused (noted in the refusal log), Contended, StoreUnavailable."""
        mark = fingerprint([type(command).__name__, to_data(command), actor.principal, actor.on_behalf_of])
        try:
            for _ in range(MOST_ATTEMPTS):
                if known := await self._store.known_command(stream, command_id):
                    return await self._again(stream, known, mark)
                if kept := await self._once(stream, command, actor, command_id, mark):
                    return kept
        except Refused as refusal:
            await self._note(stream, command, actor, command_id, refusal)
            raise
        raise Contended(stream)

    async def _once(
        self, stream: str, command: KeepingCommand, actor: Actor, command_id: str, mark: bytes
    ) -> Kept | None:
        """None where somebody else was first."""
        record, head = await self._folded(stream)
        events = command.decide(record, actor.person)
        if not events:
            return Kept(record, [])
        at = max(self._now(), record.changed_at or self._now())
        facts = _facts(stream, record, head, events, actor, type(command).__name__, command_id, at)
        names = [fact.type for fact in facts]
        verdict = await self._store.append(
            Append(stream, record.version, command_id, mark, facts, {"stream": stream, "events": names})
        )
        if verdict.kind is VerdictKind.OK:
            return Kept(await self.record(stream), names)
        self._directory = (empty(DIRECTORY), GENESIS)
        return None

    async def _again(self, stream: str, known: KnownCommand, mark: bytes) -> Kept:
        if known.fingerprint != mark:
            raise Refused(
                "IdReused",
                "This idempotency key was used for another command.",
                grounds=Grounds.RULE,
                rule="K4",
                next_step="Use a fresh key for a new command.",
            )
        return Kept(await self.record(stream), known.answer["events"], repeated=True)

    async def _folded(self, stream: str) -> tuple[Any, bytes]:
        """The record, and the hash of its last event."""
        record, head = self._directory if stream == DIRECTORY else (empty(stream), GENESIS)
        facts = await self._store.read(stream, after=record.version)
        for fact in facts:
            record = turned(record, _event(fact), happened(fact))
        folded = record, facts[-1].leaf_hash if facts else head
        if stream == DIRECTORY:
            self._directory = folded
        return folded

    async def _note(
        self, stream: str, command: KeepingCommand, actor: Actor, command_id: str, refusal: Refused
    ) -> None:
        await self._store.refuse(
            RefusalLine(
                at=self._now(),
                stream=stream,
                command_id=command_id,
                type=type(command).__name__,
                actor=actor.as_metadata(),
                data=to_data(command),
                code=refusal.code,
                rule=refusal.rule,
                detail=refusal.detail,
                channel=actor.client,
            )
        )


def empty(stream: str) -> Record:
    """The record of a stream in which nothing happened. Raises KeyError for a stream of another kind."""
    prefix = next((p for p in KINDS if stream.startswith(p)), stream)
    record: Record = KINDS[prefix](stream.removeprefix(prefix) or stream)
    return record


def _event(fact: Recorded) -> KeepingEvent:
    event = event_of(fact)
    assert isinstance(event, KeepingEvent)
    return event


def _facts(
    stream: str,
    record: Record,
    head: bytes,
    events: Sequence[KeepingEvent],
    actor: Actor,
    command: str,
    command_id: str,
    at: datetime,
) -> list[Fact]:
    metadata = {
        "actor": actor.as_metadata(),
        "command": command,
        "command_id": command_id,
        # A command here answers nothing: it begins a chain, named by its first event.
        "correlation_id": str(event_id(stream, command_id, 1)),
    }
    facts: list[Fact] = []
    for ordinal, event in enumerate(events, 1):
        fact = hashed(
            stream=stream,
            version=record.version + ordinal,
            event_id=event_id(stream, command_id, ordinal),
            type=type(event).__name__,
            schema_version=event.schema_version,
            recorded_at=at,
            effective_at=at,
            metadata=metadata,
            data=to_data(event),
            prev_hash=facts[-1].leaf_hash if facts else head,
        )
        facts.append(fact)
    return facts


class Destroyer(Protocol):
    """What the vault can do with a person's key. Every method may run twice."""

    async def erase(self, person: str, at: datetime) -> bool: ...
    async def hold(self, person: str, at: datetime) -> None: ...
    async def release(self, person: str) -> None: ...


class Erasing:
    """Erases persons: first the event, which no restored copy of the vault can take back, then the key."""

    def __init__(
        self, keeping: Keeping, keys: Destroyer, vault: Vault, is_officer: Callable[[str], Awaitable[bool]]
    ) -> None:
        self._keeping = keeping
        self._keys = keys
        self._vault = vault
        self._is_officer = is_officer

    async def record(self, name: str) -> PersonRecord:
        """How it stands with this person's data. Raises Refused where `asked_by` may not know."""
        record: PersonRecord = await self._keeping.record(person.PREFIX + name)
        return record

    async def check(self, asker: str) -> None:
        """Raises Refused where this person has no say over others' data."""
        if not await self._is_officer(asker):
            raise not_allowed(
                "Only a PMO officer has a say over what is kept of people.",
                code="NotPrivileged",
                rule="K8",
                next_step="Ask somebody who is PMO of the organisation; while it has none, of a project.",
            )

    async def submit(self, name: str, command: KeepingCommand, actor: Actor, command_id: str) -> Kept:
        """Decide, store, and let the vault follow. Sent again after a fault it makes up for what was left undone.

        Raises Refused, Contended, StoreUnavailable.
        """
        await self.check(actor.person)
        kept = await self._keeping.submit(person.PREFIX + name, command, actor, command_id)
        record: PersonRecord = kept.record
        if record.held:
            await self._keys.hold(name, record.changed_at or datetime.now(UTC))
        else:
            await self._keys.release(name)
        if record.erased_at:
            await self._keys.erase(name, record.erased_at)
            self._vault.forget(name)
        return kept
