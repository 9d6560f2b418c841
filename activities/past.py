"""A project as it was: folded from the nearest kept state before, since what has happened changes no more.

Two axes: what was recorded by a version, and what was true at an instant as far as a version knows. What each answers,
to the letter: docs/explanation/time-travel.md.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from activities.folding import Folded, advance, event_of, happened, stream_of
from activities.ports import Recorded, StreamRewound
from domain.project.aggregate import Project
from domain.story import evolve

EVERY = 25
"""A state is kept after each so many events of a stream."""
CHUNK = 500
"""So many facts are folded before somebody else gets a turn."""


class Archive(Protocol):
    """What looking back needs of the store. Every method raises StoreUnavailable when the database is away."""

    async def read(self, stream: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """Facts of one stream with version > after, oldest first; [] where it does not exist."""
        ...

    async def version_at(self, stream: str, at: datetime, head: int) -> int:
        """The last version, of those up to `head`, that was recorded by `at`; 0 where there is none."""
        ...

    async def told_later(self, stream: str, then: int, known: int, at: datetime) -> list[Recorded]:
        """Facts with then < version <= known that were true by `at`, oldest first."""
        ...

    async def corrections(self, stream: str, known: int) -> list[Recorded]:
        """Facts up to the version `known` that correct another one, oldest first."""
        ...

    async def measurements(self, stream: str, names: Sequence[str]) -> list[Recorded]:
        """The facts that recorded these measurements, oldest first."""
        ...


class Past:
    """Earlier states of projects. At most `size` are kept, those longest not asked for go first.

    A kept state is a cache and has its stream's hash with it: where the next fact does not follow on that hash the
    database is another one, and everything kept of the stream is folded anew.
    """

    def __init__(self, archive: Archive, size: int = 5000) -> None:
        self._archive = archive
        self._size = size
        self._kept: OrderedDict[tuple[str, int], Folded] = OrderedDict()
        self.turn = asyncio.Lock()
        """For whoever folds very many projects: one at a time, so that others are not kept waiting."""

    @property
    def kept(self) -> int:
        """How many states are in memory."""
        return len(self._kept)

    async def version_at(self, project_id: str, at: datetime, head: int) -> int:
        """The last version up to `head` that was recorded by `at`; 0 where the project did not exist then."""
        return await self._archive.version_at(stream_of(project_id), at, head)

    async def as_of(self, project_id: str, version: int) -> Folded:
        """The project as it was at this version, which must exist. Raises StreamRewound where it does no more."""
        folded = self._nearest(project_id, version)
        while folded.version < version:
            facts = await self._read(project_id, folded.version, version)
            if facts[0].prev_hash == folded.head_hash:
                folded = self._folded(folded, facts)
            else:
                folded = self._begin_again(project_id)
        return folded

    async def true_at(self, project_id: str, known: int, at: datetime) -> Project:
        """The project as it was at an instant, as far as the version `known` knows; it may not have existed.

        What was recorded by then and what was recorded since about then; nothing that was corrected to later.
        """
        stream = stream_of(project_id)
        then = await self._archive.version_at(stream, at, known)
        before = (await self.as_of(project_id, then)).project
        if not before.exists:
            return before
        void = await self._void(stream, known, at)
        facts = [fact for fact in await self._archive.told_later(stream, then, known, at) if fact.version not in void]
        gone = [version for version in void if version <= then]
        project = await self._without(project_id, void, min(gone), then) if gone else before
        changed = max([before.changed_at or at, *(fact.effective_at for fact in facts)])
        # Deadlines ran as they ran: what was learned later has moved none of them.
        return _evolved(project, facts).but(version=known, changed_at=changed, clocks=before.clocks)

    async def _void(self, stream: str, known: int, at: datetime) -> set[int]:
        """Versions of the facts whose correction, or its own correction in turn, became true only after `at`."""
        names: set[str] = set()
        for fact in reversed(await self._archive.corrections(stream, known)):
            if fact.effective_at > at or fact.data["measurement"] in names:
                names.add(fact.data["corrects"])
        found = await self._archive.measurements(stream, sorted(names)) if names else []
        return {fact.version for fact in found}

    async def _without(self, project_id: str, void: set[int], first: int, upto: int) -> Project:
        """The project after its facts up to `upto`, the void ones left out; `first` is the first of them."""
        project, version = (await self.as_of(project_id, first - 1)).project, first - 1
        while version < upto:
            facts = await self._read(project_id, version, upto)
            project = _evolved(project, [fact for fact in facts if fact.version not in void])
            version = facts[-1].version
        return project

    async def _read(self, project_id: str, after: int, upto: int) -> list[Recorded]:
        """The next facts up to a version that exists. Raises StreamRewound where it does no more."""
        limit = min(CHUNK, upto - after)
        facts = await self._archive.read(stream_of(project_id), after=after, limit=limit)
        if not facts:
            raise StreamRewound(f"{stream_of(project_id)} ends before version {upto}")
        return facts

    def _nearest(self, project_id: str, version: int) -> Folded:
        """The latest kept state before the version: the fact after it shows whether it is still the same stream."""
        for kept in range((version - 1) // EVERY * EVERY, 0, -EVERY):
            if folded := self._kept.get((project_id, kept)):
                self._kept.move_to_end((project_id, kept))
                return folded
        return Folded(Project(project_id))

    def _folded(self, folded: Folded, facts: Sequence[Recorded]) -> Folded:
        """The state after the facts, those in between kept."""
        rest = list(facts)
        while rest:
            step = EVERY - folded.version % EVERY
            folded, rest = advance(folded, rest[:step]), rest[step:]
            if folded.version % EVERY == 0:
                self._keep(folded)
        return folded

    def _keep(self, folded: Folded) -> None:
        key = folded.project.id, folded.version
        self._kept[key] = folded
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def _begin_again(self, project_id: str) -> Folded:
        for key in [key for key in self._kept if key[0] == project_id]:
            del self._kept[key]
        return Folded(Project(project_id))


def _evolved(project: Project, facts: Sequence[Recorded]) -> Project:
    """The project after facts between which some are left out: its version only counts them."""
    for fact in facts:
        project = evolve(project, event_of(fact), happened(fact))
    return project
