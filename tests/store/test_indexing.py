"""The index of the audit view: nothing left out, nothing twice, and the same found with it and without it."""

import asyncio
import random
from dataclasses import replace

import asyncpg
import pytest

from activities import indexing
from activities.indexing import Indexer
from activities.ports import RefusalLine
from activities.searchwords import query, words_of
from store import searching
from store.postgres import PostgresStore
from store.searching import Events, Indexes, Refusals, Wanted, Window, search
from tests.conftest import Database
from tests.store.building import START, after, append

ALL = Window(0, 2**53, newest=True, limit=1000)


async def fill(store: PostgresStore, streams: int = 5, each: int = 8) -> None:
    """Streams of events by three people, one of them for another."""
    for number in range(streams):
        actor = {"principal": f"person{number % 3}"} | ({"on_behalf_of": "li.wei"} if number == 1 else {})
        metadata = {"actor": actor, "command_id": f"c-{number}", "correlation_id": f"chain-{number}"}
        written = append(f"project-{number}", metadata=metadata, data={"title": f"供应商延期 number{number}"})
        await store.append(written)
        for version in range(2, each + 1):
            written = after(
                written, f"c-{number}-{version}", type="StageEntered", data={"stage": "EXECUTION", "visit": 2}
            )
            await store.append(written)


def refusal(number: int, **changed: str) -> RefusalLine:
    fields = {"code": "NotReady", "detail": f"预算超出门槛 {number}", "rule": "R6"} | changed
    return RefusalLine(
        START, f"project-{number}", f"c-{number}", "Vote", {"principal": "li.wei"}, {}, channel="api", **fields
    )


async def found(store: PostgresStore, **wanted: object) -> list[int]:
    rows = (await search(Events(store.pool), Wanted(**wanted), ALL)).rows  # type: ignore[arg-type]
    return [row.position for row in rows]


WANTED = (
    {},
    {"stream": "project-2"},
    {"actor": "person1"},
    {"on_behalf_of": "li.wei"},
    {"types": ["StageEntered"]},
    {"stage": "EXECUTION"},
    {"stage": "KICKOFF"},
    {"since": START.replace(second=4)},
    {"until": START.replace(second=4)},
    {"correlation": "chain-3"},
    {"command": "c-4-7"},
    {"query": query("供应商")},
    {"query": query("延期 NUMBER3")},
    {"query": query("商延")},
    {"query": query("nobody wrote this")},
    {"query": query("!")},
)


async def test_every_filter_finds_the_same_with_the_index_without_it_and_half_way(store: PostgresStore) -> None:
    await fill(store)
    indexes = Indexes(store.pool)
    unindexed = [await found(store, **wanted) for wanted in WANTED]
    await indexes.begin_anew(searching.WORDING)
    await indexes.index_events(0, 17, [entry for entry, _ in await indexes.entries(0, 17)])
    assert [await found(store, **wanted) for wanted in WANTED] == unindexed
    await Indexer(indexes, store).catch_up()
    assert (await indexes.reach())[0] == 40
    assert [await found(store, **wanted) for wanted in WANTED] == unindexed
    assert [len(numbers) for numbers in unindexed] == [40, 8, 2, 1, 35, 35, 5, 25, 15, 1, 1, 5, 1, 5, 0, 0]


@pytest.mark.parametrize("newest", [True, False])
async def test_pages_put_together_are_the_whole_whatever_is_indexed(store: PostgresStore, newest: bool) -> None:
    await fill(store)
    indexes = Indexes(store.pool)
    await indexes.begin_anew(searching.WORDING)
    await indexes.index_events(0, 23, [entry for entry, _ in await indexes.entries(0, 23)])
    for limit in (1, 3, 7, 40):
        window: Window | None = Window(0, 2**53, newest, limit)
        seen: list[int] = []
        while window is not None:
            page = await search(Events(store.pool), Wanted(types=["StageEntered"]), window)
            assert len(page.rows) <= limit
            seen += [row.position for row in page.rows]
            window = page.rest
        whole = [position for position in range(40) if position % 8]
        assert seen == (whole[::-1] if newest else whole)


async def test_what_no_index_reaches_is_looked_through_in_bounded_pieces(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store)
    monkeypatch.setattr(searching, "CHUNK", 2)
    monkeypatch.setattr(searching, "MOST_SCANNED", 6)
    page = await search(Events(store.pool), Wanted(stream="project-0", types=["RiskRaised"]), replace(ALL, limit=5))
    assert page.rows == []
    assert page.rest is not None
    looks = 1
    while page.rest is not None:
        page = await search(Events(store.pool), Wanted(stream="project-0", types=["RiskRaised"]), page.rest)
        looks += 1
    assert ([row.position for row in page.rows], looks) == ([0], 7)


async def test_an_indexer_that_is_killed_anywhere_leaves_nothing_out_and_writes_nothing_twice(
    store: PostgresStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections are cut under it and tasks cancelled at chance moments, while two more run and events come in."""
    monkeypatch.setattr(indexing, "CHUNK", 3)
    chance = random.Random(7)  # noqa: S311
    opened = [await PostgresStore.open(database.app, pool_size=2) for _ in range(3)]
    admin = await asyncpg.connect(database.admin)
    writing = asyncio.create_task(fill(store, 20, 6))

    async def running(mine: PostgresStore) -> None:
        await Indexer(Indexes(mine.pool), mine, rest=0.0, calm=0.01).run()

    tasks = [asyncio.create_task(running(mine)) for mine in opened]
    for _ in range(12):
        await asyncio.sleep(0.03 + chance.random() * 0.05)
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() "
            "AND application_name <> 'tandem appender' AND random() < 0.4",
            database.name,
        )
        victim = chance.randrange(3)
        tasks[victim].cancel()
        await asyncio.gather(tasks[victim], return_exceptions=True)
        tasks[victim] = asyncio.create_task(running(opened[victim]))
    await writing
    async with asyncio.timeout(20):
        while (await Indexes(store.pool).reach())[0] < 120:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    rows = await admin.fetch("SELECT position, stream, version, type FROM tandem.event_index ORDER BY position")
    kept = await admin.fetch("SELECT position, stream, version, type FROM tandem.event ORDER BY position")
    assert rows == kept
    assert len(rows) == 120
    await admin.close()
    for mine in opened:
        await mine.close()


async def test_refusals_that_commit_late_are_not_left_out(store: PostgresStore, database: Database) -> None:
    """An id given before a later one may be committed after it: the index waits for it."""
    slow = await asyncpg.connect(database.admin)
    holding = slow.transaction()
    await holding.start()
    await slow.execute(
        "SELECT tandem.refuse(now(), 'project-0', 'c', 'Vote', 'Late', NULL, 'slow', 'api', $1, '{}')",
        '{"principal": "li.wei"}',
    )
    await store.refuse(refusal(1))
    indexing_now = asyncio.create_task(Indexer(Indexes(store.pool), store).catch_up())
    await asyncio.sleep(0.2)
    assert not indexing_now.done()
    await holding.commit()
    await indexing_now
    page = await search(Refusals(store.pool), Wanted(), ALL)
    assert [line.code for _, line in page.rows] == ["NotReady", "Late"]
    assert await slow.fetchval("SELECT count(*) FROM tandem.refusal_index") == 2
    await slow.close()


async def test_refusals_are_found_with_the_index_and_without(store: PostgresStore) -> None:
    for number in range(4):
        await store.refuse(refusal(number, code="OverBudget" if number % 2 else "NotReady"))
    wanted = (
        {},
        {"code": "OverBudget"},
        {"rule": "R6"},
        {"rule": "P1"},
        {"query": query("门槛 2")},
        {"command": "c-3"},
    )

    async def ids() -> list[list[int]]:
        pages = [await search(Refusals(store.pool), Wanted(**one), ALL) for one in wanted]  # type: ignore[arg-type]
        return [[number for number, _ in page.rows] for page in pages]

    before = await ids()
    assert await Indexer(Indexes(store.pool), store).catch_up() == 4
    assert await ids() == before == [[4, 3, 2, 1], [4, 2], [4, 3, 2, 1], [], [3], [4]]


async def test_a_new_wording_writes_the_indexes_anew_and_an_older_one_stands_aside(
    store: PostgresStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store, 2, 3)
    await store.refuse(refusal(1))
    indexer = Indexer(Indexes(store.pool), store)
    assert [await indexer.catch_up(), await indexer.catch_up()] == [7, 0]
    monkeypatch.setattr(indexing, "WORDING", 2)
    monkeypatch.setattr(searching, "WORDING", 2)
    assert await found(store, actor="person0") != []
    assert await indexer.catch_up() == 7
    monkeypatch.setattr(indexing, "WORDING", 1)
    assert await indexer.catch_up() == 0
    assert (await Indexes(store.pool).reach()) == (6, 2, 2)


async def test_what_is_moved_out_to_an_archive_leaves_the_words_of_the_index(store: PostgresStore) -> None:
    await fill(store, 2, 2)
    indexer = Indexer(Indexes(store.pool), store)
    await indexer.catch_up()
    assert len(await found(store, query=query("供应商"))) == 2
    await store.append(append("archive-0", type="StreamArchived", data={"stream": "project-0", "digest": "0f" * 32}))
    await indexer.catch_up()
    assert await found(store, query=query("供应商")) == [2]
    assert await found(store, stream="project-0") == [1, 0]


def test_texts_are_found_by_what_people_type() -> None:
    words = set(words_of(["章程的预算超出了审批门槛", "Budget 100,000 CNY for P-00001 by sun.lei"]))
    for text in (
        "预算",
        "审批门槛",
        "预算审批",
        "算",
        "budget",
        "BUDG",
        "100,000 cny",
        "p-00001",
        "sun.lei",
        "ＢＵＤＧＥＴ",
    ):
        assert query(text).among(words), text
    for text in ("风险", "budget 风险", "udget", "", "?"):
        assert not query(text).among(words), text


def test_what_is_sealed_for_a_person_is_in_no_index() -> None:
    sealed = "vault:1:li.wei:0190a0a0-0000-7000-8000-000000000000:comment:" + "A" * 40
    assert list(indexing.texts({"comment": sealed, "title": "open", "more": [sealed, {"deep": "seen"}]})) == [
        "open",
        "seen",
    ]
