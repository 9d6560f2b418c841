"""Retention: what an ended project's events hold goes to a verified pack, and comes back from it on demand.

The log stays provable meanwhile: positions, versions and hashes are where they were. The steps may each run twice;
what was cut short is gone on with by the next run.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import asyncpg
import orjson

from activities.keeping import Keeping
from domain.canonical import hash_envelope
from domain.keeping import archive
from domain.keeping.archive import (
    ArchiveRecord,
    HoldArchive,
    RecordArchived,
    RecordPack,
    RecordRestored,
    ReleaseArchive,
)
from domain.keeping.record import KeepingCommand
from domain.messages import Actor
from store.connect import Pool
from store.packing import NotSealedYet, Packer

REFUSALS = ("TA001", "TA002", "TA003", "TA004", "TA005")
"""What the database's two functions say no with."""
DUE = """
    SELECT p.stream FROM tandem.project p
    WHERE p.ended AND p.changed_at < $1
      AND NOT EXISTS (SELECT FROM tandem.archived a WHERE a.stream = p.stream)
    ORDER BY p.changed_at, p.stream
"""
HASHES = "SELECT version, leaf_hash FROM tandem.event WHERE stream = $1 ORDER BY version"


class NotArchivable(Exception):
    """This stream cannot be archived or restored now; the message says why."""


class PackDamaged(NotArchivable):
    """The pack is not what was recorded, or does not hold what the log has the hashes of."""


@dataclass(frozen=True)
class Archives:
    """Moves streams out and back. `owner` connects as whoever migrates: the application may not do this."""

    pool: Pool
    keeping: Keeping
    owner: Pool
    folder: Path
    actor: Actor

    async def due(self, now: datetime, after: timedelta) -> list[str]:
        """Streams of the projects that ended longer than `after` ago, the oldest first."""
        return [row[0] for row in await self.pool.fetch(DUE, now - after)]

    async def archive(self, stream: str) -> ArchiveRecord:
        """Write the pack, check it, record it, then move the events out. Raises NotArchivable, Refused."""
        record = await self._record(stream)
        if record.archived:
            return record
        digest = await self._moved(stream)
        if digest is None:
            path, digest, events = await self._packed(stream)
            await self._tell(stream, RecordPack(digest=digest, file=path.name, events=events), f"pack:{digest}")
            with _refusing(stream):
                await self.owner.fetchval("SELECT tandem.archive($1, $2)", stream, digest)
        return await self._tell(stream, RecordArchived(digest=digest), f"archived:{digest}")

    async def restore(self, stream: str, file: Path | None = None) -> int:
        """Bring the events back, each checked against its hash: how many. Raises NotArchivable, Refused."""
        digest = await self._moved(stream)
        record = await self._record(stream)
        if digest is None:
            if not record.archived:
                raise NotArchivable(f"{stream} is not archived")
            digest, events = record.digest or "", 0
        else:
            lines = await asyncio.to_thread(_lines, file or self.folder / (record.file or ""), digest)
            await self._check(stream, lines)
            events = await self._put_back(stream, lines)
        await self._tell(stream, RecordRestored(digest=digest), f"restored:{digest}")
        return events

    async def hold(self, stream: str) -> ArchiveRecord:
        """A legal hold: the events stay where they are until it is lifted."""
        return await self._tell(stream, HoldArchive(), f"hold:{(await self._record(stream)).version}")

    async def release(self, stream: str) -> ArchiveRecord:
        """The hold is over."""
        return await self._tell(stream, ReleaseArchive(), f"release:{(await self._record(stream)).version}")

    async def _record(self, stream: str) -> ArchiveRecord:
        record: ArchiveRecord = await self.keeping.record(archive.PREFIX + stream)
        return record

    async def _tell(self, stream: str, command: KeepingCommand, command_id: str) -> ArchiveRecord:
        kept = await self.keeping.submit(archive.PREFIX + stream, command, self.actor, command_id)
        record: ArchiveRecord = kept.record
        return record

    async def _moved(self, stream: str) -> str | None:
        """The digest of the pack that the events were moved to."""
        found: str | None = await self.pool.fetchval("SELECT digest FROM tandem.archived WHERE stream = $1", stream)
        return found

    async def _packed(self, stream: str) -> tuple[Path, str, int]:
        """A whole pack, on the disk and checked: where, its SHA-256, how many events."""
        packer = Packer(self.pool)
        if unsealed := await packer.unsealed(stream):
            raise NotArchivable(f"{unsealed} events of {stream} are not sealed yet: try again in some seconds")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self.folder / f"{stream}.{os.getpid()}.draft"
        try:
            digest = await self._written(packer, stream, draft)
            lines = await asyncio.to_thread(_lines, draft, digest)
            await self._check(stream, lines)
            path = self.folder / f"{stream}.{digest[:16]}.zip"
            await asyncio.to_thread(_keep, draft, path)
        except NotSealedYet as early:
            raise NotArchivable(str(early)) from None
        finally:
            draft.unlink(missing_ok=True)
        return path, digest, len(lines)

    async def _written(self, packer: Packer, stream: str, draft: Path) -> str:
        digest = sha256()
        with draft.open("wb") as file:
            async for part in await packer.stream(stream):
                digest.update(part)
                file.write(part)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        return digest.hexdigest()

    async def _check(self, stream: str, lines: Sequence[bytes]) -> None:
        """That the lines are the events whose hashes the log has: all of them and nothing else."""
        rows = await self.pool.fetch(HASHES, stream)
        if len(rows) != len(lines):
            raise PackDamaged(f"the pack has {len(lines)} events of {stream}, the log has {len(rows)}")
        for (version, leaf), line in zip(rows, lines, strict=True):
            if hash_envelope(line) != leaf:
                raise PackDamaged(
                    f"version {version} of {stream} in the pack is not the event that the log vouches for"
                )

    async def _put_back(self, stream: str, lines: Sequence[bytes]) -> int:
        events = [orjson.loads(line) for line in lines]
        columns = [[event[name] for event in events] for name in ("version", "metadata", "data")]
        with _refusing(stream):
            return int(await self.owner.fetchval("SELECT tandem.unarchive($1, $2, $3, $4)", stream, *columns))


def _lines(path: Path, digest: str) -> list[bytes]:
    """The events in a pack, as their canonical bytes. Raises PackDamaged."""
    try:
        with path.open("rb") as file:
            found = sha256()
            while part := file.read(1 << 20):
                found.update(part)
        if found.hexdigest() != digest:
            raise PackDamaged(f"{path} has the SHA-256 {found.hexdigest()}, {digest} was recorded")
        with ZipFile(path) as pack:
            return pack.read("events.ndjson").splitlines()
    except (OSError, BadZipFile, KeyError) as error:
        raise PackDamaged(f"{path} cannot be read: {error}") from error


def _keep(draft: Path, path: Path) -> None:
    """Under its own name, for good: also after the power fails."""
    draft.replace(path)
    path.chmod(0o400)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _refusing(stream: str) -> Iterator[None]:
    try:
        yield
    except asyncpg.PostgresError as error:
        if error.sqlstate not in REFUSALS:
            raise
        raise NotArchivable(f"{stream}: {error}") from None
