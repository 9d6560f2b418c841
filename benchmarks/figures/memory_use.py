"""What a cached project takes."""

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import orjson

from activities.folding import Folded, advance
from activities.ports import Recorded
from benchmarks.measure import Figure, Rounds
from benchmarks.memory import MemoryPlayer
from benchmarks.site import Site
from benchmarks.stories import to_completion
from domain.project.aggregate import Project

PROJECTS = 1000


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """KiB of a project in execution, as Python's allocator counts them, over a thousand."""
    player = MemoryPlayer()
    await to_completion(player)
    facts = list(player.facts)
    _folded(facts)  # what is shared by all is not counted
    count = rounds.of(PROJECTS)
    tracemalloc.start()
    try:
        kept = [_folded(facts) for _ in range(count)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    says = f"memory of a cached project of {len(facts)} events, over {len(kept):,}"
    return [Figure("memory", says, "KiB", taken / count / 1024)]


def _folded(facts: Sequence[Recorded]) -> Folded:
    """Folded from values of its own, as they come decoded from the database."""
    own = [replace(fact, data=orjson.loads(orjson.dumps(fact.data))) for fact in facts]
    return advance(Folded(Project(str(uuid4()))), own)
