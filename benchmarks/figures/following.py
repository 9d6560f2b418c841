"""How long after a fact its workflow has acted on it, when little happens."""

import asyncio
import json
import time
from collections.abc import Sequence

from benchmarks.load import Connection
from benchmarks.measure import Bar, Figure, Rounds, percentile
from benchmarks.site import Site
from benchmarks.tandem import Ballot, Tandem

PROJECTS = 4
PAUSE = 0.15


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Milliseconds from sending one vote (so deciding and storing it is included) to the wake mark."""
    tandem = await site.tandem()
    ballots = await tandem.ballots(PROJECTS)
    caller = Connection(tandem.port)
    for ballot in ballots:  # warm up
        await _lag(tandem, ballot, caller)
    lags = []
    for number in range(rounds.of(60)):
        lags.append(await _lag(tandem, ballots[number % PROJECTS], caller))
        await asyncio.sleep(PAUSE)
    await caller.close()
    says = "vote sent → its workflow has followed it, idle"
    return [
        Figure("following-p50", f"{says}, p50", "ms", percentile(lags, 50)),
        Figure(
            "following-p95",
            f"{says}, p95",
            "ms",
            percentile(lags, 95),
            bar=Bar(250, at_most=True),
            details={"samples": [round(lag, 1) for lag in lags]},
        ),
    ]


async def _lag(tandem: Tandem, ballot: Ballot, caller: Connection) -> float:
    lane = ballot.lane
    ballot.sent += 1
    sent = time.monotonic()
    answer = await caller.ask("POST", lane.path, lane.person, json.loads(lane.bodies[lane.start % len(lane.bodies)]))
    sql = "SELECT seen FROM tandem.wake WHERE stream = $1"
    seen = 0
    while seen < answer["version"]:
        await asyncio.sleep(0.002)
        seen = await tandem.connection.fetchval(sql, ballot.stream)
    return 1000 * (time.monotonic() - sent)
