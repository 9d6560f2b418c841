"""What the owner of a database can do to a log once the triggers are off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from domain.canonical import leaf_hash
from domain.checkpoint import Checkpoint, Signer
from domain.merkle import Edge
from store.rows import COLUMNS
from tests.conftest import Database

KEPT = ("event", "command", "tile", "checkpoint", "signing_key", "cosignature", "log")
Row = dict[str, Any]


@dataclass
class Owner:
    """A superuser's connection, nothing in the way."""

    connection: asyncpg.Connection

    @classmethod
    async def of(cls, database: Database) -> "Owner":
        connection = await asyncpg.connect(database.admin)
        await connection.set_type_codec("jsonb", schema="pg_catalog", format="binary", encoder=_jsonb, decoder=_plain)
        for table in KEPT:
            await connection.execute(f"ALTER TABLE tandem.{table} DISABLE TRIGGER ALL")
        return cls(connection)

    async def run(self, *statements: str) -> None:
        for statement in statements:
            await self.connection.execute(statement)

    async def rows(self) -> list[Row]:
        """Every event, in order of position."""
        return [
            dict(row) for row in await self.connection.fetch(f"SELECT {COLUMNS} FROM tandem.event ORDER BY position")
        ]

    async def rewrite(self, rows: Sequence[Row]) -> None:
        """These events instead, with positions, versions and hashes made anew, as if nothing had ever been else."""
        heads: dict[str, tuple[int, bytes]] = {}
        for position, row in enumerate(rows):
            version, prev = heads.get(row["stream"], (0, bytes(32)))
            row |= {"position": position, "version": version + 1, "prev_hash": prev}
            row["leaf_hash"] = leaf_hash(**{k: v for k, v in row.items() if k not in ("position", "leaf_hash")})
            heads[row["stream"]] = (version + 1, row["leaf_hash"])
        await self.connection.execute("TRUNCATE tandem.event")
        names = COLUMNS.split(", ")
        records = [tuple(row[name] for name in names) for row in rows]
        await self.connection.copy_records_to_table("event", schema_name="tandem", columns=names, records=records)
        await self.run(f"UPDATE tandem.log_head SET next_position = {len(rows)}")

    async def seal_anew(self, sizes: Sequence[int], seed: bytes) -> None:
        """Checkpoints of these sizes over what is there now, instead of those that were signed."""
        origin = f"tandem/{await self.connection.fetchval('SELECT id FROM tandem.log')}"
        await self.run("TRUNCATE tandem.checkpoint, tandem.signing_key, tandem.tile")
        leaves = [row["leaf_hash"] for row in await self.rows()]
        signer = Signer(origin, seed)
        for size in sizes:
            edge, tiles = Edge().grown(leaves[:size])
            checkpoint = Checkpoint(origin, size, edge.root())
            note = f"{checkpoint.body}\n{signer.sign(checkpoint)}\n"
            await self.connection.execute(
                "INSERT INTO tandem.checkpoint (size, at, root, note, key) VALUES ($1, now(), $2, $3, $4)",
                size,
                checkpoint.root,
                note,
                signer.key.vkey,
            )
        for tile in tiles:
            await self.connection.execute(
                "INSERT INTO tandem.tile (level, number, root, hashes) VALUES ($1, $2, $3, $4)",
                tile.level,
                tile.number,
                tile.root,
                b"".join(tile.hashes),
            )
        await self.connection.execute("INSERT INTO tandem.signing_key VALUES ($1, $2)", sizes[0], signer.key.vkey)


def _jsonb(value: Mapping[str, Any]) -> bytes:
    return b"\x01" + orjson.dumps(value)


def _plain(raw: bytes) -> Any:
    return orjson.loads(raw[1:])
