"""How long one person waits for an approval, against a front that does one INSERT."""

from collections.abc import Sequence

from benchmarks.load import Lane, Load, put
from benchmarks.measure import Bar, Figure, Rounds, compared, interleaved, percentile
from benchmarks.site import Site


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """p50 of one caller, in milliseconds."""
    tandem = await site.tandem()
    plain = await site.plain_front()
    ballots = await tandem.ballots(1)
    lane = Lane("/plain", ballots[0].lane.person, ballots[0].bodies)

    async def ours() -> float:
        seen = await tandem.vote(ballots, most=rounds.of(200))
        await tandem.followed()
        return percentile(seen.milliseconds, 50)

    async def other() -> float:
        return percentile((await put(Load(plain, [lane], most=rounds.of(200)))).milliseconds, 50)

    await interleaved(1, ours, other)  # warm up
    pairs = await interleaved(rounds.count, ours, other)
    says = "approval alone, p50, against one INSERT behind the same web stack"
    return [compared("approval-alone", says, "ms", pairs, Bar(6, at_most=True))]
