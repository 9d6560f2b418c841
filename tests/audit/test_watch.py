"""The watch finds by itself what was done to the log, says so once, and never cries for nothing."""

import logging

import pytest

from activities.watch import Watch
from store.packing import Packer
from store.postgres import PostgresStore
from store.tree import Tree
from tests.audit.attacking import Owner
from tests.audit.building import Life, seal
from tests.audit.conftest import Baseline
from tests.audit.test_attacks import LEAF, OTHER_ROOT, edit_one, rewriting
from tests.conftest import Database

UPDATE = "UPDATE tandem.event SET {} WHERE position = 5"
ATTACKS = [
    (UPDATE.format("data = '{}'"), "changed", 5),
    (UPDATE.format("type = 'CharterAdopted'"), "changed", 5),
    ("UPDATE tandem.event SET version = version" + LEAF, "changed", 296),
    ("DELETE FROM tandem.event WHERE position = 7", "dropped", 7),
    ("DELETE FROM tandem.event WHERE position > 290", "truncated", 291),
    (OTHER_ROOT + " WHERE size = 264", "seal", 264),
]


def watch_of(store: PostgresStore) -> Watch:
    return Watch(Packer(store.pool), Tree(store.pool), store, rate=1e9, rest=0)


@pytest.mark.parametrize(("statement", "kind", "position"), ATTACKS)
async def test_it_sees_what_was_done(
    copy: Database, caplog: pytest.LogCaptureFixture, statement: str, kind: str, position: int
) -> None:
    store = await PostgresStore.open(copy.app)
    watch = watch_of(store)
    assert await watch.once() is None
    owner = await Owner.of(copy)
    await owner.run(statement)
    await owner.connection.close()
    for _ in range(2):
        alarm = await watch.once()
        assert alarm is not None
        assert (alarm.kind, alarm.position) == (kind, position)
    critical = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert len(critical) == 1
    assert f"{kind} at position {position}" in critical[0].getMessage()
    await store.close()


async def test_it_remembers_what_was_sealed(copy: Database, baseline: Baseline) -> None:
    """Even a rewritten log, sealed with the log's own key, is not the one that it saw before."""
    store = await PostgresStore.open(copy.app)
    watch, blind = watch_of(store), watch_of(store)
    assert await watch.once() is None
    owner = await Owner.of(copy)
    await rewriting(edit_one, resealed=True)(owner, baseline)
    await owner.connection.close()
    alarm = await watch.once()
    assert alarm is not None
    assert alarm.kind == "forked"
    assert await blind.once() is None, "only a checkpoint from before shows it"
    await store.close()


async def test_a_log_that_goes_on_is_no_alarm(copy: Database) -> None:
    store = await PostgresStore.open(copy.app)
    life, watch = Life(store, count=1000), watch_of(store)
    for project in (30, 31):
        await life.kickoff(project)
        assert await watch.once() is None
        await seal(store)
        assert await watch.once() is None
    assert watch.position == await store.head()
    assert watch.walks == 4
    await store.close()
