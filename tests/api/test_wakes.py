"""Wakes: one signal in flight a project, bounded, never on the caller's time, silent when the engine is away."""

import asyncio
from dataclasses import dataclass, field

import pytest
from temporalio.client import Client

from activities.sweep import LAG
from api.waker import TemporalWaker
from api.wakes import REST_SECONDS, Wakes, rest_of
from tests.api.asking import Recorder


@dataclass
class Slow:
    """A waker that waits for `go`."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[tuple[str, int]] = field(default_factory=list)
    flying: int = 0
    most: int = 0

    async def wake(self, project_id: str, version: int) -> None:
        self.calls.append((project_id, version))
        self.flying += 1
        self.most = max(self.most, self.flying)
        await self.go.wait()
        self.flying -= 1


async def settled(wakes: Wakes) -> None:
    async with asyncio.timeout(2):
        while wakes.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_what_comes_while_a_signal_is_in_flight_is_told_by_one_more() -> None:
    waker = Slow()
    wakes = Wakes(waker, rest=0)
    wakes.tell("p", 1)
    await asyncio.sleep(0)
    for version in (2, 5, 3):
        wakes.tell("p", version)
    await asyncio.sleep(0)
    assert waker.calls == [("p", 1)]
    waker.go.set()
    await settled(wakes)
    assert (waker.calls, waker.most, wakes.told) == ([("p", 1), ("p", 5)], 1, 2)


async def test_a_busy_project_is_told_of_many_facts_at_once() -> None:
    waker = Recorder()
    wakes = Wakes(waker, rest=0.05)
    for version in range(1, 50):
        wakes.tell("p", version)
        await asyncio.sleep(0)
    await settled(wakes)
    assert wakes.told == 2


def test_many_busy_projects_rest_longer_than_a_few_and_less_than_the_sweep_waits() -> None:
    assert [rest_of(REST_SECONDS, busy) for busy in (1, 5, 10, 15, 1000)] == [0.5, 0.5, 1.0, 1.5, 1.5]
    assert rest_of(REST_SECONDS, 1000) < LAG.total_seconds()
    assert rest_of(0, 1000) == 0


async def test_a_quiet_project_is_told_at_once_however_many_rest() -> None:
    recorder = Recorder()
    wakes = Wakes(recorder, rest=60)
    for number in range(100):
        wakes.tell(f"busy-{number}", 1)
        wakes.tell(f"busy-{number}", 2)
    wakes.tell("quiet", 1)
    for _ in range(5):
        await asyncio.sleep(0)
    assert recorder.calls[-1] == ("quiet", 1)
    await wakes.close()


async def test_only_so_many_are_in_flight_at_once() -> None:
    waker = Slow()
    wakes = Wakes(waker, rest=0, at_once=3)
    for number in range(20):
        wakes.tell(f"p{number}", 1)
    await asyncio.sleep(0.01)
    assert waker.flying == 3
    waker.go.set()
    await settled(wakes)
    assert (len(waker.calls), waker.most) == (20, 3)


async def test_beyond_the_bound_wakes_are_dropped_but_known_projects_still_count() -> None:
    waker = Slow()
    wakes = Wakes(waker, rest=0, most_waiting=2, at_once=1)
    for project in ("flying", "a", "b", "c"):
        wakes.tell(project, 1)
        await asyncio.sleep(0)
    wakes.tell("a", 9)
    waker.go.set()
    await settled(wakes)
    assert (waker.calls, wakes.dropped) == ([("flying", 1), ("a", 9), ("b", 1)], 1)


async def test_failures_are_counted_and_complained_about_once(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        async def wake(self, project_id: str, version: int) -> None:
            raise RuntimeError("away")

    wakes = Wakes(Failing(), rest=0)
    for number in range(5):
        wakes.tell(f"p{number}", 1)
    await settled(wakes)
    assert (wakes.failed, wakes.told, len(caplog.records)) == (5, 0, 1)


async def test_closing_waits_a_little_and_no_longer() -> None:
    wakes = Wakes(Slow(), rest=0)
    wakes.tell("p", 1)
    await asyncio.sleep(0)
    await asyncio.wait_for(wakes.close(patience=0.01), 1)
    recorder = Recorder()
    quick = Wakes(recorder, rest=0)
    quick.tell("p", 1)
    await quick.close()
    assert recorder.calls == [("p", 1)]


async def test_an_engine_that_is_away_is_tried_once_in_a_while() -> None:
    attempts = 0

    async def connect() -> Client:
        nonlocal attempts
        attempts += 1
        raise RuntimeError("nobody there")

    waker = TemporalWaker(connect, "tandem")
    for _ in range(5):
        with pytest.raises(Exception, match=r"nobody there|a moment ago"):
            await waker.wake("p", 1)
    assert (attempts, await waker.reachable()) == (1, False)
