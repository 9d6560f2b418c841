"""Where an approval's processor time goes, until its workflow has followed it."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from benchmarks.cpu import readable, used
from benchmarks.load import Lane, Load, put
from benchmarks.measure import Figure, Rounds
from benchmarks.site import Site

PROJECTS = 16
OURS = ("server", "worker", "Temporal", "PostgreSQL")
PLAIN = ("plain-front", "PostgreSQL")


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Milliseconds of processor time by process; [] where the system does not tell."""
    if not readable():
        return []
    tandem = await site.tandem()
    plain = await site.plain_front()
    ballots = await tandem.ballots(PROJECTS)
    lanes = [Lane("/plain", ballot.lane.person, ballot.bodies) for ballot in ballots]
    spent: dict[str, list[float]] = defaultdict(list)
    for _ in range(min(3, rounds.count)):
        before = _used(site, OURS)
        seen = await tandem.vote(ballots, rounds.lasting(3))
        await tandem.followed()
        _add(spent, "ours", before, _used(site, OURS), seen.count)
        before = _used(site, PLAIN)
        seen = await put(Load(plain, lanes, rounds.lasting(2)))
        _add(spent, "plain", before, _used(site, PLAIN), seen.count)
    parts = {name: median(values) for name, values in spent.items()}
    ours, other = parts.pop("ours"), parts.pop("plain")
    says = "processor time of an approval until it is followed, against one INSERT behind the same web stack"
    return [
        Figure("cpu", says, "ms", ours, other, ours / other, details=parts),
        *(Figure(f"cpu-{name.lower()}", f"of it in {name}", "ms", parts[f"ours {name}"]) for name in OURS),
    ]


def _used(site: Site, names: Sequence[str]) -> dict[str, float]:
    return {name: used(site.pid(name)) for name in names}


def _add(
    spent: dict[str, list[float]], arm: str, before: dict[str, float], after: dict[str, float], count: int
) -> None:
    by_name = {name: 1000 * (after[name] - before[name]) / count for name in before}
    spent[arm].append(sum(by_name.values()))
    for name, milliseconds in by_name.items():
        spent[f"{arm} {name}"].append(milliseconds)
