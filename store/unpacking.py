"""From a pack of the whole log into an empty installation: the same events, root and state.

What the events tell is there afterwards: events, answered commands, reservations, pages. Not there, because no event
holds it: refusals, messages and their deliveries, accounts, and the bodies of commands; a command that is sent again is
therefore known and not carried out twice, but answered with `IdReused` instead of with its first answer.
"""

import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import BadZipFile, ZipFile

import asyncpg
import orjson

from activities.folding import PREFIX, Folded, advance
from activities.pages import page
from activities.ports import Page, Recorded
from domain.canonical import hash_envelope
from domain.merkle import Edge
from domain.project.aggregate import Project
from store.batch import page_document
from store.connect import connect, reaching
from store.rows import COLUMNS, recorded

CHUNK = 1000
UNKNOWN = bytes(32)
"""Fingerprint of a command whose body no event holds."""
# Only constants of this program are put into SQL, here and below (S608 is excused for that).
STREAM = f"SELECT {COLUMNS} FROM tandem.event WHERE stream = $1 ORDER BY version"  # noqa: S608
SHOW = "SELECT tandem.show($1, $2, $3)"
OTHERS = ("command", "wake", "reservation", "project", "checkpoint", "tile")
"""Must be empty, too: what is there belongs to another log."""


class NotImported(Exception):
    """Nothing was changed; the message says why."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was brought in."""

    events: int
    projects: int
    root: bytes
    """Of the tree over all of it: that of the pack's checkpoint."""


async def bring_in(dsn: str, path: Path) -> Imported:
    """All of a verified pack, or nothing. `dsn` is the owner's. Raises NotImported, StoreUnavailable."""
    try:
        with reaching(), ZipFile(path) as pack:
            if orjson.loads(pack.read("manifest.json"))["kind"] != "log":
                raise NotImported("Only a pack of the whole log can be imported: this is one of a project.")
            connection = await connect(dsn)
            try:
                async with connection.transaction():
                    return await _brought(connection, pack)
            finally:
                await connection.close()
    except (BadZipFile, KeyError, ValueError) as error:
        raise NotImported(f"This is no whole pack: {error}") from error


async def _brought(connection: asyncpg.Connection, pack: ZipFile) -> Imported:
    await connection.execute("LOCK TABLE tandem.log_head IN ACCESS EXCLUSIVE MODE")
    await _check_empty(connection)
    edge = Edge()
    for lines in _chunks(pack):
        leaves = [hash_envelope(line) for line in lines]
        records = [_record(edge.size + i, line, leaves[i]) for i, line in enumerate(lines)]
        await connection.copy_records_to_table(
            "event", schema_name="tandem", columns=COLUMNS.split(", "), records=records
        )
        edge, _ = edge.grown(leaves)
    _, size, root = pack.read("checkpoint").split(b"\n")[:3]
    if (str(edge.size).encode(), edge.root()) != (size, b64decode(root)):
        raise NotImported("The events do not have the root that the pack's checkpoint says.")
    await connection.execute("UPDATE tandem.log_head SET next_position = $1", edge.size)
    projects = await _derive(connection)
    return Imported(edge.size, projects, edge.root())


async def _check_empty(connection: asyncpg.Connection) -> None:
    found = await connection.fetchval("SELECT next_position FROM tandem.log_head")
    for table in OTHERS:
        found += await connection.fetchval(f"SELECT count(*) FROM tandem.{table}")  # noqa: S608
    if found:
        raise NotImported("This installation is not empty. Import into a fresh database, after `tandem migrate`.")


def _chunks(pack: ZipFile) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    with pack.open("events.ndjson") as lines:
        for line in lines:
            if line.startswith(b'{"archived":'):
                raise NotImported(
                    "The pack has events whose content is not in it. Restore what is archived where it comes from, and "
                    "export again as somebody from whom nothing is withheld."
                )
            chunk.append(line.rstrip(b"\n"))
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    yield chunk


def _record(position: int, line: bytes, leaf: bytes) -> tuple[Any, ...]:
    """In the order of COLUMNS."""
    event = orjson.loads(line)
    moments = [datetime.fromisoformat(event[name]) for name in ("recorded_at", "effective_at")]
    named = (event["stream"], event["version"], UUID(event["event_id"]), event["type"], event["schema_version"])
    return (*named, *moments, event["metadata"], event["data"], bytes.fromhex(event["prev_hash"]), leaf, position)


async def _derive(connection: asyncpg.Connection) -> int:
    """Whatever follows from the events, stream by stream; how many projects there are."""
    projects = 0
    for (stream,) in await connection.fetch("SELECT DISTINCT stream FROM tandem.event ORDER BY stream"):
        facts = [recorded(row) for row in await connection.fetch(STREAM, stream)]
        if stream.startswith(PREFIX):
            await _derive_project(connection, facts)
            projects += 1
        else:
            await _commands(connection, stream, [(fact, {}) for fact in facts])
    await connection.execute(
        "SELECT setval(pg_get_serial_sequence('tandem.reservation', 'number'), "
        "greatest((SELECT max(number) FROM tandem.reservation), 1))"
    )
    return projects


async def _derive_project(connection: asyncpg.Connection, facts: Sequence[Recorded]) -> None:
    stream, folded = facts[0].stream, Folded(Project(facts[0].stream.removeprefix(PREFIX)))
    told: list[tuple[Recorded, dict[str, Any]]] = []
    for fact in facts:
        folded = advance(folded, [fact])
        told.append((fact, {"code": folded.project.code, "stage": folded.project.stage.value}))
    await _commands(connection, stream, told, project_id=folded.project.id)
    await _reserve(connection, facts[0], folded.project)
    shown: Page = page(Project(folded.project.id), folded.project)
    await connection.execute(SHOW, [stream], [folded.version], [page_document(shown)])
    # What was imported has been acted on where it happened: nobody is told again.
    await connection.execute(
        "INSERT INTO tandem.wake (head, seen, changed_at, ended, stream) VALUES ($1, $1, $2, $3, $4)",
        folded.version,
        facts[-1].recorded_at,
        folded.project.ended,
        stream,
    )


async def _commands(
    connection: asyncpg.Connection, stream: str, told: Sequence[tuple[Recorded, dict[str, Any]]], **fixed: str
) -> None:
    """The answered commands: each one's events, in order, and the state after the last of them."""
    by: dict[str, list[tuple[Recorded, dict[str, Any]]]] = {}
    for fact, after in told:
        by.setdefault(str(fact.metadata.get("command_id", fact.event_id)), []).append((fact, after))
    records = [
        (
            made[-1][0].version,
            made[-1][0].position,
            stream,
            command_id,
            UNKNOWN,
            {**fixed, **made[-1][1], "events": [{"type": f.type, "version": f.version} for f, _ in made]},
        )
        for command_id, made in by.items()
    ]
    columns = ["version", "position", "stream", "command_id", "fingerprint", "answer"]
    await connection.copy_records_to_table("command", schema_name="tandem", columns=columns, records=records)


async def _reserve(connection: asyncpg.Connection, start: Recorded, project: Project) -> None:
    """The first key of a project stays taken, and its number too."""
    number = re.fullmatch(r"P-0*([1-9][0-9]{0,15})", project.code)
    if number is None:
        return
    await connection.execute(
        "INSERT INTO tandem.reservation (number, reserved_at, project_id, principal, key) OVERRIDING SYSTEM VALUE "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        int(number[1]),
        start.recorded_at,
        project.id,
        start.metadata["actor"]["principal"],
        start.metadata["command_id"],
    )
