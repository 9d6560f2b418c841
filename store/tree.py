"""The Merkle tree over the log: its tiles, its checkpoints, and proofs from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from activities.seal import NewSeal, Sealed, SealedMeanwhile
from domain.checkpoint import Line
from domain.merkle import (
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    BadTree,
    Edge,
    Node,
    Range,
    consistency_ranges,
    inclusion_ranges,
    joined,
    nodes,
    root,
    widths,
)
from store.connect import Pool

BATCH = 4096
CHECKPOINT = "SELECT size, at, root, note, key FROM tandem.checkpoint"
LATEST = f"{CHECKPOINT} ORDER BY size DESC LIMIT 1"
PAGE = f"{CHECKPOINT} WHERE size > $1 ORDER BY size LIMIT $2"
ONE = f"{CHECKPOINT} WHERE size = $1"
COVERING = f"{CHECKPOINT} WHERE size > $1 ORDER BY size LIMIT 1"
LEAVES = """
    SELECT string_agg(e.leaf_hash, ''::bytea ORDER BY e.position)
    FROM tandem.event e WHERE e.position >= $1 AND e.position < $2
"""
# Each wanted stretch of one level of tiles; the leaves are level 0, above them a node is the root of a tile.
STRETCHES = """
    SELECT CASE WHEN w.level = 0
      THEN (SELECT string_agg(e.leaf_hash, ''::bytea ORDER BY e.position)
            FROM tandem.event e WHERE e.position >= w.start AND e.position < w.stop)
      ELSE (SELECT string_agg(t.root, ''::bytea ORDER BY t.number)
            FROM tandem.tile t WHERE t.level = w.level - 1 AND t.number >= w.start AND t.number < w.stop) END
    FROM unnest($1::int[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS w (level, start, stop, no) ORDER BY w.no
"""
SEAL = "SELECT tandem.seal($1, $2, $3, $4, $5, $6, $7, $8, $9)"
KEYS = """
    SELECT k.vkey, k.since, (SELECT max(c.size) FROM tandem.checkpoint c WHERE c.size < k.next)
    FROM (SELECT vkey, since, lead(since) OVER (ORDER BY since) AS next FROM tandem.signing_key) k ORDER BY k.since
"""
HEALTH = """
    SELECT s.state, s.detail, s.at, (SELECT coalesce(max(c.size), 0) FROM tandem.checkpoint c),
           (SELECT h.next_position FROM tandem.log_head h WHERE h.id = 0)
    FROM tandem.sealing s
"""
ANCHORED = "SELECT size, clock_timestamp() - at FROM tandem.anchored WHERE place = $1"

Stretch = tuple[int, int, int]
"""Level of tiles, first node, first node after it."""


@dataclass(frozen=True, slots=True)
class KeyPeriod:
    """A key and the checkpoints that it signed."""

    vkey: str
    since: int
    """Size of the first one."""
    until: int | None
    """Size of the last one; None while the key is in use."""


@dataclass(frozen=True, slots=True)
class Health:
    """How sealing goes."""

    state: str
    """`new`, `sealing`, `no_key` or `refused`."""
    detail: str
    since: datetime
    sealed: int
    """How many events are under the last checkpoint."""
    head: int
    """How many events there are."""


class Tree:
    """Satisfies `activities.seal.SealingStore`; every method raises StoreUnavailable when the database is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._log_id: str | None = None

    async def log_id(self) -> str:
        """What tells this log from every other one."""
        if self._log_id is None:
            self._log_id = str(await self._pool.fetchval("SELECT id FROM tandem.log"))
        return self._log_id

    async def head(self) -> int:
        """How many events there are."""
        return int(await self._pool.fetchval("SELECT next_position FROM tandem.log_head"))

    # Checkpoints

    async def latest(self) -> Sealed | None:
        """The last checkpoint; None before the first."""
        return _sealed(await self._pool.fetchrow(LATEST))

    async def sealed_size(self) -> int:
        """How many events are under the last checkpoint."""
        return int(await self._pool.fetchval("SELECT coalesce(max(size), 0) FROM tandem.checkpoint"))

    async def at(self, size: int) -> Sealed | None:
        """The checkpoint over exactly so many events, where there is one."""
        return _sealed(await self._pool.fetchrow(ONE, size))

    async def covering(self, position: int) -> Sealed | None:
        """The first checkpoint that an event is under."""
        return _sealed(await self._pool.fetchrow(COVERING, position))

    async def checkpoints(self, after: int = 0, limit: int = 100) -> list[Sealed]:
        """Checkpoints over more than `after` events, the smallest first."""
        return [Sealed(*row) for row in await self._pool.fetch(PAGE, after, limit)]

    async def keys(self) -> list[KeyPeriod]:
        """Every key that has signed, the oldest first."""
        return [KeyPeriod(*row) for row in await self._pool.fetch(KEYS)]

    async def cosignatures(self, size: int) -> list[Line]:
        """The witnesses' lines under a checkpoint, in the order in which they came."""
        rows = await self._pool.fetch("SELECT line FROM tandem.cosignature WHERE size = $1 ORDER BY at, key", size)
        return [Line.parse(row[0]) for row in rows]

    async def cosign(self, size: int, vkey: str, line: Line) -> bool:
        """Keep a verified line of a witness; False where that witness has signed this checkpoint before."""
        seen_at = datetime.fromtimestamp(line.seen_at, UTC)
        return bool(await self._pool.fetchval("SELECT tandem.cosign($1, $2, $3, $4)", size, vkey, str(line), seen_at))

    async def seal(self, new: NewSeal) -> datetime:
        """Store a checkpoint and its tiles. Raises SealedMeanwhile where `last` is not the last one any more."""
        tiles = (
            [tile.level for tile in new.tiles],
            [tile.number for tile in new.tiles],
            [tile.root for tile in new.tiles],
            [b"".join(tile.hashes) for tile in new.tiles],
        )
        try:
            moment: datetime = await self._pool.fetchval(SEAL, new.last, new.size, new.root, new.note, new.key, *tiles)
        except asyncpg.PostgresError as error:
            if error.sqlstate == "TD010":
                raise SealedMeanwhile(str(error)) from error
            raise
        return moment

    # Proofs

    async def leaves(self, start: int, stop: int) -> list[bytes]:
        """Stored leaf hashes of the positions from `start` up to, not including, `stop`."""
        return _split(await self._pool.fetchval(LEAVES, start, stop))

    async def edge(self, size: int) -> Edge:
        """What the tree of this size grows on from. Raises BadTree where it is not all there."""
        wanted = [
            (level, size // TILE_WIDTH ** (level + 1) * TILE_WIDTH, size // TILE_WIDTH**level)
            for level in range(len(widths(size)))
        ]
        return Edge.of(size, await self._stretches(wanted))

    async def root(self, size: int) -> bytes:
        """The root over the first `size` events, sealed or not. Raises BadTree where some of them are missing."""
        last = await self.latest()
        edge = await self.edge(min(size, last.size if last else 0))
        for start in range(edge.size, size, BATCH):
            stop = min(start + BATCH, size)
            leaves = await self.leaves(start, stop)
            if len(leaves) != stop - start:
                raise BadTree(f"there are no {size} events")
            edge, _ = edge.grown(leaves)
        return edge.root()

    async def inclusion(self, position: int, size: int) -> list[bytes]:
        """The proof that the event at a position is under the sealed tree of `size`. Raises BadTree."""
        return await self._proof(inclusion_ranges(position, size))

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the sealed tree of `new` events continues that of `old`. Raises BadTree."""
        return await self._proof(consistency_ranges(old, new))

    async def _proof(self, ranges: Sequence[Range]) -> list[bytes]:
        wanted = [node for part in ranges for node in nodes(part)]
        found = iter(await self._nodes(wanted))
        return [joined([next(found) for _ in nodes(part)]) for part in ranges]

    async def _nodes(self, wanted: Sequence[Node]) -> Iterable[bytes]:
        return [root(hashes) for hashes in await self._stretches([_stretch(*node) for node in wanted])]

    async def _stretches(self, wanted: Sequence[Stretch]) -> list[list[bytes]]:
        """The nodes of each stretch. Raises BadTree where one is missing."""
        rows = await self._pool.fetch(STRETCHES, *([part[no] for part in wanted] for no in range(3)))
        found = [_split(row[0]) for row in rows]
        for (level, start, stop), hashes in zip(wanted, found, strict=True):
            if len(hashes) != stop - start:
                raise BadTree(f"of the nodes {start} to {stop} of level {TILE_HEIGHT * level} some are missing")
        return found

    # For operators

    async def health(self) -> Health:
        """How sealing goes, and how far."""
        row = await self._pool.fetchrow(HEALTH)
        assert row is not None
        return Health(*row)

    async def tell(self, state: str, detail: str = "") -> None:
        """Note for operators how sealing goes: `sealing`, `no_key` or `refused`."""
        await self._pool.execute("SELECT tandem.tell_sealing($1, $2)", state, detail)

    async def anchored(self, place: str) -> tuple[int, timedelta]:
        """Up to which checkpoint a second place has them (0 for none), and how long ago it got the last."""
        row = await self._pool.fetchrow(ANCHORED, place)
        return (row[0], row[1]) if row else (0, timedelta(0))

    async def places(self) -> dict[str, int]:
        """Every second place that ever had a checkpoint, and up to which one it has them."""
        return {row[0]: row[1] for row in await self._pool.fetch("SELECT place, size FROM tandem.anchored")}

    async def mark_anchored(self, place: str, size: int) -> None:
        """A second place has every checkpoint up to this size. Never goes back."""
        await self._pool.execute("SELECT tandem.mark_anchored($1, $2)", place, size)


def _sealed(row: asyncpg.Record | None) -> Sealed | None:
    return None if row is None else Sealed(*row)


def _stretch(level: int, index: int) -> Stretch:
    """The nodes of a level of tiles that a node is the root of."""
    tiles, height = divmod(level, TILE_HEIGHT)
    return tiles, index << height, (index + 1) << height


def _split(joined_up: bytes | None) -> list[bytes]:
    whole = joined_up or b""
    return [whole[start : start + HASH_BYTES] for start in range(0, len(whole), HASH_BYTES)]
