"""The tree in the database: dense under racing writers and rollbacks, sealed once, never forked, never rewritten."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise, product
from random import Random
from typing import Any

import asyncpg
import pytest
from temporalio.exceptions import ApplicationError

from activities.ports import GENESIS
from activities.seal import NewSeal, Sealed, SealedMeanwhile, SealOrder, SealReport, SealSteps
from domain.checkpoint import Checkpoint, Key, Note, Signer, origin_of
from domain.merkle import BadTree, Edge, Tile, consistent, includes, leaf, root
from store.batch import SQL, arguments, ready
from store.connect import connect
from store.postgres import PostgresStore
from store.tree import Tree
from tests.conftest import Database
from tests.store.building import append

SEED = bytes(range(32))
KEPT = ("log", "tile", "checkpoint", "signing_key", "cosignature")


@pytest.fixture
def tree(store: PostgresStore) -> Tree:
    return Tree(store.pool)


async def fill(database: Database, leaves: Sequence[bytes]) -> None:
    """Bare events with these leaf hashes, by the owner: as many as a test of the tree needs, at once."""
    connection = await asyncpg.connect(database.admin)
    await connection.execute(
        """
        WITH head AS (UPDATE tandem.log_head SET next_position = next_position + $2
                      RETURNING next_position - $2 AS start)
        INSERT INTO tandem.event
        SELECT head.start + no - 1, no, now(), now(), 1, gen_random_uuid(), 'bulk-' || head.start, 'RiskRaised',
               decode(repeat('00', 32), 'hex'), leaf, '{}', '{}'
        FROM head, unnest($1::bytea[]) WITH ORDINALITY AS given (leaf, no)
        """,
        leaves,
        len(leaves),
    )
    await connection.close()


async def seal(tree: Tree) -> SealReport:
    """Everything that is there, in as many checkpoints as it takes."""
    steps, report = SealSteps(tree, SEED), SealReport(more=True)
    while report.more:
        report = await steps.seal(SealOrder())
    return report


async def all_leaves(tree: Tree) -> list[bytes]:
    return await tree.leaves(0, await tree.head())


async def write(database: Database, number: int, stop: asyncio.Event) -> int:
    """Append to a stream of its own, one event or three at a time; every third transaction is given up."""
    chance, version, prev, turn = Random(number), 0, GENESIS, 0  # noqa: S311
    connection = await connect(database.app)
    while not stop.is_set():
        turn += 1
        asked = append(f"s{number}", version, f"w{number}-{turn}", prev, facts=chance.choice([1, 3]))
        transaction = connection.transaction()
        await transaction.start()
        await connection.fetch(SQL, *arguments([ready(asked)]))
        if turn % 3 == 0:
            await transaction.rollback()
            continue
        await transaction.commit()
        version, prev = version + len(asked.facts), asked.facts[-1].leaf_hash
    await connection.close()
    return version


async def assert_sound(tree: Tree) -> list[Sealed]:
    """Every checkpoint is over exactly the first events, verifies, and is continued by the next one."""
    leaves, points = await all_leaves(tree), await tree.checkpoints(0, 10_000)
    key = Signer(origin_of(await tree.log_id()), SEED).key
    for point in points:
        assert point.root == root(leaves[: point.size])
        note = Note.parse(point.note)
        assert note.checkpoint == Checkpoint(key.name, point.size, point.root)
        assert note.verified([key]) == [Key.parse(point.key)] == [key]
    for old, new in pairwise(points):
        path = await tree.consistency(old.size, new.size)
        assert consistent(old.size, old.root, new.size, new.root, path)
    return points


async def test_sealers_race_with_writers_that_give_up(tree: Tree, database: Database) -> None:
    stop = asyncio.Event()
    writing = [asyncio.create_task(write(database, number, stop)) for number in range(6)]

    async def sealing() -> int:
        lost = 0
        while not stop.is_set():
            try:
                await seal(tree)
            except ApplicationError as error:
                lost += error.type == "SealedMeanwhile"
            await asyncio.sleep(0)
        return lost

    racing = [asyncio.create_task(sealing()) for _ in range(3)]
    await asyncio.sleep(1.5)
    stop.set()
    stored, lost = sum(await asyncio.gather(*writing)), sum(await asyncio.gather(*racing))
    report = await seal(tree)
    points = await assert_sound(tree)
    assert report.size == stored == await tree.head() == points[-1].size
    assert len(points) > 10
    assert lost > 0


async def test_proofs_over_three_levels_of_tiles(tree: Tree, database: Database) -> None:
    leaves = [leaf(no.to_bytes(4, "big")) for no in range(66_100)]
    cuts = (1, 255, 256, 300, 65_530, 65_536, 66_100)
    for start, stop in pairwise((0, *cuts)):
        await fill(database, leaves[start:stop])
        await seal(tree)
    points = {point.size: point for point in await tree.checkpoints()}
    assert set(points) == set(cuts)
    for size, point in points.items():
        assert point.root == await tree.root(size)
        for position in {0, size // 3, size - 1, min(size - 1, 65_536)}:
            path = await tree.inclusion(position, size)
            assert includes(point.root, size, position, leaves[position], path)
    for old, new in product(cuts, cuts):
        if old <= new:
            path = await tree.consistency(old, new)
            assert consistent(old, points[old].root, new, points[new].root, path)


async def test_a_tree_of_any_size_can_be_asked_for(tree: Tree, database: Database) -> None:
    leaves = [leaf(no.to_bytes(4, "big")) for no in range(700)]
    await fill(database, leaves)
    assert await tree.root(700) == root(leaves)
    await seal(tree)
    for size in (0, 1, 255, 256, 257, 512, 699):
        assert await tree.root(size) == root(leaves[:size]) == (await tree.edge(size)).root()
    for call in (tree.root(701), tree.edge(1024), tree.inclusion(700, 700), tree.consistency(5, 4)):
        with pytest.raises(BadTree):
            await call


async def test_one_checkpoint_is_bounded_and_batches_make_no_difference(
    tree: Tree, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.seal.MOST", 1000)
    monkeypatch.setattr("activities.seal.BATCH", 7)
    leaves = [leaf(no.to_bytes(4, "big")) for no in range(2003)]
    await fill(database, leaves)
    assert (await seal(tree)).size == len(leaves)
    assert [(point.size, point.root) for point in await tree.checkpoints()] == [
        (size, root(leaves[:size])) for size in (1000, 2000, 2003)
    ]


async def new_seal(tree: Tree, upto: int, **changed: Any) -> NewSeal:
    """What the next checkpoint would be, `changed` apart."""
    last = await tree.latest()
    before = last.size if last else 0
    edge, tiles = (await tree.edge(before)).grown(await tree.leaves(before, upto))
    signer = Signer(origin_of(await tree.log_id()), SEED)
    point = Checkpoint(signer.name, upto, edge.root())
    note = str(Note(point, (signer.sign(point),)))
    fit = NewSeal(before, upto, point.root, note, signer.key.vkey, tiles)
    return replace(fit, **changed)


async def test_the_database_refuses_what_does_not_continue_the_log(tree: Tree, database: Database) -> None:
    await fill(database, [leaf(bytes([no % 256])) for no in range(600)])
    await seal(tree)
    await fill(database, [leaf(bytes([no % 256])) for no in range(100)])
    fit = await new_seal(tree, 700)
    with pytest.raises(SealedMeanwhile):
        await tree.seal(await new_seal(tree, 700, last=0))
    other = Signer("tandem/another", SEED).sign(Checkpoint("tandem/another", 700, fit.root))
    wrong: list[dict[str, Any]] = [
        {"size": 600},
        {"size": 599},
        {"size": 701},
        {"root": bytes(32)},
        {"note": fit.note.replace("700", "699")},
        {"note": str(Note(Checkpoint("tandem/another", 700, fit.root), (other,)))},
        {"tiles": [Tile(0, 2, (bytes(32),) * 256)]},
    ]
    for changed in wrong:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await tree.seal(await new_seal(tree, 700, **changed))
        assert refused.value.sqlstate == "TD011", changed
    assert [point.size for point in await tree.checkpoints()] == [600]
    await fill(database, [leaf(bytes([no % 256])) for no in range(100)])
    left_out = await new_seal(tree, 800)
    assert [tile.number for tile in left_out.tiles] == [2]
    with pytest.raises(asyncpg.PostgresError, match="not the tiles"):
        await tree.seal(await new_seal(tree, 800, tiles=[]))
    await tree.seal(left_out)
    await assert_sound(tree)


async def test_of_two_sealers_one_is_first(tree: Tree, database: Database) -> None:
    await fill(database, [leaf(bytes([no])) for no in range(10)])
    wanted = [await new_seal(tree, size) for size in (5, 6, 7, 8, 9, 10)]
    outcomes = await asyncio.gather(*(tree.seal(new) for new in wanted), return_exceptions=True)
    assert [isinstance(outcome, SealedMeanwhile) for outcome in outcomes].count(False) == 1
    assert len(await tree.checkpoints()) == 1


async def test_what_was_sealed_stays(tree: Tree, database: Database) -> None:
    await fill(database, [leaf(bytes([no % 256])) for no in range(300)])
    await seal(tree)
    line = Signer("w", SEED, 4).cosign(Checkpoint("tandem/x", 1, bytes(32)), 1)
    assert await tree.cosign(300, "w+key", line)
    connection = await asyncpg.connect(database.admin)
    for role, table, change in product(
        ("origin", "replica"),
        KEPT,
        ("UPDATE tandem.{0} SET {1} = {1}", "DELETE FROM tandem.{0}", "TRUNCATE tandem.{0}"),
    ):
        await connection.execute(f"SET session_replication_role = {role}")
        column = {"log": "id", "tile": "root", "signing_key": "vkey"}.get(table, "size")
        with pytest.raises(asyncpg.PostgresError, match=f"tandem.{table} is append-only"):
            await connection.execute(change.format(table, column))
        assert await connection.fetchval(f"SELECT count(*) FROM tandem.{table}") == 1
    await connection.close()
    for dsn, table in product((database.app, database.auditor), (*KEPT, "sealing", "anchored")):
        connection = await asyncpg.connect(dsn)
        await connection.execute("SET default_transaction_read_only = off")
        for statement in (f"INSERT INTO tandem.{table} DEFAULT VALUES", f"DELETE FROM tandem.{table}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()


async def test_keys_follow_each_other(tree: Tree, database: Database) -> None:
    assert await tree.keys() == []
    old, new = Signer(origin_of(await tree.log_id()), SEED), Signer(origin_of(await tree.log_id()), bytes(32))
    for size, signer in ((2, old), (5, old), (9, new), (11, new)):
        await fill(database, [leaf(bytes([size]))] * (size - await tree.head()))
        steps = SealSteps(tree, signer.seed)
        await steps.seal(SealOrder())
    found = [(key.vkey, key.since, key.until) for key in await tree.keys()]
    assert found == [(old.key.vkey, 2, 5), (new.key.vkey, 9, None)]
    notes = [Note.parse(point.note) for point in await tree.checkpoints()]
    assert [note.verified([old.key, new.key]) for note in notes] == [[old.key]] * 2 + [[new.key]] * 2


async def test_a_witness_counts_once_under_a_checkpoint_that_is_there(tree: Tree, database: Database) -> None:
    await fill(database, [leaf(b"1")])
    point = Note.parse((await seal(tree)).note).checkpoint
    witness = Signer("witness.example/w1", bytes(32), 4)
    first, second = witness.cosign(point, 1_764_000_000), witness.cosign(point, 1_764_000_001)
    assert await tree.cosign(1, witness.key.vkey, first)
    assert not await tree.cosign(1, witness.key.vkey, second)
    assert await tree.cosignatures(1) == [first]
    with pytest.raises(asyncpg.PostgresError, match="no checkpoint over 7"):
        await tree.cosign(7, witness.key.vkey, first)


async def test_how_sealing_goes(tree: Tree, database: Database) -> None:
    assert ((await tree.health()).state, (await tree.health()).head) == ("new", 0)
    await tree.tell("refused", "another root")
    told = await tree.health()
    assert (told.state, told.detail) == ("refused", "another root")
    await tree.tell("refused", "another root")
    assert (await tree.health()).since == told.since
    await fill(database, [leaf(b"1"), leaf(b"2")])
    await seal(tree)
    health = await tree.health()
    assert (health.state, health.detail, health.sealed, health.head) == ("sealing", "", 2, 2)
    assert await tree.anchored("file") == (0, timedelta(0))
    await tree.mark_anchored("file", 2)
    await tree.mark_anchored("file", 1)
    assert await tree.places() == {"file": 2}
    size, since = await tree.anchored("file")
    assert size == 2
    assert timedelta(0) < since < timedelta(minutes=1)


async def test_the_edge_of_nothing(tree: Tree) -> None:
    assert await tree.edge(0) == Edge()
    assert await tree.latest() is None
    assert await tree.covering(0) is None
    assert await tree.leaves(0, 10) == []
