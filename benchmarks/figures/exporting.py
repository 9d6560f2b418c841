"""Exporting the whole log against a plain COPY of the same rows to a file, and what memory it takes."""

import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from activities.seal import SealOrder, SealSteps
from benchmarks.measure import Bar, Figure, Rounds, compared, interleaved
from benchmarks.memory import long_life
from benchmarks.site import APPLICATION, Site, name_of
from store.connect import prepare
from store.migrate import migrate
from store.packing import Packer
from store.postgres import PostgresStore
from store.rows import COLUMNS
from store.tree import Tree

EVENTS = 1_000_000
MOST_ROUNDS = 3
"""Each takes long, and the first of them finds the machine still writing what was made for it."""
PATTERN = 2_000
"""Real events of one project, stored again and again under other streams; hashes are not what is measured here."""
AGAIN = f"""
    INSERT INTO tandem.event ({COLUMNS})
    SELECT e.stream || '-' || n, e.version, gen_random_uuid(), e.type, e.schema_version, e.recorded_at, e.effective_at,
           e.metadata, e.data, e.prev_hash, e.leaf_hash, e.position + n * $1
    FROM generate_series(1, $2) n, tandem.event e WHERE e.position < $1
"""


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Seconds of both; how far the peak of this process's memory lies above what it had before."""
    dsn = await site.database("exported")
    await migrate(dsn)
    count = await _filled(dsn, rounds.of(EVENTS))
    store = await PostgresStore.open((await site.postgres()).dsn(APPLICATION, name_of(dsn)), patience=60)
    steps = SealSteps(Tree(store.pool), bytes(32))
    while (await steps.seal(SealOrder())).more:
        pass
    file, grown = site.home.folder / "exported", list[float]()

    async def ours() -> float:
        before = _memory("VmRSS", anew=True)
        taken = await _exported(store, file)
        grown.append(_memory("VmHWM") - before)
        return taken

    async def plain() -> float:
        return await _copied(dsn, file)

    measured = await interleaved(min(rounds.count, MOST_ROUNDS), ours, plain)
    await store.close()
    await site.drop(dsn)
    says = f"a pack of {count:,} events against COPY of the same rows"
    return [
        compared("export", says, "s", measured, Bar(3, at_most=True)),
        Figure(
            "export-memory",
            f"what a pack of {count:,} events adds to the peak of memory",
            "MiB",
            max(grown),
            bar=Bar(64, at_most=True),
        ),
    ]


async def _filled(dsn: str, wanted: int) -> int:
    facts = list((await long_life(PATTERN)).facts)[:PATTERN]
    connection = await asyncpg.connect(dsn)
    await prepare(connection)
    names = COLUMNS.split(", ")
    records = [(*(getattr(fact, name) for name in names[:-1]), at) for at, fact in enumerate(facts)]
    await connection.copy_records_to_table("event", schema_name="tandem", columns=names, records=records)
    again = max(0, wanted // PATTERN - 1)
    await connection.execute(AGAIN, PATTERN, again, timeout=300)
    count = PATTERN * (again + 1)
    await connection.execute("UPDATE tandem.log_head SET next_position = $1", count)
    await connection.execute("VACUUM ANALYZE tandem.event", timeout=300)
    await connection.close()
    return count


async def _exported(store: PostgresStore, file: Path) -> float:
    began = time.perf_counter()
    with file.open("wb") as out:
        async for part in await Packer(store.pool).log():
            out.write(part)
    return time.perf_counter() - began


async def _copied(dsn: str, file: Path) -> float:
    connection = await asyncpg.connect(dsn)
    began = time.perf_counter()
    with file.open("wb") as out:

        async def write(part: bytes) -> None:
            out.write(part)

        await connection.copy_from_query(
            f"SELECT {COLUMNS} FROM tandem.event ORDER BY position", output=write, timeout=600
        )
    await connection.close()
    return time.perf_counter() - began


def _memory(name: str, *, anew: bool = False) -> float:
    """A line of /proc/self/status in MiB; `anew` forgets the peak so far."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024
