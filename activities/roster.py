"""The directory as this process knows it: folded once, then kept up to date from the end of its stream."""

import asyncio
import time
from typing import Protocol

from activities.folding import event_of, happened
from activities.ports import Store
from domain.directory.record import STREAM, Directory
from domain.keeping.record import KeepingEvent, turned

FRESH_SECONDS = 1.0
"""How long an answer is believed: what another process changes counts here that much later."""


class Roster(Protocol):
    """Who belongs to the organisation."""

    async def directory(self) -> Directory:
        """Raises StoreUnavailable where it cannot be known."""
        ...


class StoredRoster:
    """Read from the log."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = Directory(STREAM)
        self._until = 0.0
        self._reading = asyncio.Lock()

    async def directory(self) -> Directory:
        """At most a second old."""
        if time.monotonic() >= self._until:
            async with self._reading:
                if time.monotonic() >= self._until:
                    await self._read()
        return self._known

    def forget(self) -> None:
        """Ask the store next time: somebody here changed it."""
        self._until = 0.0

    async def _read(self) -> None:
        for fact in await self._store.read(STREAM, after=self._known.version):
            event = event_of(fact)
            assert isinstance(event, KeepingEvent)
            self._known = turned(self._known, event, happened(fact))
        self._until = time.monotonic() + FRESH_SECONDS
