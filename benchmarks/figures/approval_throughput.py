"""How many approvals a second sixteen projects get, against the front with one INSERT; and how far workflows lag."""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Sequence
from statistics import median

import orjson

from benchmarks.load import Lane, Load, Seen, put
from benchmarks.measure import Bar, Figure, Rounds, compared, interleaved, percentile
from benchmarks.site import Site
from benchmarks.tandem import Ballot, Tandem

PROJECTS = 16
LOOK = 0.05
Marks = list[tuple[float, dict[str, int]]]
"""(instant, stream → seen), oldest first."""


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Approvals a second; the lag of the workflows in milliseconds."""
    tandem = await site.tandem()
    plain = await site.plain_front()
    ballots = await tandem.ballots(PROJECTS)
    lanes = [Lane("/plain", ballot.lane.person, ballot.bodies) for ballot in ballots]
    lags: list[float] = []
    caught_up: list[float] = []

    async def ours() -> float:
        seen, after, marks = await _watched(tandem, ballots, rounds.lasting(3))
        lags.extend(_lags(ballots, seen, marks))
        caught_up.append(after)
        return seen.per_second

    async def other() -> float:
        return (await put(Load(plain, lanes, rounds.lasting(3)))).per_second

    await interleaved(1, ours, other)  # warm up
    lags.clear()
    caught_up.clear()
    pairs = await interleaved(rounds.count, ours, other)
    says = f"approvals, {PROJECTS} projects at once, against one INSERT behind the same web stack"
    return [
        compared("approval-throughput", says, "/s", pairs, Bar(0.25, at_most=False)),
        Figure("lag-under-load-p50", "commit → followed, under that load, p50", "ms", percentile(lags, 50)),
        Figure(
            "lag-under-load-p95",
            "commit → followed, under that load, p95",
            "ms",
            percentile(lags, 95),
            details={"samples": len(lags)},
        ),
        Figure("caught-up", "last answer → all workflows have followed", "s", median(caught_up)),
    ]


async def _watched(tandem: Tandem, ballots: list[Ballot], seconds: float) -> tuple[Seen, float, Marks]:
    """The votes, the seconds until all were followed, and how far workflows had come at each look."""
    marks: Marks = []
    watching = asyncio.create_task(_watch(tandem.dsn, marks))
    try:
        seen = await tandem.vote(ballots, seconds)
        await tandem.followed()
        after = time.monotonic() - max(lane[-1][1] for lane in seen.lanes)
        await asyncio.sleep(3 * LOOK)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return seen, after, marks


async def _watch(dsn: str, marks: Marks) -> None:
    import asyncpg

    connection = await asyncpg.connect(dsn)
    try:
        while True:
            rows = await connection.fetch("SELECT stream, seen FROM tandem.wake")
            marks.append((time.monotonic(), dict(rows)))
            await asyncio.sleep(LOOK)
    finally:
        connection.terminate()


def _lags(ballots: list[Ballot], seen: Seen, marks: Marks) -> list[float]:
    """Milliseconds from each answer to the first look that found it followed."""
    lags = []
    for ballot, lane in zip(ballots, seen.lanes, strict=True):
        versions = [mark.get(ballot.stream, 0) for _, mark in marks]
        for _, answered, body in lane:
            first = bisect_left(versions, orjson.loads(body)["version"])
            lags.append(1000 * max(0.0, marks[first][0] - answered))
    return lags
