"""Verdicts, order, answers and pages of appends."""

import asyncio
from dataclasses import asdict

from activities.ports import Recorded, VerdictKind
from store.postgres import PostgresStore
from tests.store.building import after, append, page


async def test_what_was_appended_is_read_back_exactly(store: PostgresStore) -> None:
    first = append("p1", facts=3)
    verdict = await store.append(first)
    assert (verdict.kind, verdict.version, verdict.position) == (VerdictKind.OK, 3, 2)
    found = await store.read("p1")
    assert found == [Recorded(**asdict(fact), position=at) for at, fact in enumerate(first.facts)]
    assert await store.read("p1", after=1, limit=1) == found[1:2]
    assert await store.read("nowhere") == []
    assert await store.event_by_id(found[1].event_id) == found[1]
    assert await store.head() == 3


async def test_a_stale_append_hears_the_actual_version(store: PostgresStore) -> None:
    await store.append(append("p1", facts=2))
    verdict = await store.append(append("p1", command_id="c-2"))
    assert (verdict.kind, verdict.version, verdict.position) == (VerdictKind.CONFLICT, 2, None)
    assert await store.head() == 2


async def test_one_batch_stores_both_appends_to_a_stream(store: PostgresStore) -> None:
    first = append("p1")
    verdicts = await asyncio.gather(store.append(first), store.append(after(first, "c-2")), store.append(append("p2")))
    assert [verdict.kind for verdict in verdicts] == [VerdictKind.OK] * 3
    assert [fact.version for fact in await store.read("p1")] == [1, 2]
    assert await store.head() == 3


async def test_pages(store: PostgresStore) -> None:
    first = append("p1", page=page("p1"))
    await store.append(first)
    assert await store.lagging(10) == [("p1", 1, 0)]
    await store.mark_seen("p1", 1)
    assert await store.lagging(10) == []
    assert await store.running() == ["p1"]
