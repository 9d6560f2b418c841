"""The present state of a project with 10 events and of one with 10,000, both folded before."""

import time
from collections.abc import Sequence
from dataclasses import replace

from activities.decide import Step
from activities.ports import Append, Fact
from benchmarks.measure import Bar, Figure, Rounds, compared, interleaved
from benchmarks.memory import long_life
from benchmarks.site import APPLICATION, Site
from domain.canonical import fingerprint
from store.migrate import migrate
from store.postgres import PostgresStore

SHORT, LONG = 10, 10_000
AT_ONCE = 500
"""Facts in one append: made one by one they are stored in bulk."""


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Milliseconds for one `current`: the cached state, and the tail read from the database."""
    server = await site.postgres()
    await migrate(await site.database("states"))
    store = await PostgresStore.open(server.dsn(APPLICATION, "states"))
    try:
        step = Step(store, {})
        long = await stored(store, rounds.of(LONG))
        short = await stored(store, SHORT)
        calls = rounds.of(400)
        pairs = await interleaved(
            rounds.count, lambda: _current(step, long, calls), lambda: _current(step, short, calls)
        )
    finally:
        await store.close()
    says = f"state at {rounds.of(LONG):,} events against {SHORT} events, warm"
    return [compared("warm-state", says, "ms", pairs, Bar(1.5, at_most=True))]


async def _current(step: Step, project_id: str, calls: int) -> float:
    await step.states.current(project_id)
    began = time.perf_counter()
    for _ in range(calls):
        await step.states.current(project_id)
    return 1000 * (time.perf_counter() - began) / calls


async def stored(store: PostgresStore, events: int) -> str:
    """The id of a stored project with exactly so many events."""
    player = await long_life(events)
    appends = player.memory.appends
    while sum(len(append.facts) for append in appends) > events:
        appends = appends[:-1]
    facts = [fact for append in appends for fact in append.facts]
    for start in range(0, len(facts), AT_ONCE):
        await store.append(_together(appends[-1], facts[start : start + AT_ONCE], start))
    return player.project_id


def _together(last: Append, facts: Sequence[Fact], start: int) -> Append:
    """Many facts as one append, with the page of the last."""
    command_id = f"in-bulk-{start}"
    return replace(
        last,
        expected_version=start,
        command_id=command_id,
        fingerprint=fingerprint(command_id),
        facts=facts,
    )
