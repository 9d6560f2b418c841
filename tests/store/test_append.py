"""Verdicts, order, answers, wake marks and pages of appends."""

import asyncio
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from activities.ports import GENESIS, Recorded, StreamRewound, Verdict, VerdictKind
from domain.canonical import fingerprint, leaf_hash
from store.batch import SQL, ChainBroken, UnfitAppend, arguments, ready
from store.connect import connect
from store.postgres import PostgresStore
from tests.conftest import Database
from tests.store.building import after, append, duty, fact, page

OK, CONFLICT, DUPLICATE, ID_REUSED = VerdictKind


async def test_what_was_appended_is_read_back_exactly(store: PostgresStore) -> None:
    first = append("p1", facts=3)
    assert await store.append(first) == Verdict(OK, 3, 2)
    found = await store.read("p1")
    assert found == [Recorded(**asdict(fact), position=at) for at, fact in enumerate(first.facts)]
    assert await store.read("p1", after=1, limit=1) == found[1:2]
    assert await store.read("nowhere") == []
    assert await store.event_by_id(found[1].event_id) == found[1]
    assert await store.event_by_id(uuid4()) is None
    assert await store.leaves(1, 3) == [fact.leaf_hash for fact in found[1:]]
    assert await store.head() == 3


async def test_the_stored_events_chain_and_hash(store: PostgresStore) -> None:
    earlier = append("p1", facts=2)
    await store.append(earlier)
    await store.append(after(earlier, "c-2", facts=3))
    previous = GENESIS
    for version, event in enumerate(await store.read("p1"), 1):
        fields = asdict(event)
        del fields["leaf_hash"], fields["position"]
        assert (event.version, event.prev_hash, event.leaf_hash) == (version, previous, leaf_hash(**fields))
        previous = event.leaf_hash
    assert version == 5


async def test_a_stale_append_hears_the_actual_version(store: PostgresStore) -> None:
    await store.append(append("p1", facts=2))
    assert await store.append(append("p1", command_id="c-2")) == Verdict(CONFLICT, 2, None)
    assert await store.head() == 2
    assert await store.known_command("p1", "c-2") is None


async def test_the_same_command_gets_its_first_answer(store: PostgresStore) -> None:
    first = append("p1", facts=2)
    await store.append(first)
    await store.append(after(first, "c-2"))
    again = replace(first, answer={"another": "answer"})
    assert await store.append(again) == Verdict(DUPLICATE, 2, 1, {"version": 2, "command": "c-1"})
    known = await store.known_command("p1", "c-1")
    assert known is not None
    assert (known.fingerprint, known.version, known.position, known.answer) == (
        first.fingerprint,
        2,
        1,
        first.answer,
    )
    assert await store.head() == 3


async def test_a_known_command_is_a_duplicate_whatever_version_it_expects(store: PostgresStore) -> None:
    first = append("p1")
    await store.append(first)
    folded_again = after(first, "c-1")
    assert (await store.append(folded_again)).kind is DUPLICATE
    assert (await store.append(append("p2"))).kind is OK, "command ids are of one stream"


async def test_an_id_with_another_command_is_reused(store: PostgresStore) -> None:
    first = append("p1")
    await store.append(first)
    other = replace(after(first, "c-1"), fingerprint=fingerprint("other"))
    assert await store.append(other) == Verdict(ID_REUSED, 1, None)
    assert await store.head() == 1


async def test_a_stream_shorter_than_expected_was_rewound(store: PostgresStore) -> None:
    first = append("p1", facts=2)
    await store.append(first)
    with pytest.raises(StreamRewound, match="p1 ends at version 2, 5 was seen"):
        await store.append(append("p1", expected=5, command_id="c-2", prev_hash=first.facts[-1].leaf_hash))
    with pytest.raises(StreamRewound):
        await store.append(append("p9", expected=1, prev_hash=bytes(32)))
    assert (await store.append(after(first, "c-2"))).kind is OK


async def test_a_stream_with_another_last_hash_is_not_continued(store: PostgresStore) -> None:
    await store.append(append("p1"))
    with pytest.raises(ChainBroken):
        await store.append(append("p1", expected=1, command_id="c-2", prev_hash=b"\x07" * 32))
    assert await store.head() == 1


async def test_two_appends_to_a_stream_at_once_are_both_judged(store: PostgresStore) -> None:
    first = append("p1")
    waiting = [first, after(first, "c-2"), append("p1", command_id="c-3"), first, append("p2")]
    verdicts = await asyncio.gather(*map(store.append, waiting))
    assert [verdict.kind for verdict in verdicts] == [OK, OK, CONFLICT, DUPLICATE, OK]
    assert [event.version for event in await store.read("p1")] == [1, 2]
    assert [event.position for event in await store.feed()] == [0, 1, 2]


async def test_what_aborts_a_batch_harms_only_its_own_caller(store: PostgresStore) -> None:
    taken = append("p1")
    await store.append(taken)
    stolen = append("p2", event_id=taken.facts[0].event_id)
    verdicts = await asyncio.gather(*map(store.append, [append("p3"), stolen, append("p4")]), return_exceptions=True)
    assert [verdict.kind for verdict in verdicts if isinstance(verdict, Verdict)] == [OK, OK]
    assert isinstance(verdicts[1], UnfitAppend)
    assert [event.stream for event in await store.feed()] == ["p1", "p3", "p4"]


async def test_more_than_a_batch_holds(store: PostgresStore) -> None:
    verdicts = await asyncio.gather(*(store.append(append(f"p{no}")) for no in range(700)))
    assert sorted(verdict.position or 0 for verdict in verdicts) == list(range(700))
    assert await store.head() == 700


BEFORE = """
    SELECT verdict, head, last_position FROM tandem.append(
      ARRAY['p1'], ARRAY[$3::bigint], ARRAY[2], ARRAY[$4], ARRAY[$1::bytea], ARRAY[$5::bytea], ARRAY['{}'::jsonb],
      ARRAY[NULL::jsonb], ARRAY[1, 1], $2::bigint[], ARRAY[gen_random_uuid(), gen_random_uuid()], ARRAY['T', 'T'],
      ARRAY[1, 1], ARRAY[now(), now()], ARRAY[now(), now()], ARRAY[$1, $1], ARRAY['{}'::jsonb, '{}'::jsonb],
      ARRAY['{}'::jsonb, '{}'::jsonb])
"""
NOW = """
    SELECT verdict, head, last_position FROM tandem.append_together(
      ARRAY['p1'], ARRAY[$3::bigint], ARRAY[2], ARRAY[2], ARRAY[$4], $1::bytea, $5::bytea, ARRAY['{}'::jsonb], '{}',
      ARRAY[NULL], ARRAY[NULL::timestamptz], ARRAY[1, 1], $2::bigint[], ARRAY[gen_random_uuid(), gen_random_uuid()],
      ARRAY['T', 'T'], ARRAY[1, 1], ARRAY[now(), now()], ARRAY[now(), now()], $1 || $1,
      ARRAY['{}'::jsonb, '{}'::jsonb], ARRAY['{}'::jsonb, '{}'::jsonb], '[]', '[]')
"""
"""What a program of before calls, and one of today: two events of `p1` after the version $3."""


@pytest.mark.parametrize("function", [BEFORE, NOW])
async def test_the_function_itself_refuses_versions_with_holes(function: str, database: Database) -> None:
    connection = await asyncpg.connect(database.app)
    try:
        for versions in ([1, 3], [2, 3], [0, 1], [1, 1]):
            with pytest.raises(asyncpg.PostgresError, match=r"not dense|null value|unique"):
                await connection.execute(function, bytes(32), versions, 0, "c", bytes(32))
        assert await connection.fetchval("SELECT count(*) FROM tandem.event") == 0
        assert await connection.fetchval("SELECT next_position FROM tandem.log_head") == 0
    finally:
        await connection.close()


async def test_programs_of_before_and_of_today_write_one_log(database: Database) -> None:
    connection, leaf = await asyncpg.connect(database.app), bytes(32)
    try:
        for turn, function in enumerate([BEFORE, NOW, BEFORE, NOW, NOW, BEFORE]):
            wanted = (leaf, [2 * turn + 1, 2 * turn + 2], 2 * turn, f"c-{turn}", leaf)
            assert tuple(await connection.fetchrow(function, *wanted)) == ("ok", 2 * turn + 2, 2 * turn + 1)
            for again in (BEFORE, NOW):
                assert tuple(await connection.fetchrow(again, *wanted)) == ("duplicate", 2 * turn + 2, 2 * turn + 1)
    finally:
        await connection.close()


async def test_the_wake_mark_follows_the_lifecycle(store: PostgresStore) -> None:
    first = append("p1", facts=3, page=page("p1"))
    await store.append(first)
    assert await store.lagging(10) == [("p1", 3, 0)]
    assert await store.lagging(10, timedelta(minutes=1)) == []
    assert await store.seen("p1") == 0
    await store.mark_seen("p1", 2)
    await store.mark_seen("p1", 1)
    assert (await store.seen("p1"), await store.lagging(10)) == (2, [("p1", 3, 2)])
    await store.mark_seen("p1", 99)
    assert (await store.seen("p1"), await store.lagging(10)) == (3, [])
    second = after(first, "c-2")
    await store.append(second)
    assert await store.lagging(10) == [("p1", 4, 3)]
    assert await store.running() == ["p1"]
    await store.append(after(second, "c-3", page=page("p1", ended=True)))
    assert await store.running() == []


async def test_a_stream_without_pages_is_followed_once_it_is_marked(store: PostgresStore) -> None:
    first = append("template-1")
    await store.append(first)
    assert await store.lagging(10) == []
    await store.mark_seen("template-1", 0)
    assert await store.lagging(10) == [("template-1", 1, 0)]
    await store.mark_seen("nowhere", 4)
    assert await store.seen("nowhere") == 0


async def test_a_fact_may_be_as_long_as_a_log_entry(store: PostgresStore) -> None:
    room = 65_535 - len(_envelope(""))
    assert (await store.append(append("p1", data={"text": "x" * room}))).kind is OK
    with pytest.raises(UnfitAppend, match="65536 bytes"):
        await store.append(append("p2", data={"text": "x" * (room + 1)}))


def _envelope(text: str) -> bytes:
    from domain.canonical import canonical, envelope_bytes

    fields = asdict(fact("p1", 1, "c-1", data={"text": text}))
    del fields["leaf_hash"]
    for name in ("metadata", "data"):
        fields[name] = canonical(fields[name])
    return envelope_bytes(**fields)


async def test_an_append_scans_no_table(database: Database) -> None:
    """Plans are made once, while tables are small, and kept: each must go by an index from the start."""
    connection = await connect(database.app)
    try:
        made = append("p1", page=page("p1", duties=[duty()]))
        for number in range(2, 8):
            await connection.fetch(SQL, *arguments([ready(made)]))
            made = after(made, f"c-{number}", page=page("p1", people={"PMO": [f"{number}"]}, duties=[duty()]))
        await connection.fetch("SELECT tandem.mark_seen('p1', 3)")
        await connection.fetch("SELECT pg_stat_force_next_flush()")
        scans = dict(
            await connection.fetch("SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'tandem'")
        )
    finally:
        await connection.close()
    grown = ("event", "command", "wake", "project", "membership", "duty")
    assert {table: scans[table] for table in grown} == dict.fromkeys(grown, 0)
