"""Writes the packs of tests/golden/packs: `python -m tests.audit.vectors`. The same events make the same bytes.

They are for whoever writes another verifier: two packs that are right, a tampered one of each, and what has to be said.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import orjson

from domain.canonical import canonical, envelope_bytes, hash_envelope
from domain.checkpoint import Checkpoint, Note, Signer
from domain.merkle import inclusion, nodes_of, root
from store.packing import FORMAT, zipped
from tests.store.building import START

FOLDER = Path(__file__).parents[1] / "golden" / "packs"
ORIGIN = "tandem/00000000-0000-7000-8000-000000000001"
LOG, WITNESS = Signer(ORIGIN, bytes(range(32))), Signer("witness.example", bytes(range(1, 33)), 4)
EVENT_ID = UUID("b1a27e5c-0000-5000-8000-000000000000")
SEEN_AT = 1_772_445_600
STREAMS = ("project-a", "project-b", "project-a", "project-a", "project-b", "project-a", "project-b")
OLDER = 4


def lines() -> list[bytes]:
    """Seven events of two projects, one of them in Chinese and one with characters that need escapes."""
    heads: dict[str, tuple[int, bytes]] = {}
    made: list[bytes] = []
    for number, stream in enumerate(STREAMS):
        version, prev = heads.get(stream, (0, bytes(32)))
        data: dict[str, Any] = {"no": number, "text": ["Plain", "供应商延期", 'A "quoted"\tword'][number % 3]}
        line = envelope_bytes(
            stream=stream,
            version=version + 1,
            event_id=uuid5(EVENT_ID, f"{stream}/{version + 1}"),
            type="RiskRaised",
            schema_version=1,
            recorded_at=START + timedelta(seconds=number),
            effective_at=START,
            metadata=canonical({"actor": {"principal": "li.wei"}, "command_id": f"c-{number}"}),
            data=canonical(data),
            prev_hash=prev,
        )
        heads[stream] = (version + 1, hash_envelope(line))
        made.append(line)
    return made


def note_of(leaves: Sequence[bytes], *, witnessed: bool = False) -> str:
    checkpoint = Checkpoint(ORIGIN, len(leaves), root(leaves))
    cosigned = [WITNESS.cosign(checkpoint, SEEN_AT)] if witnessed else []
    return str(Note(checkpoint, (LOG.sign(checkpoint), *cosigned)))


def files() -> dict[str, bytes]:
    """Every vector by name."""
    events = lines()
    leaves = [hash_envelope(line) for line in events]
    keys = orjson.dumps([{"vkey": LOG.key.vkey, "since": OLDER, "until": None}]) + b"\n"
    heading = {"checkpoint": note_of(leaves, witnessed=True).encode(), "keys.json": keys}
    older = orjson.dumps({"checkpoint": note_of(leaves[:OLDER])}) + b"\n"
    whole = heading | {"checkpoints.ndjson": older, "leaves": b"".join(leaves), "events.ndjson": _ended(events)}
    mine = [position for position, stream in enumerate(STREAMS) if stream == "project-a"]
    proofs = [_proof(version, position, leaves) for version, position in enumerate(mine, 1)]
    one = heading | {"events.ndjson": _ended([events[at] for at in mine]), "proofs.ndjson": _ended(proofs)}
    about = {"format": FORMAT, "log": ORIGIN, "made_at": "2026-03-02T10:00:00.000000Z", "checkpoint_size": len(leaves)}
    log = asyncio.run(_made(whole, about | {"kind": "log", "first": 0, "last": 6, "events": 7, "beyond": 0}))
    extent = {"kind": "project", "stream": "project-a", "first": 1, "last": 4, "events": 4, "beyond": 0}
    project = asyncio.run(_made(one, about | extent))
    return {
        "log.zip": log,
        "log-one-byte.zip": log.replace("供应商延期".encode(), "供应商廷期".encode(), 1),
        "project.zip": project,
        "project-re-dated.zip": project.replace(
            b'"recorded_at":"2026-03-02T09:00:03', b'"recorded_at":"2026-03-01T09:00:03'
        ),
        "older-checkpoint": note_of(leaves[:OLDER]).encode(),
        "keys.json": orjson.dumps({"log": LOG.key.vkey, "witness": WITNESS.key.vkey}, option=orjson.OPT_INDENT_2)
        + b"\n",
    }


def _proof(version: int, position: int, leaves: Sequence[bytes]) -> bytes:
    path = [b64encode(step).decode() for step in inclusion(position, len(leaves), nodes_of(leaves))]
    return orjson.dumps({"version": version, "position": position, "leaf": leaves[position].hex(), "proof": path})


def _ended(rows: Sequence[bytes]) -> bytes:
    return b"".join(row + b"\n" for row in rows)


async def _made(contents: dict[str, bytes], manifest: dict[str, Any]) -> bytes:
    async def whole(content: bytes) -> AsyncIterator[bytes]:
        yield content

    return b"".join([part async for part in zipped({name: whole(c) for name, c in contents.items()}, manifest)])


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (FOLDER / name).write_bytes(content)
