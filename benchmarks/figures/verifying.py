"""How fast the stand-alone verifier walks a log: strict lines, chain, tree, on one core."""

import time
from collections.abc import Sequence
from statistics import median

from activities.ports import Recorded
from benchmarks.measure import Bar, Figure, Rounds
from benchmarks.memory import long_life
from benchmarks.site import Site
from domain.canonical import canonical, envelope_bytes
from verifier.tandem_verify import Walk

EVENTS = 10_000


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Events a second of processor time over the real events of one long project."""
    player = await long_life(rounds.of(EVENTS))
    lines = [_line(fact) for fact in player.facts]
    speeds = [_speed(lines) for _ in range(rounds.count + 1)][1:]
    size = sum(map(len, lines)) / len(lines)
    says = f"events verified by one core, {size:.0f} bytes each"
    details = {"rounds": speeds}
    return [Figure("verify", says, "/s", median(speeds), bar=Bar(50_000, at_most=False), details=details)]


def _line(fact: Recorded) -> bytes:
    return envelope_bytes(
        stream=fact.stream,
        version=fact.version,
        event_id=fact.event_id,
        type=fact.type,
        schema_version=fact.schema_version,
        recorded_at=fact.recorded_at,
        effective_at=fact.effective_at,
        metadata=canonical(fact.metadata),
        data=canonical(fact.data),
        prev_hash=fact.prev_hash,
    )


def _speed(lines: Sequence[bytes]) -> float:
    walk = Walk()
    began = time.process_time()
    wrong = [found for line in lines if (found := walk.add(line))]
    taken = time.process_time() - began
    assert not wrong, wrong[0]
    return len(lines) / taken
