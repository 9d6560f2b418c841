"""Both servers start, stop and go on, also after a kill -9, from any folder."""

import os
import signal
import stat
from pathlib import Path

import asyncpg
import pytest

from dev.embedded import EmbeddedPostgres, EmbeddedTemporal, temporal_version
from dev.ports import any_port
from dev.processes import ChildFailed, FolderInUse


async def count(dsn: str) -> int:
    """How often this was called on this database."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("create table if not exists visit (at timestamptz default now())")
        await connection.execute("insert into visit default values")
        return int(await connection.fetchval("select count(*) from visit"))
    finally:
        await connection.close()


async def test_postgres_keeps_its_data_over_a_stop_and_a_kill(place: Path) -> None:
    postgres = EmbeddedPostgres(place / "pg")
    await postgres.start()
    try:
        dsn = await postgres.create_database("tandem")
        assert await count(dsn) == 1
        await postgres.stop()
        await postgres.start()
        assert await count(await postgres.create_database("tandem")) == 2
        os.kill(postgres.pid or 0, signal.SIGKILL)
        await postgres.start()
        assert await count(dsn) == 3
        assert postgres.version == "18"
    finally:
        await postgres.stop()
    assert not postgres.running
    assert not list(postgres.socket.glob(".s.PGSQL*"))


async def test_postgres_starts_over_locks_that_name_a_living_stranger(place: Path) -> None:
    """After a reboot the old postmaster's id may be anybody's; only an unattended restart shows whether it starts."""
    deep = place / ("a" * 60) / ("b" * 60)
    postgres = EmbeddedPostgres(deep)
    await postgres.start()
    try:
        assert len(os.fsencode(postgres.socket / ".s.PGSQL.5432.lock")) <= 107
        assert stat.S_IMODE(postgres.socket.stat().st_mode) == 0o700
        os.kill(postgres.pid or 0, signal.SIGKILL)
        stale = f"{os.getpid()}\n{postgres.cluster}\n0\n5432\n{postgres.socket}\n\n\nready\n"
        (postgres.cluster / "postmaster.pid").write_text(stale)
        (postgres.socket / ".s.PGSQL.5432.lock").write_text(stale)
        assert await count(await postgres.start()) == 1
    finally:
        await postgres.stop()
        postgres.socket.rmdir()


async def test_postgres_is_not_started_twice_on_one_folder(place: Path) -> None:
    first = EmbeddedPostgres(place / "pg")
    await first.start()
    try:
        with pytest.raises(FolderInUse):
            await EmbeddedPostgres(place / "pg").start()
        assert first.running
    finally:
        await first.stop()


async def test_a_half_made_cluster_is_made_anew(place: Path) -> None:
    postgres = EmbeddedPostgres(place / "pg")
    (postgres.folder / "cluster.new" / "base").mkdir(parents=True)
    try:
        assert await count(await postgres.start()) == 1
    finally:
        await postgres.stop()


async def test_temporal_keeps_its_state_over_a_stop_and_a_kill(place: Path) -> None:
    temporal = EmbeddedTemporal(place, any_port(), any_port())
    assert await temporal.start() == f"127.0.0.1:{temporal.port}"
    try:
        cluster = (await temporal.cluster())["clusterId"]
        os.kill(temporal.pid or 0, signal.SIGKILL)
        await temporal.start()
        assert (await temporal.cluster())["clusterId"] == cluster
    finally:
        await temporal.stop()
    assert [path.name for path in place.glob("*.db")] == [f"temporal-{temporal_version()}.db"]


async def test_temporal_on_a_taken_port_says_so(place: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        temporal = EmbeddedTemporal(place, taken.getsockname()[1])
        with pytest.raises(ChildFailed, match=r"(?s)Temporal did not start\. Log: .*already in use"):
            await temporal.start()
    assert not temporal.running
