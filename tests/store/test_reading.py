"""Feeds, filters, listeners, leaders, refusals and reservations."""

import asyncio
from datetime import timedelta

import asyncpg

from activities.ports import RefusalLine
from store.postgres import PostgresStore
from tests.conftest import Database
from tests.store.building import START, after, append, page


async def test_the_feed_narrows(store: PostgresStore) -> None:
    first = append("p1", facts=2)
    await store.append(first)
    await store.append(append("p2", type="RiskClosed"))
    await store.append(after(first, "c-2", metadata={"actor": {"principal": "an.jing"}}))
    await store.append(append("p3", metadata={"actor": "system"}))

    async def positions(**narrowed: object) -> list[int]:
        return [fact.position for fact in await store.feed(**narrowed)]  # type: ignore[arg-type]

    assert await positions() == [0, 1, 2, 3, 4]
    assert await positions(after_position=1, limit=2) == [2, 3]
    assert await positions(types=["RiskClosed", "Nothing"]) == [2]
    assert await positions(types=[]) == []
    assert await positions(actor="an.jing") == [3]
    assert await positions(actor="system") == [4]
    assert await positions(stream="p1") == [0, 1, 3]
    assert await positions(stream="p1", actor="li.wei", after_position=0) == [1]


async def test_listeners_hear_at_once_and_after_losing_their_connection(
    store: PostgresStore, database: Database
) -> None:
    heard: asyncio.Queue[int] = asyncio.Queue()

    async def listen() -> None:
        async for position in store.listen():
            heard.put_nowait(position)

    listening = asyncio.create_task(listen())
    first = append("p1", facts=3)
    await store.append(first)
    assert await asyncio.wait_for(heard.get(), 3) == 2
    began = asyncio.get_running_loop().time()
    second = after(first, "c-2")
    await store.append(second)
    assert await asyncio.wait_for(heard.get(), 3) == 3
    assert asyncio.get_running_loop().time() - began < 0.9, "by NOTIFY, not by looking every second"
    admin = await asyncpg.connect(database.admin)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
        database.name,
    )
    await admin.close()
    await store.append(after(second, "c-3"))
    assert await asyncio.wait_for(heard.get(), 5) == 4
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert heard.empty()


async def test_a_listener_begins_with_what_is_there(store: PostgresStore) -> None:
    await store.append(append("p1", facts=2))
    positions = store.listen()
    assert await anext(positions) == 1
    await positions.aclose()


async def test_one_leader_per_role(store: PostgresStore, database: Database) -> None:
    other = await PostgresStore.open(database.app)
    async with store.leader("sweep") as first, other.leader("sweep") as second, other.leader("seal") as third:
        assert (first, second, third) == (True, False, True)
    async with other.leader("sweep") as again:
        assert again
    await other.close()


async def test_refused_input_is_kept_as_far_as_it_can_be(store: PostgresStore) -> None:
    plain = RefusalLine(
        START, "p1", "c-1", "Vote", {"principal": "li.wei"}, {"no": 1}, "NotPending", "R-7", "没有", "api"
    )
    odd = RefusalLine(
        START,
        "p\x00",
        "c\ud800",
        "Vote",
        {"principal": "li\x00wei"},
        {"n\x00": float("nan"), "big": 2**80, "list": ["\udc00", None, True, b"raw"], "emoji": "😀"},
        "Malformed",
        None,
        "no\x00",
        "api",
    )
    await store.refuse(plain)
    await store.refuse(odd)
    (number, first), (_, second) = await store.refusals(10)
    assert first == plain
    assert (second.stream, second.command_id, second.detail) == ("p\ufffd", "c\ufffd", "no\ufffd")
    assert second.data == {
        "n\ufffd": "nan",
        "big": str(2**80),
        "list": ["\ufffd", None, True, "b'raw'"],
        "emoji": "😀",
    }
    assert [line for _, line in await store.refusals(10, after=number)] == [second]


async def test_a_reservation_is_decided_once(store: PostgresStore) -> None:
    calls = [store.reserve("li.wei", "key", f"id-{no}") for no in range(10)]
    found = await asyncio.gather(*calls)
    assert len({reservation.project_id for reservation in found}) == 1
    assert sum(reservation.fresh for reservation in found) == 1
    again = await store.reserve("li.wei", "key", "another")
    assert again == found[0]
    assert not again.fresh
    others = [await store.reserve("li.wei", "key-2", "id-a"), await store.reserve("an.jing", "key", "id-b")]
    assert {reservation.project_id for reservation in others} == {"id-a", "id-b"}
    assert len({reservation.number for reservation in [again, *others]}) == 3


async def test_overdue_and_running(store: PostgresStore) -> None:
    due = {"late": START, "later": START + timedelta(days=1), "never": None}
    for stream, next_due in due.items():
        await store.append(append(stream, page=page(stream, next_due=next_due)))
    await store.append(append("ended", page=page("ended", next_due=START, ended=True)))
    assert await store.overdue(START - timedelta(seconds=1), 10) == []
    assert await store.overdue(START, 10) == [("late", START)]
    assert await store.overdue(START + timedelta(days=2), 10) == [
        ("late", START),
        ("later", START + timedelta(days=1)),
    ]
    assert await store.running() == ["late", "later", "never"]


async def test_the_longest_lagging_come_first(store: PostgresStore) -> None:
    first = append("p1", page=page("p1"))
    await store.append(first)
    await store.append(append("p2", page=page("p2")))
    await store.append(after(first, "c-2", page=page("p1")))
    assert [line[0] for line in await store.lagging(10)] == ["p1", "p2"]
    assert await store.lagging(1) == [("p1", 2, 0)]


async def test_the_database_answers(store: PostgresStore) -> None:
    await store.ping()
