"""The step: fold, decide, append. The only code that makes facts; run twice, recorded once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from activities.folding import Folded, States, stream_of
from activities.hashed import hashed
from activities.pages import page_after
from activities.ports import Append, Fact, KnownCommand, RefusalLine, Store, Verdict, VerdictKind
from activities.vault import NoKeys, Vault
from domain.canonical import NotCanonical, canonical
from domain.decider import decide, read_strictly, represented
from domain.messages import COMMANDS, Actor, Command, Envelope, Event, Happened, to_data
from domain.personal import without_personal
from domain.project.aggregate import Project
from domain.refusals import Grounds, Refused, no_project, stale
from domain.story import evolve
from domain.template import Policy

MOST_ATTEMPTS = 20
NAMESPACE = uuid5(NAMESPACE_URL, "tandem:event")


class Contended(Exception):
    """Others kept being first; nothing was written, the same command may be sent again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command led to."""

    project_id: str
    code: str
    stage: str
    version: int
    position: int
    events: Sequence[Mapping[str, Any]]
    """type and version of each event, oldest first; [] where there was nothing to do."""
    repeated: bool = False
    """The same command was recorded before; this is the first answer again."""


class Step:
    """Decides commands on projects. One per process; safe for many callers at once."""

    def __init__(
        self,
        store: Store,
        templates: Mapping[str, Policy],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        cache: int = 2000,
        vault: Vault | None = None,
    ) -> None:
        self.store = store
        self.templates = templates
        self.states = States(store, cache)
        self._now = now
        self._vault = vault or Vault(NoKeys())
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    async def submit(self, envelope: Envelope, code: str = "") -> Outcome:
        """Decide and store. Raises Refused (noted in the refusal log), Contended, StoreUnavailable, StreamRewound."""
        try:
            command = read_strictly(envelope.type, envelope.data)
            async with self._turn(envelope.project_id):
                return await self._decide(envelope, command, code)
        except Refused as refusal:
            await self.note(envelope, refusal)
            raise

    @asynccontextmanager
    async def _turn(self, project_id: str) -> AsyncIterator[None]:
        """One command at a time per project in this process; others would only conflict."""
        lock, waiting = self._turns.get(project_id, (asyncio.Lock(), 0))
        self._turns[project_id] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns[project_id]
            if waiting == 1:
                del self._turns[project_id]
            else:
                self._turns[project_id] = (lock, waiting - 1)

    async def _decide(self, envelope: Envelope, command: Command, code: str) -> Outcome:
        try:
            mark = await self._vault.mark(command, envelope.actor, _marked(envelope, command))
        except Refused as refusal:
            return await self._answered_before(envelope, None, refusal)
        fresh = False
        folded = self.states.remembered(envelope.project_id)
        for _ in range(MOST_ATTEMPTS):
            if folded is None:
                folded, fresh = await self.states.current(envelope.project_id), True
            try:
                append, after = await self._prepare(envelope, command, folded, mark, code)
            except Refused as refusal:
                if fresh:
                    return await self._answered_before(envelope, mark, refusal)
                folded = None
                continue
            if append is None:
                if fresh:
                    return _nothing(folded)
                folded = None  # "nothing to do" may be true of an old state only
                continue
            verdict = await self.store.append(append)
            if verdict.kind is VerdictKind.OK:
                self.states.keep(replace(after, position=verdict.position or 0))
                return _outcome(append.answer, verdict)
            if verdict.kind is not VerdictKind.CONFLICT:
                return _judged(verdict)
            folded, fresh = None, False
        raise Contended(envelope.project_id)

    async def _prepare(
        self, envelope: Envelope, command: Command, folded: Folded, mark: bytes, code: str
    ) -> tuple[Append | None, Folded]:
        before = folded.project
        at = max([self._now(), *([before.changed_at] if before.changed_at else [])])
        envelope = represented(replace(envelope, at=at), command, before)
        events, after = decide(envelope, command, before, self.templates, code)
        _check_expected(envelope, before)
        if not events:
            return None, folded
        if sealed := await self._sealed(envelope, events):
            events, after = sealed, _evolved(before, sealed, at, envelope.actor.person)
        facts = _facts(envelope, events, folded, at)
        page, shown = page_after(folded.shown, after)
        append = Append(
            stream=stream_of(before.id),
            expected_version=before.version,
            command_id=envelope.command_id,
            fingerprint=mark,
            facts=facts,
            answer=_answer(after, facts),
            page=page,
        )
        return append, Folded(after, facts[-1].leaf_hash, shown=shown)

    async def _sealed(self, envelope: Envelope, events: Sequence[Event]) -> list[Event] | None:
        """The events with whatever speaks of people sealed; None where nothing does."""
        stream = stream_of(envelope.project_id)
        ids = (event_id(stream, envelope.command_id, ordinal) for ordinal in range(1, len(events) + 1))
        return await self._vault.seal(stream, envelope.actor.person, events, ids)

    async def _answered_before(self, envelope: Envelope, mark: bytes | None, refusal: Refused) -> Outcome:
        """The first answer where this command is known (else its own effect would refuse it), or the refusal.

        `mark` is None where it cannot be told any more: whoever the command speaks of was erased.
        """
        known = await self.store.known_command(stream_of(envelope.project_id), envelope.command_id)
        if known is None:
            raise refusal
        if mark is not None and known.fingerprint != mark:
            raise _reused()
        return _first_answer(known)

    async def refuse_unseen(self, envelope: Envelope) -> Refused:
        """The refusal of a command on a project that does not exist for whoever asks, or for anybody: both alike (V4).

        It is noted as that. The command is not looked at: its own faults would be told, and kept, besides.
        """
        refusal = no_project(envelope.project_id)
        await self.note(envelope, refusal)
        return refusal

    async def note(self, envelope: Envelope, refusal: Refused) -> None:
        """Keep the refusal for auditors; the lifecycle's own are of no interest."""
        if envelope.actor.system:
            return
        await self.store.refuse(
            RefusalLine(
                at=self._now(),
                stream=stream_of(envelope.project_id),
                command_id=envelope.command_id,
                type=envelope.type,
                actor=envelope.actor.as_metadata(),
                data=_recordable(without_personal(COMMANDS.get(envelope.type), envelope.data)),
                code=refusal.code,
                rule=refusal.rule,
                detail=refusal.detail,
                channel=envelope.actor.client,
            )
        )


def _recordable(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data as it was sent, where it can be written down at all."""
    try:
        written = canonical(data)
    except (NotCanonical, RecursionError):
        return {"unreadable": True}
    return data if len(written) <= 65_536 else {"too_large": len(written)}


def _marked(envelope: Envelope, command: Command) -> bytes:
    """What the fingerprint is of: the command, not its events; so it is the same after a rule has changed."""
    actor = envelope.actor
    return canonical([envelope.type, to_data(command), actor.principal, actor.on_behalf_of])


def _check_expected(envelope: Envelope, project: Project) -> None:
    if envelope.expected_version is not None and envelope.expected_version != project.version:
        raise stale(
            "StaleVersion",
            f"The project is at version {project.version}, not {envelope.expected_version}.",
            next_step="Read it again, then decide whether you still want this.",
        )


def _facts(envelope: Envelope, events: Sequence[Event], folded: Folded, at: datetime) -> list[Fact]:
    stream = stream_of(envelope.project_id)
    metadata = _metadata(envelope, stream)
    facts: list[Fact] = []
    for ordinal, event in enumerate(events, 1):
        fact = hashed(
            stream=stream,
            version=folded.version + ordinal,
            event_id=event_id(stream, envelope.command_id, ordinal),
            type=type(event).__name__,
            schema_version=event.schema_version,
            recorded_at=at,
            effective_at=event.effective(folded.project, at),
            metadata=metadata,
            data=to_data(event),
            prev_hash=facts[-1].leaf_hash if facts else folded.head_hash,
        )
        facts.append(fact)
    return facts


def _metadata(envelope: Envelope, stream: str) -> dict[str, Any]:
    """Who, by which command, in which chain: a command that answers nothing begins one, named by its first event."""
    chain = {
        "correlation_id": envelope.correlation_id or str(event_id(stream, envelope.command_id, 1)),
        "causation_id": envelope.causation_id,
        "request_id": envelope.request_id,
        "auth": _proof(envelope.actor),
    }
    return {
        "actor": envelope.actor.as_metadata(),
        "command": envelope.type,
        "command_id": envelope.command_id,
    } | {name: value for name, value in chain.items() if value is not None}


def _proof(actor: Actor) -> dict[str, str] | None:
    """When the person last proved to be there, where that is known: some decisions ask for it (A2)."""
    known = actor.confirmed_at
    return None if known is None else {"confirmed_at": known.astimezone(UTC).isoformat(timespec="seconds")}


def event_id(stream: str, command_id: str, ordinal: int) -> UUID:
    """The same after a retry, a reset, or on another machine."""
    return uuid5(NAMESPACE, f"{stream}/{command_id}/{ordinal}")


def _evolved(before: Project, events: Sequence[Event], at: datetime, person: str) -> Project:
    """The project as whoever reads the stored events will have it."""
    for event in events:
        before = evolve(before, event, Happened(at, person))
    return before


def _answer(project: Project, facts: Sequence[Fact]) -> dict[str, Any]:
    return {
        "project_id": project.id,
        "code": project.code,
        "stage": project.stage.value,
        "events": [{"type": f.type, "version": f.version} for f in facts],
    }


def _outcome(answer: Mapping[str, Any], verdict: Verdict, *, repeated: bool = False) -> Outcome:
    return Outcome(version=verdict.version, position=verdict.position or 0, repeated=repeated, **answer)


def _judged(verdict: Verdict) -> Outcome:
    if verdict.kind is VerdictKind.ID_REUSED:
        raise _reused()
    assert verdict.answer is not None
    return _outcome(verdict.answer, verdict, repeated=True)


def _first_answer(known: KnownCommand) -> Outcome:
    return Outcome(version=known.version, position=known.position, repeated=True, **known.answer)


def _nothing(folded: Folded) -> Outcome:
    p = folded.project
    return Outcome(p.id, p.code, p.stage.value, p.version, folded.position, [])


def _reused() -> Refused:
    return Refused(
        "IdReused",
        "This idempotency key was used for another command.",
        grounds=Grounds.RULE,
        rule="K4",
        next_step="Use a fresh key for a new command.",
    )
