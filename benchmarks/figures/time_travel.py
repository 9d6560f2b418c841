"""The page of a project with 10,000 events as of any version, against its live page: the whole route, no network."""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import Random
from typing import Any

from activities.decide import Step
from api.app import build
from api.dispatch import Door
from api.newest import Newest
from api.parts import Installation, Parts, Surroundings
from api.wakes import Wakes
from auth.development import DevelopmentAuthenticator
from benchmarks.figures.warm_state import stored
from benchmarks.measure import Bar, Figure, Rounds, compared, interleaved
from benchmarks.site import APPLICATION, Site
from benchmarks.stories import PMO
from store.migrate import migrate
from store.postgres import PostgresStore

EVENTS, CALLS, WARMING = 10_000, 300, 2_000
Get = Callable[[str], Awaitable[None]]


class NobodyToWake:
    """There is no engine here, and nothing to tell it."""

    async def wake(self, project_id: str, version: int) -> None:
        return None


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Milliseconds for one page at random versions, after others at random were looked at; and for the very first."""
    server = await site.postgres()
    await migrate(await site.database("past"))
    store = await PostgresStore.open(server.dsn(APPLICATION, "past"))
    try:
        events, calls = rounds.of(EVENTS), rounds.of(CALLS)
        page = f"/v1/projects/{await stored(store, events)}"
        parts = _parts(store)
        # The same versions in every run: nothing here has to be unguessable (S311 is excused for that).
        get, chance = _asking(parts), Random(4)  # noqa: S311
        await get(page)

        def past(count: int) -> Iterable[str]:
            return (f"{page}?as_of={chance.randint(1, events)}" for _ in range(count))

        first = await _each(get, [f"{page}?as_of={events}"])
        await _each(get, past(rounds.of(WARMING)))
        pairs = await interleaved(rounds.count, lambda: _each(get, past(calls)), lambda: _each(get, [page] * calls))
    finally:
        await store.close()
    says = f"page as of any version of {events:,} events against the live page, warm"
    return [
        compared("time-travel", says, "ms", pairs, Bar(3, at_most=True), kept=parts.past.kept),
        Figure("time-travel-first", f"the first look at version {events:,}, nothing kept", "ms", first),
    ]


def _parts(store: PostgresStore) -> Parts:
    async def yes() -> bool:
        return True

    step = Step(store, {})
    return Parts(store, step, Door(step, store, Wakes(NobodyToWake())), Newest(store), yes, yes)


def _asking(parts: Parts) -> Get:
    """Asks the application itself, past any server and client: what is measured is the route."""
    app = build(Surroundings(DevelopmentAuthenticator(), Installation("0", "bench"), parts))

    async def get(path: str) -> None:
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await app(_scope(path), receive, send)
        assert statuses == [200], f"{path} answered {statuses}"

    return get


def _scope(path: str) -> dict[str, Any]:
    where, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": where,
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"authorization", f"Bearer dev:{PMO}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


async def _each(get: Get, paths: Iterable[str]) -> float:
    """Milliseconds for one of them, asked one after the other."""
    asked = list(paths)
    began = time.perf_counter()
    for path in asked:
        await get(path)
    return 1000 * (time.perf_counter() - began) / len(asked)
