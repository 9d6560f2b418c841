"""One launcher: everything up, restarted, stopped, killed, and up again with its data."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg

from dev.home import CHECKOUT, Home, Running
from dev.processes import Trace

PROGRAMS = Path(__file__).parent / "programs"
Found = TypeVar("Found")


@contextmanager
def launcher(home: Home, *words: str, programs: Path = PROGRAMS) -> Iterator[subprocess.Popen[str]]:
    """A launcher in a process of its own, its screen in a pipe; stopped at the end, whatever happened."""
    command = [sys.executable, str(PROGRAMS / "drive.py"), str(home.folder), str(programs), *words]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    screen = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, env=environment, text=True, **screen) as process:
        try:
            yield process
        finally:
            process.terminate()


def soon(look: Callable[[], Found | None], seconds: float = 30) -> Found:
    """What `look` gives once it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
    return found


def pid_of(home: Home, name: str) -> int | None:
    trace = Trace.read(home.trace(name))
    return trace.pid if trace and trace.alive else None


def living(home: Home) -> list[Trace]:
    return [trace for path in home.folder.rglob("*.trace") if (trace := Trace.read(path)) and trace.alive]


def instance_at(running: Running) -> str:
    """Whose server answers; empty where none does."""
    try:
        with urllib.request.urlopen(f"{running.url}/version", timeout=5) as answer:
            return str(json.load(answer)["instance"])
    except OSError:
        return ""


async def leave_a_mark(running: Running) -> int:
    """Write one row as the owner; how many there are."""
    connection = await asyncpg.connect(running.migration_url)
    try:
        await connection.execute("create table if not exists mark (n int)")
        await connection.execute("insert into mark values (1)")
        return int(await connection.fetchval("select count(*) from mark"))
    finally:
        await connection.close()


async def test_up_restart_kill_and_up_again(place: Path) -> None:
    home = Home(place)
    with launcher(home) as process:
        running = soon(home.running)
        assert instance_at(running) == running.instance
        assert await leave_a_mark(running) == 1

        with launcher(home) as second:
            assert f"already runs on {place} (process {process.pid})" in second.communicate(timeout=20)[0]
            assert second.returncode == 1

        first = pid_of(home, "server") or 0
        os.kill(first, signal.SIGKILL)
        assert soon(lambda: (pid := pid_of(home, "server")) and pid != first)
        assert soon(lambda: instance_at(running) == running.instance)

        process.kill()
        screen = process.communicate()[0]
        assert "server ended unexpectedly; starting it again (1 of 3)" in screen
        assert home.holder() is None

    with launcher(home) as process:
        running = soon(home.running)
        assert await leave_a_mark(running) == 2
        connection = await asyncpg.connect(running.database_url)
        assert await connection.fetchval("select current_user") == "tandem_app"
        await connection.close()

        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        screen = process.communicate(timeout=20)[0]
        assert time.monotonic() - asked < 5
    assert process.returncode == 0
    for words in ("PostgreSQL 18", "Temporal 1.", "migrations", running.url, running.temporal_page, str(place)):
        assert words in screen
    assert living(home) == []
    assert home.note() is None


def test_what_keeps_ending_stops_everything_and_names_its_log(place: Path) -> None:
    home, programs = Home(place / "home"), place / "programs"
    programs.mkdir()
    (programs / "worker.py").write_text("import sys; sys.exit('the queue is on fire')")
    (programs / "server.py").write_text((PROGRAMS / "server.py").read_text())
    with launcher(home, programs=programs) as process:
        screen = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert f"worker ended while starting. Log: {home.log('worker')}" in screen
    assert "the queue is on fire" in screen
    assert living(home) == []
