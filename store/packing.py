"""Packs: the log, or one stream of it, as one ZIP that can be verified without us. See docs/reference/pack-format.md.

Written as a stream and in constant memory: no row is held longer than its chunk, and no connection between two chunks,
so that a slow reader keeps nobody waiting.
"""

import asyncio
import sys
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import orjson

from activities.ending import end
from activities.seal import Sealed
from domain.canonical import instant
from domain.checkpoint import BadNote, Note
from domain.merkle import TILE_WIDTH, BadTree
from store.connect import Pool
from store.tree import Tree

FORMAT = "tandem-pack/1"
CHUNK = 1000
"""Events read and written at once: a megabyte and a few milliseconds."""
TILES = 64
"""Tiles of leaves read at once."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Of every file in the ZIP: the same events make the same bytes."""
INSTANT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
# Only constants are put into SQL, what a caller gives is a parameter: S608 is excused for that, here and below.
# Of most events both times are the same: it is written down once.
TIMED = f"SELECT *, {INSTANT.format('recorded_at')} AS recorded FROM tandem.event"  # noqa: S608
# The envelope as text, its own keys in order; what is inside data and metadata is put in order here.
# Of an event that was archived, its hash alone is here.
LINE = f"""
    CASE WHEN e.metadata ? 'archived' THEN '{{"archived":' || (e.metadata -> 'archived')::text
      || ',"leaf":"' || encode(e.leaf_hash, 'hex') || '","stream":' || to_json(e.stream)::text
      || ',"version":' || e.version::text || '}}'
    ELSE '{{"data":' || e.data::text
    || ',"effective_at":"'
    || CASE WHEN e.effective_at = e.recorded_at THEN e.recorded ELSE {INSTANT.format("e.effective_at")} END
    || '","event_id":"' || e.event_id::text || '","metadata":' || e.metadata::text
    || ',"prev_hash":"' || encode(e.prev_hash, 'hex')
    || '","recorded_at":"' || e.recorded
    || '","schema_version":' || e.schema_version::text || ',"stream":' || to_json(e.stream)::text
    || ',"type":' || to_json(e.type)::text || ',"version":' || e.version::text || '}}' END
"""
# Of an event that the reader may not see, too, and not even of which stream it is.
WITHHELD = """'{"archived":"withheld","leaf":"' || encode(e.leaf_hash, 'hex') || '","stream":"withheld"}'"""
OF_LOG = f"""
    SELECT convert_to(string_agg(CASE WHEN e.stream = ANY ($4) THEN {WITHHELD} ELSE {LINE} END,
                                 E'\\n' ORDER BY e.position), 'UTF8'), max(e.position)
    FROM ({TIMED} WHERE position > $1 AND position < $2 ORDER BY position LIMIT $3) e
"""  # noqa: S608
OF_STREAM = f"""
    SELECT convert_to(string_agg({LINE}, E'\\n' ORDER BY e.version), 'UTF8'), max(e.version)
    FROM ({TIMED} WHERE stream = $4 AND version > $1 AND version < $5 AND position < $2
          ORDER BY version LIMIT $3) e
"""  # noqa: S608
STRETCH = f"""
    SELECT e.position, convert_to({LINE}, 'UTF8'), e.leaf_hash
    FROM ({TIMED} WHERE position > $1 ORDER BY position LIMIT $2) e ORDER BY e.position
"""  # noqa: S608
LEAVES = """
    SELECT string_agg(t.hashes, ''::bytea ORDER BY t.number) FROM tandem.tile t
    WHERE t.level = 0 AND t.number >= $1 AND t.number < $2
"""
PLACES = """
    SELECT e.version, e.position, e.leaf_hash FROM tandem.event e
    WHERE e.stream = $1 AND e.version > $2 AND e.position < $3 AND e.version < $5 ORDER BY e.version LIMIT $4
"""
EXTENT = """
    SELECT count(*) FILTER (WHERE e.position < $2 AND e.version < $3), coalesce(min(e.version), 0),
           coalesce(max(e.version) FILTER (WHERE e.position < $2 AND e.version < $3), 0), count(*)
    FROM tandem.event e WHERE e.stream = $1
"""


EVERY_UNSEEN = "SELECT tandem.unseen($1::text[])"
WITHHELD_LINE = b'{"archived":"withheld",'


class NotSealedYet(Exception):
    """There is no checkpoint yet over what was asked for."""


async def chunks(pool: Pool, sql: str, stop: int, *more: Any) -> AsyncIterator[bytes]:
    """Lines of events below position `stop`, many at once, each line ended; the next ones are read meanwhile."""
    ahead = asyncio.ensure_future(pool.fetchrow(sql, -1, stop, CHUNK, *more))
    try:
        while (row := await ahead) is not None and row[0] is not None:
            ahead = asyncio.ensure_future(pool.fetchrow(sql, row[1], stop, CHUNK, *more))
            yield b"".join([_canonical(line) for line in row[0].split(b"\n")])
    finally:
        await end(ahead)


def _canonical(line: bytes) -> bytes:
    # What was canonical when it was stored comes back so: see domain/canonical.py. Nothing is checked here: a pack
    # tells what is stored, and whoever verifies it judges.
    return orjson.dumps(orjson.loads(line), option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


async def _numbered(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The parts with a version for each event that is withheld: together they read as one stream of their own."""
    version = 0
    async for part in parts:
        lines = part.split(WITHHELD_LINE)
        pieces = [lines[0]]
        for rest in lines[1:]:
            version += 1
            leaf, _, more = rest.partition(b"\n")
            pieces.append(WITHHELD_LINE + leaf[:-1] + b',"version":%d}\n' % version + more)
        yield b"".join(pieces)


class _Drain:
    """What the ZIP's writer writes to."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


Files = Mapping[str, AsyncIterator[bytes]]


async def zipped(files: Files, manifest: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
    """The ZIP of these files, and of a manifest at its end that says what they are."""
    drain, told = _Drain(), dict[str, Mapping[str, Any]]()
    # ZipFile needs `write` and `flush` of what it only writes to; its types ask for a whole file.
    with ZipFile(drain, "w", ZIP_STORED) as packed:  # type: ignore[call-overload]
        for name, parts in files.items():
            digest, size = sha256(), 0
            with packed.open(ZipInfo(name, EPOCH), "w", force_zip64=True) as member:
                async for part in parts:
                    digest.update(part)
                    size += len(part)
                    member.write(part)
                    yield drain.take()
            told[name] = {"bytes": size, "sha256": digest.hexdigest()}
        packed.writestr(ZipInfo("manifest.json", EPOCH), _json({**manifest, "files": told}, orjson.OPT_INDENT_2))
    yield drain.take()


def _json(value: Any, option: int = 0) -> bytes:
    return orjson.dumps(value, option=option | orjson.OPT_APPEND_NEWLINE)


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


@dataclass(frozen=True)
class Packer:
    """Makes packs of what is sealed. Every method raises StoreUnavailable when the database is away."""

    pool: Pool
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def log(self, keys: Sequence[str] | None = None) -> AsyncGenerator[bytes, None]:
        """The whole log up to the newest checkpoint, as bytes of a ZIP. Raises NotSealedYet before any.

        `keys`: of events of projects that none of these opens the hash alone. Asked once, so that a stream is there
        whole or not at all, and after the checkpoint, which is over no project that was not there then.
        """
        sealed = await self._newest()
        unseen = [] if keys is None else [row[0] for row in await self.pool.fetch(EVERY_UNSEEN, list(keys))]
        files = {
            **await self._heading(sealed),
            "checkpoints.ndjson": self._checkpoints(sealed.size),
            "leaves": self._leaves(sealed.size),
            "events.ndjson": _numbered(chunks(self.pool, OF_LOG, sealed.size, unseen)),
        }
        beyond = await self._tree.head() - sealed.size
        extent = {"first": 0, "last": sealed.size - 1, "events": sealed.size, "beyond": beyond}
        return zipped(files, self._manifest("log", sealed) | extent)

    async def stream(self, stream: str, since: int = 0, below: int = sys.maxsize) -> AsyncGenerator[bytes, None]:
        """One stream up to the newest checkpoint, each event with its proof; only versions smaller than `below`.

        With `since`, the size of an older checkpoint, also the proof that the log has only grown since that one.
        Raises NotSealedYet where not one event of it is sealed.
        """
        sealed = await self._newest()
        events, first, last, every = await self._extent(stream, sealed.size, below)
        if not events:
            raise NotSealedYet(f"no event of {stream} is sealed yet")
        files = {
            **await self._heading(sealed),
            "events.ndjson": chunks(self.pool, OF_STREAM, sealed.size, stream, below),
            "proofs.ndjson": self._proofs(stream, sealed.size, below),
        }
        if 0 < since <= sealed.size:
            files["consistency.ndjson"] = self._consistency(since, sealed.size)
        extent = {"stream": stream, "first": first, "last": last, "events": events, "beyond": every - events}
        return zipped(files, self._manifest("project", sealed) | extent)

    async def stretch(self, after: int, limit: int) -> list[tuple[int, bytes, bytes]]:
        """(position, canonical envelope made of the row, stored leaf hash) with position > after, in order."""
        rows = await self.pool.fetch(STRETCH, after, limit)
        return [(position, _canonical(line)[:-1], leaf) for position, line, leaf in rows]

    async def unsealed(self, stream: str) -> int:
        """How many events of the stream no checkpoint covers yet."""
        events, _, _, every = await self._extent(stream, await self._tree.sealed_size(), sys.maxsize)
        return every - events

    @property
    def _tree(self) -> Tree:
        return Tree(self.pool)

    async def _newest(self) -> Sealed:
        sealed = await self._tree.latest()
        if sealed is None:
            raise NotSealedYet("no event is sealed yet")
        return sealed

    async def _extent(self, stream: str, size: int, below: int) -> tuple[int, int, int, int]:
        row = await self.pool.fetchrow(EXTENT, stream, size, below)
        assert row is not None
        return row[0], row[1], row[2], row[3]

    def _manifest(self, kind: str, sealed: Sealed) -> dict[str, Any]:
        origin = sealed.note.partition("\n")[0]
        made_at = instant(self.now())
        return {"format": FORMAT, "kind": kind, "log": origin, "made_at": made_at, "checkpoint_size": sealed.size}

    async def _heading(self, sealed: Sealed) -> dict[str, AsyncIterator[bytes]]:
        """The checkpoint with its witnesses' lines, and every key of the log."""
        note = sealed.note
        with suppress(BadNote):  # a pack tells what is stored, whatever that is
            note = str(Note.parse(note).with_lines(await self._tree.cosignatures(sealed.size)))
        keys = [{"vkey": key.vkey, "since": key.since, "until": key.until} for key in await self._tree.keys()]
        return {"checkpoint": _whole(note.encode()), "keys.json": _whole(_json(keys, orjson.OPT_INDENT_2))}

    async def _checkpoints(self, below: int) -> AsyncIterator[bytes]:
        after = 0
        while page := [known for known in await self._tree.checkpoints(after, CHUNK) if known.size < below]:
            yield b"".join(_json({"checkpoint": known.note}) for known in page)
            after = page[-1].size

    async def _leaves(self, size: int) -> AsyncIterator[bytes]:
        """As the tree has them, wherever it has a full tile: what the events have now is not asked."""
        full = size // TILE_WIDTH
        for start in range(0, full, TILES):
            yield await self.pool.fetchval(LEAVES, start, min(start + TILES, full)) or b""
        yield b"".join(await self._tree.leaves(full * TILE_WIDTH, size))

    async def _proofs(self, stream: str, size: int, below: int) -> AsyncIterator[bytes]:
        after = 0
        while rows := await self.pool.fetch(PLACES, stream, after, size, CHUNK, below):
            for version, position, leaf in rows:
                proof = await self._proof(position, size)
                yield _json({"version": version, "position": position, "leaf": leaf.hex(), "proof": proof})
            after = rows[-1][0]

    async def _proof(self, position: int, size: int) -> list[str]:
        """Empty, which proves nothing, where the tree is not whole any more."""
        with suppress(BadTree):
            return [b64encode(step).decode() for step in await self._tree.inclusion(position, size)]
        return []

    async def _consistency(self, old: int, new: int) -> AsyncIterator[bytes]:
        proof = [b64encode(step).decode() for step in await self._tree.consistency(old, new)]
        yield _json({"size": old, "proof": proof})
