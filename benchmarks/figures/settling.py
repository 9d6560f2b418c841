"""What workflows have to do beside following: projects whose every command owes people messages."""

import asyncio
import time
from collections.abc import Sequence

from benchmarks.measure import Figure, Rounds
from benchmarks.site import Site

PROJECTS = 4


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Projects brought to their agreement at once (a gate passed, invitations, clocks), until all is done."""
    tandem = await site.tandem()
    await tandem.quiet()
    before, count = await tandem.told(), rounds.of(PROJECTS)
    began = time.monotonic()
    await asyncio.gather(*(tandem.prepared() for _ in range(count)))
    answered = time.monotonic() - began
    await tandem.followed()
    followed = time.monotonic() - began
    await tandem.quiet()
    told, taken = await tandem.told() - before, time.monotonic() - began
    details = {"projects": count, "answered_s": answered, "messages": told, "all_done_s": taken}
    return [
        Figure("settling", f"{count} projects begun → all followed", "s", followed, details=details),
        Figure("messages", f"messages delivered while {count} projects begin", "/s", told / taken, details=details),
    ]
