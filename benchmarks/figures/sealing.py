"""What chain and sealing cost an append, and how many events one core seals."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from hashlib import sha256
from statistics import median

import asyncpg
import orjson

from activities.hashed import Hashed, Written, hashed
from activities.ports import Append, Fact, VerdictKind
from activities.seal import SealOrder, SealSteps
from benchmarks.cpu import used
from benchmarks.measure import Bar, Figure, Rounds, compared, interleaved
from benchmarks.memory import MemoryPlayer
from benchmarks.site import APPLICATION, Site, name_of
from benchmarks.stories import VOTER, to_agreement, votes
from dev.home import CHECKOUT
from store.connect import Pool
from store.migrate import migrate
from store.postgres import PostgresStore
from store.tree import Tree

CALLERS = 32
VOTES = 300
SECONDS = 12
RATE = 5_000
"""Events a second that sealing has to keep up with."""
TEMPLATE = "seal_template"
GIVEN = (
    *("stream", "version", "event_id", "type", "schema_version", "recorded_at", "effective_at"),
    *("metadata", "data", "prev_hash"),
)
FILL = """
    WITH head AS (UPDATE tandem.log_head SET next_position = next_position + $2 RETURNING next_position - $2 AS start)
    INSERT INTO tandem.event
    SELECT head.start + no - 1, head.start + no, now(), now(), 1, gen_random_uuid(), 'p', 'VoteCast', leaf, leaf,
           $3, $4
    FROM head, unnest($1::bytea[]) WITH ORDINALITY AS given (leaf, no)
"""
Made = Callable[[Fact], Hashed]


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Two figures.

    The cost: real votes of 32 callers, hashed into their chain while the clock runs and sealed beside it by a process
    of its own four times a second, against the same appends whose hashes were made before the clock started and that
    nobody seals. The appended rows are the same.

    The rate: processor time of sealing, the database's included, where every second has brought 5,000 events.
    """
    callers = [await _appends(rounds.of(VOTES)) for _ in range(CALLERS)]
    await migrate(await site.database(TEMPLATE))

    async def sealed() -> float:
        return await _taken(site, callers, _hashed, seal=True)

    async def bare() -> float:
        return await _taken(site, callers, _encoded, seal=False)

    await interleaved(1, sealed, bare)  # warm up
    pairs = await interleaved(rounds.count, sealed, bare)
    says = f"appends of {CALLERS} callers with chain and sealing, against the same without"
    return [
        compared("seal-append", says, "s", pairs, Bar(1.15, at_most=True)),
        await _rate(site, rounds),
    ]


# Appending


async def _appends(count: int) -> list[Append]:
    player = MemoryPlayer()
    await to_agreement(player)
    bodies = votes(await player.open_subject())
    for number in range(count):
        await player.do(VOTER, "Vote", **bodies[number % len(bodies)])
    return player.memory.appends


def _hashed(fact: Fact) -> Hashed:
    """As a step does it: canonical bytes, hash over the hash before."""
    return hashed(**{name: getattr(fact, name) for name in GIVEN})


def _encoded(fact: Fact) -> Hashed:
    """The JSON that a store needs anyway, and a hash that was made before."""
    made = Hashed(**{name: getattr(fact, name) for name in (*GIVEN, "leaf_hash")})
    contents = orjson.dumps(fact.metadata), orjson.dumps(fact.data)
    object.__setattr__(made, "written", Written(*contents, len(contents[0]) + len(contents[1])))
    return made


def _made(append: Append, make: Made) -> Append:
    facts = [make(fact) for fact in append.facts]
    return Append(
        append.stream,
        append.expected_version,
        append.command_id,
        append.fingerprint,
        facts,
        append.answer,
        append.page,
    )


async def _taken(site: Site, callers: list[list[Append]], make: Made, *, seal: bool) -> float:
    """Seconds for all votes."""
    dsn = await site.database(template=TEMPLATE)
    app = (await site.postgres()).dsn(APPLICATION, name_of(dsn))
    store = await PostgresStore.open(app, patience=30)

    async def call(appends: list[Append]) -> None:
        for append in appends:
            verdict = await store.append(_made(append, make))
            assert verdict.kind is VerdictKind.OK, verdict

    first = sum(append.facts[0].metadata["actor"]["principal"] != VOTER for append in callers[0])
    try:
        await asyncio.gather(*(call(appends[:first]) for appends in callers))
        async with _sealer(app) if seal else nullcontext():
            began = time.perf_counter()
            await asyncio.gather(*(call(appends[first:]) for appends in callers))
            return time.perf_counter() - began
    finally:
        await store.close()
        await site.drop(dsn)


@asynccontextmanager
async def _sealer(dsn: str) -> AsyncIterator[None]:
    program = [sys.executable, "-m", "benchmarks.sealer", dsn]
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE, cwd=CHECKOUT)
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield
        assert process.returncode is None, "the sealer has ended"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


# Sealing alone


async def _rate(site: Site, rounds: Rounds) -> Figure:
    dsn = await site.database(template=TEMPLATE)
    server = await site.postgres()
    pool = await Pool.open(server.dsn(APPLICATION, name_of(dsn)), 2)
    owner = await asyncpg.connect(dsn)
    try:
        speeds = [await _second(site, pool, owner) for _ in range(rounds.of(SECONDS))]
    finally:
        await owner.close()
        pool.terminate()
        await site.drop(dsn)
    says = f"events sealed by one core, {RATE:,} at a time, the database's part included"
    return Figure("seal-rate", says, "/s", median(speeds), bar=Bar(RATE, at_most=False), details={"rounds": speeds})


async def _second(site: Site, pool: Pool, owner: asyncpg.Connection) -> float:
    """Events sealed a second of processor time."""
    tree = Tree(pool)
    last, head = await tree.latest(), await tree.head()
    leaves = [sha256(number.to_bytes(8, "big")).digest() for number in range(head, head + RATE)]
    fields = [orjson.dumps({"actor": {"principal": "li.wei"}, "text": "x" * 300}).decode()] * 2
    await owner.execute(FILL, leaves, RATE, *fields)
    steps, order = SealSteps(tree, bytes(32)), SealOrder(size=last.size, note=last.note) if last else SealOrder()
    began = _spent(site)
    report = await steps.seal(order)
    assert report.size == head + RATE
    return RATE / (_spent(site) - began)


def _spent(site: Site) -> float:
    """Seconds of processor time of this process and the database's."""
    return time.process_time() + used(site.pid("PostgreSQL"))
