"""The watch: it walks the whole log again and again, and raises the alarm where it is not the one that was sealed."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from activities.ending import Leads, keep_leading
from activities.seal import Sealed
from domain.checkpoint import BadNote, Checkpoint, Forged, Key, Note
from verifier.tandem_verify import Finding, Walk

log = logging.getLogger("tandem.watch")
CHUNK = 250
"""Events looked at in one go: a few milliseconds of this process."""
RATE = 2000.0
"""Events a second: a million in eight minutes, for a few per cent of a core."""
REST = 60.0
"""Seconds between two walks."""
PAGE = 200


class Events(Protocol):
    """The log as it is stored."""

    async def stretch(self, after: int, limit: int) -> Sequence[tuple[int, bytes, bytes]]:
        """(position, canonical envelope made of the row, stored leaf hash) with position > after, in order."""
        ...


class Seals(Protocol):
    """The checkpoints as they are stored."""

    async def latest(self) -> Sealed | None: ...

    async def checkpoints(self, after: int, limit: int) -> list[Sealed]: ...


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is wrong with the log, and where."""

    kind: str
    position: int
    says: str


class Mismatch(Exception):
    """The log is not the one that was sealed."""

    def __init__(self, kind: str, position: int, says: str) -> None:
        super().__init__(says)
        self.alarm = Alarm(kind, position, says)


class Watch:
    """One leader among all processes. What was sealed once is remembered here, out of the database's owner's reach."""

    def __init__(self, events: Events, seals: Seals, leading: Leads, rate: float = RATE, rest: float = REST) -> None:
        self._events, self._seals, self._leading = events, seals, leading
        self._rate, self._rest = rate, rest
        self._seen: Sealed | None = None
        self.alarm: Alarm | None = None
        self.position = 0
        """Up to where the walk that is under way has come."""
        self.walks = 0
        """How many have come to their end."""

    async def run(self) -> None:
        """Until cancelled. Survives every outage of the store."""
        await keep_leading(self._leading, "watch", self.once, self._rest)

    async def once(self) -> Alarm | None:
        """One walk up to the last checkpoint. An alarm stays until a walk finds nothing."""
        try:
            await self._walked()
            self.alarm = None
        except Mismatch as wrong:
            if self.alarm != wrong.alarm:
                log.critical("THE LOG IS NOT WHAT WAS SEALED: %s at position %d: %s", *_told(wrong.alarm))
            self.alarm = wrong.alarm
        self.walks += 1
        return self.alarm

    async def _walked(self) -> None:
        last, walk = await self._seals.latest(), Walk()
        self._check_not_shorter(last)
        if last is None:
            return
        async for sealed in self._checkpoints(last):
            while walk.tree.size < sealed.size:
                await self._go_on(walk, sealed.size)
            if walk.tree.root() != sealed.root:
                says = f"these are not the {sealed.size} events that were sealed"
                raise Mismatch("forked", self.position, says)
            self._check_remembered(sealed)
            self.position = sealed.size
        self._seen = last

    async def _go_on(self, walk: Walk, stop: int) -> None:
        start = walk.tree.size
        rows = await self._events.stretch(start - 1, min(CHUNK, stop - start))
        if not rows:
            raise Mismatch("truncated", start, f"{stop - start} events are missing")
        for position, line, leaf in rows:
            if position != walk.tree.size:
                raise Mismatch("dropped", walk.tree.size, f"the next event is at position {position}")
            _check(walk.add(line), walk, leaf, position)
        await asyncio.sleep(len(rows) / self._rate)

    async def _checkpoints(self, last: Sealed) -> AsyncIterator[Sealed]:
        after = 0
        while page := await self._seals.checkpoints(after, PAGE):
            for sealed in page:
                if sealed.size <= last.size:
                    _check_note(sealed)
                    yield sealed
            after = page[-1].size

    def _check_not_shorter(self, last: Sealed | None) -> None:
        if self._seen is not None and (last is None or last.size < self._seen.size):
            size = 0 if last is None else last.size
            raise Mismatch("truncated", size, f"{self._seen.size} events were sealed before, now {size}")

    def _check_remembered(self, sealed: Sealed) -> None:
        if self._seen is not None and sealed.size == self._seen.size and sealed.root != self._seen.root:
            raise Mismatch("forked", self.position, f"{sealed.size} events were sealed with another root before")


def _check(found: Finding | None, walk: Walk, leaf: bytes, position: int) -> None:
    if found is not None:
        raise Mismatch(found.kind, position, found.says)
    if walk.leaf != leaf:
        raise Mismatch("changed", position, "the event does not have the hash that is stored with it")


def _check_note(sealed: Sealed) -> None:
    try:
        note = Note.parse(sealed.note)
        signed = note.verified([Key.parse(sealed.key)])
        if signed and note.checkpoint == Checkpoint(note.checkpoint.origin, sealed.size, sealed.root):
            return
    except (BadNote, Forged):
        pass
    raise Mismatch("seal", sealed.size, f"the checkpoint of {sealed.size} events is not what was signed")


def _told(alarm: Alarm) -> tuple[str, int, str]:
    return alarm.kind, alarm.position, alarm.says
