"""Sealing: the events after the last checkpoint become part of the tree, and the tree is signed anew."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.messages import Message
from activities.outages import patient
from activities.ports import StoreUnavailable
from domain.checkpoint import BadNote, Checkpoint, Forged, Key, Note, Signer, origin_of
from domain.merkle import EMPTY_ROOT, BadTree, Edge, Tile

log = logging.getLogger("tandem.seal")
BATCH = 2048
"""Leaves read and hashed at once: a few milliseconds, so that other steps of this process go on between."""
MOST = 65_536
"""Leaves under one new checkpoint; a log far behind is sealed in several."""
SENT = 10
"""Checkpoints sent to a second place at once."""
BEAT_SECONDS = 1.0
ONE_GO = 30.0
"""Seconds after which a place that lacks many goes on in another step."""


class SealRefused(Exception):
    """What is stored contradicts what was signed before: to sign on would fork the log."""


class SealedMeanwhile(StoreUnavailable):
    """Another sealer was first; what it sealed is sealed. Trying again goes on after it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A checkpoint as it is stored."""

    size: int
    at: datetime
    root: bytes
    note: str
    """Signed by the log; witnesses' lines are kept beside it."""
    key: str
    """The vkey that signed it."""


@dataclass(frozen=True, slots=True)
class NewSeal:
    """A checkpoint to be stored after the one over `last` events, with the tiles that became full since."""

    last: int
    size: int
    root: bytes
    note: str
    key: str
    tiles: Sequence[Tile]


class SealingStore(Protocol):
    """The tree and its checkpoints. Every method raises StoreUnavailable when the database is away."""

    async def log_id(self) -> str:
        """What tells this log from every other one."""
        ...

    async def head(self) -> int:
        """How many events there are."""
        ...

    async def latest(self) -> Sealed | None:
        """The last checkpoint; None before the first."""
        ...

    async def checkpoints(self, after: int, limit: int) -> list[Sealed]:
        """Checkpoints over more than `after` events, the smallest first."""
        ...

    async def edge(self, size: int) -> Edge:
        """What the tree of this size grows on from, at most as large as the last checkpoint's. Raises BadTree."""
        ...

    async def root(self, size: int) -> bytes:
        """The root over the first events, at most as many as there are. Raises BadTree where some are missing."""
        ...

    async def leaves(self, start: int, stop: int) -> list[bytes]:
        """Stored leaf hashes of the positions from `start` up to, not including, `stop`."""
        ...

    async def seal(self, new: NewSeal) -> datetime:
        """Store it; the time of it. Raises SealedMeanwhile where `last` is not the last one any more."""
        ...

    async def tell(self, state: str, detail: str = "") -> None:
        """Note for operators how sealing goes: `sealing`, `no_key` or `refused`."""
        ...

    async def anchored(self, place: str) -> tuple[int, timedelta]:
        """Up to which checkpoint a second place has them (0 for none), and how long ago it got the last."""
        ...

    async def mark_anchored(self, place: str, size: int) -> None:
        """A second place has every checkpoint up to this size. Never goes back."""
        ...


class Anchor(Protocol):
    """A second place for checkpoints, out of the database owner's reach."""

    @property
    def place(self) -> str:
        """Its name in figures and logs, the same for ever."""
        ...

    @property
    def every(self) -> timedelta:
        """How much time lies between two deliveries at least; zero for a place that takes each checkpoint."""
        ...

    async def last(self, origin: str) -> Note | None:
        """The last checkpoint of this log that is there; None where there is none, or none can be read back."""
        ...

    async def keep(self, notes: Sequence[str]) -> None:
        """Put them there, in order; may run twice. Raises OSError where it cannot now."""
        ...


class SealOrder(Message):
    """Seal what is new. What the last one was is kept in the workflow too, out of the database's owner's reach."""

    size: int = 0
    note: str = ""


class SealReport(Message):
    """The last checkpoint now."""

    size: int = 0
    note: str = ""
    more: bool = False
    """There are events after it already: seal again."""
    anchors: tuple[str, ...] = ()
    """Second places that want the checkpoints."""


class AnchorOrder(Message):
    """Bring one second place up to date."""

    place: str


class AnchorReport(Message):
    """Up to which checkpoint a second place has them now."""

    size: int = 0
    later: float = 0
    """Seconds after which it takes more, where there is more."""


class SealSteps:
    """What the sealing workflow asks of the world. Every method may run twice."""

    def __init__(self, store: SealingStore, seed: bytes | None = None, anchors: Sequence[Anchor] = ()) -> None:
        self._store = store
        self._seed = seed
        self._anchors = {anchor.place: anchor for anchor in anchors}

    @activity.defn(name="seal")
    @patient
    async def seal(self, asked: SealOrder) -> SealReport:
        """One checkpoint over what is new, at most 65,536 events; the last one where nothing is.

        A seal that contradicts an earlier one is refused for good, loudly: somebody has to look first.
        """
        if self._seed is None:
            await self._store.tell("no_key")
            raise ApplicationError(
                "there is no key to seal with",
                type="NoSealKey",
                next_retry_delay=timedelta(minutes=1),
                category=ApplicationErrorCategory.BENIGN,
            )
        try:
            async with _beating():
                return await self._sealed(asked, Signer(origin_of(await self._store.log_id()), self._seed))
        except (SealRefused, BadTree) as refused:
            log.error("sealing is refused: %s", refused)
            await self._store.tell("refused", str(refused))
            raise ApplicationError(str(refused), type="SealRefused", non_retryable=True) from refused

    async def _sealed(self, asked: SealOrder, signer: Signer) -> SealReport:
        last = await self._store.latest()
        edge = await self._continued(last, asked, signer.name)
        head = await self._store.head()
        size = min(head, edge.size + MOST)
        note = last.note if last else ""
        if size > edge.size:
            note = await self._grow(edge, size, signer)
        elif last:
            await self._store.tell("sealing")
        return SealReport(size=size, note=note, more=head > size, anchors=tuple(self._anchors))

    async def _grow(self, edge: Edge, size: int, signer: Signer) -> str:
        last, tiles = edge.size, list[Tile]()
        for start in range(last, size, BATCH):
            stop = min(start + BATCH, size)
            edge, full = edge.grown(await self._leaves(start, stop))
            tiles += full
        checkpoint = Checkpoint(signer.name, size, edge.root())
        note = str(Note(checkpoint, (signer.sign(checkpoint),)))
        tiles.sort(key=lambda tile: (tile.level, tile.number))
        await self._store.seal(NewSeal(last, size, checkpoint.root, note, signer.key.vkey, tiles))
        return note

    async def _leaves(self, start: int, stop: int) -> list[bytes]:
        found = await self._store.leaves(start, stop)
        if len(found) != stop - start:
            raise SealRefused(f"{stop - start - len(found)} events are missing between positions {start} and {stop}")
        return found

    # What was signed before must still be true

    async def _continued(self, last: Sealed | None, asked: SealOrder, origin: str) -> Edge:
        """The edge to grow on from. Raises SealRefused where the stored log is not the one that was signed before."""
        if last is not None:
            _check_note(last, origin)
        for where, note in await self._remembered(asked, origin):
            if last is None or (note.checkpoint.size, note.checkpoint.root) != (last.size, last.root):
                await self._check_remembered(where, note.checkpoint)
        size = last.size if last else 0
        try:
            edge = await self._store.edge(size)
        except BadTree as broken:
            raise SealRefused(f"the tree over the first {size} events is not whole: {broken}") from broken
        if edge.root() != (last.root if last else EMPTY_ROOT):
            raise SealRefused(f"the first {size} events have another root than the one that was signed")
        return edge

    async def _remembered(self, asked: SealOrder, origin: str) -> list[tuple[str, Note]]:
        """The last checkpoint of this log in every place outside of the database."""
        found = [("the sealing workflow", Note.parse(asked.note))] if asked.note else []
        for place, anchor in self._anchors.items():
            try:
                note = await anchor.last(origin)
            except OSError as outage:
                log.warning("the anchor %s cannot be asked: %s", place, outage)
                continue
            except BadNote as unreadable:
                raise SealRefused(f"what the anchor {place} has is no checkpoint: {unreadable}") from unreadable
            found += [(f"the anchor {place}", note)] if note else []
        return [(where, note) for where, note in found if note.checkpoint.origin == origin]

    async def _check_remembered(self, where: str, known: Checkpoint) -> None:
        rewound = (
            f"{where} knows a checkpoint over {known.size} events, the database has fewer: "
            "it was restored from an older copy, or cut"
        )
        if await self._store.head() < known.size:
            raise SealRefused(rewound)
        try:
            same = await self._store.root(known.size) == known.root
        except BadTree as broken:
            raise SealRefused(f"{rewound} ({broken})") from broken
        if not same:
            raise SealRefused(f"{where} knows another root over the first {known.size} events than the database has")

    # Second places

    @activity.defn(name="anchor")
    @patient
    async def anchor(self, asked: AnchorOrder) -> AnchorReport:
        """Every checkpoint that a second place does not have yet, in order, unless it has had some a moment ago."""
        anchor = self._anchors.get(asked.place)
        size, since = await self._store.anchored(asked.place)
        enough = time.monotonic() + ONE_GO
        while anchor and (waiting := await self._store.checkpoints(size, SENT)) and time.monotonic() < enough:
            later = (anchor.every - since).total_seconds() if size else 0
            if later > 0:
                return AnchorReport(size=size, later=later)
            async with _beating():
                await anchor.keep([sealed.note for sealed in waiting])
            size, since = waiting[-1].size, timedelta(0)
            await self._store.mark_anchored(asked.place, size)
        return AnchorReport(size=size)


@asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    """Tell the engine that this process lives, so that a killed one is replaced in seconds."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(BEAT_SECONDS)

    beating = asyncio.create_task(beat()) if activity.in_activity() else None
    try:
        yield
    finally:
        if beating:
            beating.cancel()


def _check_note(last: Sealed, origin: str) -> None:
    """Whether the last checkpoint is what its signer said. Raises SealRefused."""
    try:
        note = Note.parse(last.note)
        signed = note.verified([Key.parse(last.key)])
    except (BadNote, Forged) as broken:
        raise SealRefused(f"the last checkpoint is not what was signed: {broken}") from broken
    if not signed or note.checkpoint != Checkpoint(origin, last.size, last.root):
        raise SealRefused("the last checkpoint is not what was signed: its note says something else")
