"""Approvals against the same front asking a Temporal workflow whose update does nothing."""

from collections.abc import Sequence

from benchmarks.load import Lane, Load, put
from benchmarks.measure import Bar, Figure, Rounds, compared, interleaved
from benchmarks.site import Site

PROJECTS = 16


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Approvals a second against empty updates a second, sixteen callers each."""
    tandem = await site.tandem()
    workflows = [f"empty-{number}" for number in range(PROJECTS)]
    front = await site.update_front(workflows)
    ballots = await tandem.ballots(PROJECTS)
    pairs = zip(workflows, ballots, strict=True)
    lanes = [Lane(f"/update/{workflow}", b.lane.person, b.bodies) for workflow, b in pairs]

    async def ours() -> float:
        seen = await tandem.vote(ballots, rounds.lasting(3))
        await tandem.followed()
        return seen.per_second

    async def other() -> float:
        return (await put(Load(front, lanes, rounds.lasting(3)))).per_second

    await interleaved(1, ours, other)  # warm up
    measured = await interleaved(rounds.count, ours, other)
    says = f"approvals, {PROJECTS} projects at once, against an empty Temporal update behind the same web stack"
    return [compared("against-updates", says, "/s", measured, Bar(2.5, at_most=False))]
