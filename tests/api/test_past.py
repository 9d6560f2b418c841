"""The past is what it was: the same as replay as of any version and instant, on both axes, however small the cache."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache
from random import Random

import pytest

from activities.folding import event_of, happened, stream_of
from activities.past import EVERY, Past
from activities.ports import Recorded, StreamRewound
from domain.decider import COMMANDS
from domain.project.aggregate import Project
from domain.project.measurements import KpiMeasured
from domain.story import evolve
from projections.past import Archive
from store.postgres import PostgresStore
from tests.api.travelling import stored
from tests.domain.test_anything import Crowd
from tests.plays import executing, planned
from tests.spec import MONDAY, PMO, PRODUCT, Play


@cache
def story(seed: int) -> Play:
    """Everybody doing anything, for a long while."""
    crowd = Crowd(seed)
    while len(crowd.play.facts) < 180 and not crowd.play.project.ended:
        crowd.chance.choice([crowd.something_possible, crowd.what_waits, crowd.go_on, crowd.lifecycle_acts])()
        crowd.time_passes()
    return crowd.play


@pytest.mark.parametrize(("size", "versions"), [(7, 50), (5000, 250)])
async def test_as_of_equals_replay_at_a_thousand_random_versions(
    store: PostgresStore, size: int, versions: int
) -> None:
    past, chance = Past(Archive(store.pool), size), Random(size)  # noqa: S311  the same seed looks at the same
    for seed in range(4):
        play = story(seed)
        project = await stored(store, play)
        for version in chance.choices(range(1, len(play.facts) + 1), k=versions):
            folded = await past.as_of(project, version)
            assert folded.project == play.facts[version - 1].after.but(id=project)
        assert past.kept <= size


async def test_as_of_an_instant_is_what_was_recorded_by_then(store: PostgresStore) -> None:
    past, chance, play = Past(Archive(store.pool)), Random(3), story(5)  # noqa: S311
    project, head = await stored(store, play), len(play.facts)
    first, last = play.facts[0].happened.at, play.facts[-1].happened.at
    exact = [fact.happened.at for fact in play.facts]
    between = [first + (last - first) * chance.random() for _ in range(200)]
    for at in [*exact, *between, first - timedelta(microseconds=1), last + timedelta(days=900)]:
        expected = sum(fact.happened.at <= at for fact in play.facts)
        assert await past.version_at(project, at, head) == expected


async def test_the_cache_is_asked_first_and_is_bounded(store: PostgresStore) -> None:
    play = story(1)
    project, archive = await stored(store, play), Counting(store)
    past = Past(archive, 5)
    await past.as_of(project, 5 * EVERY)
    await past.as_of(project, 5 * EVERY)
    assert archive.read_facts == 5 * EVERY + EVERY
    await past.as_of(project, 5 * EVERY + 3)
    assert archive.read_facts == 5 * EVERY + EVERY + 3
    assert past.kept == 5
    nothing = Past(Archive(store.pool), 0)
    assert (await nothing.as_of(project, 60)).project == play.facts[59].after.but(id=project)
    assert nothing.kept == 0


class Counting(Archive):
    """Counts what is read."""

    def __init__(self, store: PostgresStore) -> None:
        super().__init__(store.pool)
        self.read_facts = 0

    async def read(self, stream: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        facts = await super().read(stream, after, limit)
        self.read_facts += len(facts)
        return facts


async def test_a_kept_state_of_another_history_is_folded_anew(store: PostgresStore) -> None:
    """As after a restore: the same stream has another past than the one that was kept."""
    first, second = story(1), story(2)
    project, other = await stored(store, first), await stored(store, second)
    past = Past(Renamed(store, {stream_of(project): stream_of(project)}))
    await past.as_of(project, 2 * EVERY + 1)
    past._archive = Renamed(store, {stream_of(project): stream_of(other)})  # the database was exchanged
    assert (await past.as_of(project, 2 * EVERY + 1)).project == second.facts[2 * EVERY].after.but(id=project)


class Renamed(Archive):
    """Finds one stream under another's name."""

    def __init__(self, store: PostgresStore, names: dict[str, str]) -> None:
        super().__init__(store.pool)
        self._names = names

    async def read(self, stream: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        return await super().read(self._names[stream], after, limit)


async def test_a_version_that_is_gone_is_told_loudly(store: PostgresStore) -> None:
    play = story(1)
    project = await stored(store, play)
    with pytest.raises(StreamRewound):
        await Past(Archive(store.pool)).as_of(project, len(play.facts) + 1)


# What was true then


def measured(chance: Random, play: Play) -> None:
    """A measurement of some day since the start, now and then one that corrects the one that counts."""
    kpi = chance.choice(["online-share", "on-time"])
    latest = play.project.agreement.latest.get(kpi)
    correcting = {"corrects": latest.id, "reason": "Misread"} if latest and chance.random() < 0.4 else {}
    started = play.project.started_at
    assert started is not None
    day = started.date() + timedelta(days=chance.randint(0, max(0, (play.now.date() - started.date()).days)))
    data = COMMANDS["RecordMeasurement"].example | {"kpi": kpi, "effective_on": str(day)} | correcting
    play.do("RecordMeasurement", PMO, **data | {"value": str(chance.randint(60, 95))})


def told_late(seed: int) -> Play:
    """A project in which much is recorded long after it was true."""
    chance, play = Random(seed), planned()  # noqa: S311
    milestones = [m.id for m in play.project.plan.baseline.milestones] if play.project.plan.baseline else []
    for number in range(40):
        play.later(days=chance.choice([0, 0, 1, 3]))
        measured(chance, play)
        if number == 20:
            for one in milestones:
                play.do("ReachMilestone", PMO, milestone=one, reached_on=str(date(2026, 3, 5)), evidence="Signed")
    return play


def replayed(facts: Sequence[Recorded], project: str, known: int, at: datetime) -> Project:
    """The definition: of what is known, what was true by then, without what is known to be put right by later."""
    told = [(fact, event_of(fact)) for fact in facts[:known]]
    void: set[str] = set()
    for fact, event in reversed(told):
        if isinstance(event, KpiMeasured) and event.corrects and (fact.effective_at > at or event.measurement in void):
            void.add(event.corrects)
    state = Project(project)
    for fact, event in told:
        if fact.effective_at <= at and not (isinstance(event, KpiMeasured) and event.measurement in void):
            state = evolve(state, event, happened(fact))
    return state


def comparable(state: Project) -> Project:
    """Without what says when it is looked at: the version known, the latest change, clocks."""
    return state.but(version=0, changed_at=None, clocks={})


@pytest.mark.parametrize("seed", range(2))
async def test_what_was_true_then_is_what_the_facts_of_then_amount_to(store: PostgresStore, seed: int) -> None:
    past, chance, play = Past(Archive(store.pool)), Random(seed), told_late(seed)  # noqa: S311
    project = await stored(store, play)
    facts, head = await store.read(stream_of(project)), len(play.facts)
    differing = 0
    for _ in range(60):
        known, at = chance.randint(1, head), MONDAY + (play.now - MONDAY) * chance.random()
        seen = await past.true_at(project, known, at)
        if seen.exists:
            assert comparable(seen) == comparable(replayed(facts, project, known, at))
            recorded = await past.as_of(project, min(known, await past.version_at(project, at, head)))
            differing += comparable(seen) != comparable(recorded.project)
            assert (seen.version, seen.clocks) == (known, recorded.project.clocks)
    assert differing > 15


async def test_now_both_axes_agree(store: PostgresStore) -> None:
    play = told_late(9)
    project, past = await stored(store, play), Past(Archive(store.pool))
    assert await past.true_at(project, len(play.facts), play.now) == play.project.but(id=project)


async def test_a_fact_is_true_from_the_end_of_its_day_and_never_before_the_project_or_after_it_was_recorded() -> None:
    play = executing()
    started = play.project.started_at
    assert started is not None
    play.later(days=3)
    measure = COMMANDS["RecordMeasurement"].example
    play.do("RecordMeasurement", PRODUCT, **measure | {"effective_on": "2026-03-03"})
    event, at = play.facts[-1].event, play.now
    assert event.effective(play.project, at) == datetime.fromisoformat("2026-03-03T16:00:00Z")
    today = play.do("RecordMeasurement", PRODUCT, **measure | {"effective_on": str(at.date())}).facts[-1].event
    assert today.effective(play.project, at) == at
    assert play.project.since(date(2000, 1, 1), at) == started
