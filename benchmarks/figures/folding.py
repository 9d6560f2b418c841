"""Folding a long stream from its first event, as a process does that meets a project for the first time."""

import time
from collections.abc import Sequence
from statistics import median

from activities.folding import Folded, advance
from benchmarks.measure import Figure, Rounds
from benchmarks.memory import long_life
from benchmarks.site import Site
from domain.project.aggregate import Project

EVENTS = 10_000


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Milliseconds, and events a second, without the database."""
    events = rounds.of(EVENTS)
    player = await long_life(events)
    facts = list(player.facts)[:events]
    taken = []
    for _ in range(rounds.count):
        began = time.perf_counter()
        folded = advance(Folded(Project(player.project_id)), facts)
        taken.append(time.perf_counter() - began)
        assert folded.version == events
    return [
        Figure("fold", f"fold of {events:,} events", "ms", 1000 * median(taken)),
        Figure("fold-rate", "events folded", "/s", events / median(taken)),
    ]
