"""What it costs to know who asks and whether they may, in the time that one person waits for an approval.

Both arms are servers of ours on the same database, each voting on a project of its own, which are equal. One takes
everybody for the same person and looks at nothing before the rules do; the other finds the credential, the person in a
directory of two hundred, counts the request, and looks at scope and sight. What the rules check is in both.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from activities.keeping import Keeping
from auth.credentials import COOKIE
from auth.identity import Scope
from auth.sessions import Sessions
from auth.tokens import Tokens
from benchmarks.load import Lane, Load, put
from benchmarks.measure import Bar, Figure, Rounds, compared, interleaved, percentile
from benchmarks.site import Site
from benchmarks.stories import PMO, VOTER
from benchmarks.tandem import Ballot, Tandem
from domain.directory.importing import ImportPeople
from domain.directory.people import FoundDirectory
from domain.directory.record import STREAM
from domain.messages import Actor
from store.postgres import PostgresStore

PEOPLE = 200
VOTES = 60
"""In one turn of an arm: short turns, so that what else the machine does meets both arms."""
TURNS = 4
"""For one round of other figures."""
BAR = Bar(1.10, at_most=True)


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """p50 of one caller, in milliseconds, by each kind of credential."""
    tandem = await site.tandem()
    store = await PostgresStore.open(tandem.dsn, pool_size=2)
    try:
        await _directory(store)
        credentials = {"token": await _token(store), "session": await _session(store)}
    finally:
        await store.close()
    trusting = await site.trusting_server(VOTER)
    guarded, plain = await tandem.ballots(2)
    return [
        await _compared(name, tandem, rounds, _Arm(tandem.port, guarded, credential), _Arm(trusting, plain, credential))
        for name, credential in credentials.items()
    ]


class _Arm:
    """One caller at one server."""

    def __init__(self, port: int, ballot: Ballot, credential: str) -> None:
        self._port = port
        self._ballot = ballot
        self._credential = credential

    async def median_of(self, votes: int) -> float:
        lane = self._ballot.lane
        guarded = Lane(lane.path, lane.person, lane.bodies, lane.start, self._credential)
        seen = await put(Load(self._port, [guarded], most=votes))
        self._ballot.sent += seen.count
        return percentile(seen.milliseconds, 50)


async def _compared(name: str, tandem: Tandem, rounds: Rounds, guarded: _Arm, plain: _Arm) -> Figure:
    async def ours() -> float:
        taken = await guarded.median_of(rounds.of(VOTES))
        await tandem.followed()
        return taken

    async def other() -> float:
        taken = await plain.median_of(rounds.of(VOTES))
        await tandem.followed()
        return taken

    await interleaved(2, ours, other)  # warm up
    pairs = await interleaved(rounds.count * TURNS, ours, other)
    says = f"approval with a {name} that is looked at, p50, against a server that trusts everybody"
    return compared(f"guard-{name}", says, "ms", pairs, BAR)


async def _directory(store: PostgresStore) -> None:
    """Founded by the PMO, with so many people in it, the voter among them."""
    keeping, actor = Keeping(store), Actor(PMO)
    await keeping.submit(STREAM, FoundDirectory(), actor, "found")
    names = [VOTER, *(f"person.{number}" for number in range(PEOPLE - 2))]
    rows = ImportPeople.model_validate({"rows": [{"person": name} for name in names]})
    await keeping.submit(STREAM, rows, actor, "import")


async def _token(store: PostgresStore) -> str:
    until = datetime.now(UTC) + timedelta(days=1)
    scopes = [Scope.READ, Scope.ACT]
    secret, _ = await Tokens(store.pool).make(VOTER, "personal", "measured", scopes, until, VOTER)
    return f"Authorization: Bearer {secret}"


async def _session(store: PostgresStore) -> str:
    secret, _ = await Sessions(store.pool).open(VOTER, "password")
    return f"Cookie: {COOKIE}={secret}\r\nSec-Fetch-Site: same-origin"
