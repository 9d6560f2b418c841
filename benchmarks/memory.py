"""A store that only remembers, to make real facts quickly: what the step appends is kept as it is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from activities.decide import Step
from activities.ports import (
    Append,
    Chain,
    Fact,
    KnownCommand,
    Recorded,
    RefusalLine,
    Reservation,
    Verdict,
    VerdictKind,
)
from activities.vault import Vault
from benchmarks.stories import go_on, to_completion
from config import Settings, load_templates
from domain.messages import Actor, Envelope
from domain.project.aggregate import Project

NOON = datetime(2026, 4, 1, 4, tzinfo=UTC)
"""When everything happens: a working day at noon where the project is."""

_LIVES: dict[int, "MemoryPlayer"] = {}


class Memory:
    """Satisfies activities.ports.Store for one writer; never refuses."""

    def __init__(self) -> None:
        self.appends: list[Append] = []
        self.facts: dict[str, list[Recorded]] = {}

    async def read(self, stream: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        found = self.facts.get(stream, [])[after:]
        return found if limit is None else found[:limit]

    async def append(self, append: Append) -> Verdict:
        self.appends.append(append)
        kept = self.facts.setdefault(append.stream, [])
        kept.extend(_recorded(fact, fact.version - 1) for fact in append.facts)
        return Verdict(VerdictKind.OK, len(kept), len(kept) - 1)

    async def known_command(self, stream: str, command_id: str) -> KnownCommand | None:
        return None

    async def refuse(self, line: RefusalLine) -> None:
        raise AssertionError(f"{line.type} was refused: {line.detail}")

    async def reserve(self, principal: str, key: str, fresh_id: str) -> Reservation:
        return Reservation(fresh_id, 1)

    async def mark_seen(self, stream: str, version: int) -> None:
        return None

    async def seen(self, stream: str) -> int:
        return 0

    async def newest_of(self, stream: str, types: Sequence[str], field: str, value: str) -> Chain | None:
        return None


def _recorded(fact: Fact, position: int) -> Recorded:
    return Recorded(**{f.name: getattr(fact, f.name) for f in fields(Fact)}, position=position)


class OneKey:
    """Satisfies activities.vault.Keys: everybody's texts are sealed with the same."""

    async def keys(self, persons: Collection[str], *, make: bool) -> Mapping[str, bytes | None]:
        return dict.fromkeys(persons, bytes(32))


class MemoryPlayer:
    """Plays one project against a Memory through the real step."""

    def __init__(self) -> None:
        self.memory = Memory()
        templates = load_templates(Settings(mode="development").templates)
        self.step = Step(self.memory, templates, now=lambda: NOON, vault=Vault(OneKey()))
        self.project_id = str(uuid4())
        self.stream = f"project-{self.project_id}"

    @property
    def state(self) -> Project:
        folded = self.step.states.remembered(self.project_id)
        assert folded is not None
        return folded.project

    @property
    def facts(self) -> Sequence[Recorded]:
        """Everything that happened, oldest first."""
        return self.memory.facts[self.stream]

    async def do(self, person: str, command: str, **data: Any) -> None:
        envelope = Envelope(str(uuid4()), self.project_id, command, Actor(person), NOON, data)
        await self.step.submit(envelope, code=f"P-{self.project_id[:8]}")

    async def open_subject(self) -> dict[str, Any]:
        decision = self.state.open_decisions()[-1]
        subject = decision.subject
        return {"decision": decision.id, "revision": subject.revision, "content_hash": subject.content_hash}


async def long_life(events: int) -> MemoryPlayer:
    """A project in execution with at least so many events; made once, and not to be played on."""
    if events not in _LIVES:
        _LIVES[events] = await _lived(events)
    return _LIVES[events]


async def _lived(events: int) -> MemoryPlayer:
    player = MemoryPlayer()
    await to_completion(player)
    number = 0
    while player.state.version < events:
        await go_on(player, number)
        number += 1
    return player
