"""What a killed launcher leaves behind is ended; a stranger with the same process id is not."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev.processes import Child, ChildFailed, FolderInUse, Trace, began, command_of

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
GONE = Trace(pid=1, began="never", owner=1, owner_began="never")


@contextmanager
def sleeper(command: list[str] = SLEEP) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def traced(process: subprocess.Popen[bytes], folder: Path, *, owner: int = 1, owner_began: str = "never") -> Child:
    trace = Trace(process.pid, began(process.pid) or "", owner, owner_began)
    trace.write(folder / "sleeper.trace")
    return Child("sleeper", folder / "sleeper.trace", folder / "sleeper.log")


async def test_a_child_of_a_dead_launcher_is_ended(tmp_path: Path) -> None:
    with sleeper() as process:
        child = traced(process, tmp_path)
        assert await child.end_leftover() == process.pid
        assert process.wait() == -signal.SIGTERM
        assert not child.trace.exists()


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    child = Child("deaf", tmp_path / "deaf.trace", tmp_path / "deaf.log")
    child.spawn([sys.executable, "-c", deaf], os.environ)
    while not child.log.read_text():
        assert child.running
    await child.stop(patience=0.1)
    assert child.process is not None
    assert child.process.returncode == -signal.SIGKILL


async def test_a_stranger_with_the_same_id_is_left_alone(tmp_path: Path) -> None:
    with sleeper() as process:
        child = Child("sleeper", tmp_path / "sleeper.trace", tmp_path / "sleeper.log")
        Trace(process.pid, "another boot:12345", 1, "never").write(child.trace)
        assert await child.end_leftover() is None
        assert process.poll() is None


async def test_a_child_of_a_living_launcher_is_left_alone(tmp_path: Path) -> None:
    with sleeper() as process:
        child = traced(process, tmp_path, owner=os.getpid(), owner_began=began(os.getpid()) or "")
        with pytest.raises(FolderInUse, match=f"process {process.pid}, started by process {os.getpid()}"):
            await child.end_leftover()
        assert process.poll() is None


async def test_a_trace_cut_short_by_a_crash_counts_as_none(tmp_path: Path) -> None:
    child = Child("sleeper", tmp_path / "sleeper.trace", tmp_path / "sleeper.log")
    child.trace.write_text('{"pid": 1')
    assert await child.end_leftover() is None


def test_a_failure_shows_the_end_of_the_log(tmp_path: Path) -> None:
    child = Child("sleeper", tmp_path / "sleeper.trace", tmp_path / "sleeper.log")
    child.log.write_text("first\n" + "\n".join(str(n) for n in range(9)) + "\nport is taken\n")
    failure = child.failure("did not start")
    assert isinstance(failure, ChildFailed)
    assert str(failure).startswith(f"sleeper did not start. Log: {child.log}\n")
    assert str(failure).endswith("port is taken")
    assert "first" not in str(failure)


async def test_a_failure_shows_nothing_of_an_earlier_start(tmp_path: Path) -> None:
    child = Child("brief", tmp_path / "brief.trace", tmp_path / "brief.log")
    child.log.write_text("yesterday's trouble\n")
    child.spawn([sys.executable, "-c", "print('today')"], os.environ)
    assert child.process is not None
    child.process.wait()
    assert str(child.failure("ended")).splitlines()[1:] == ["    today"]


def test_what_has_ended_has_no_beginning() -> None:
    with sleeper() as process:
        assert began(process.pid)
        assert "time.sleep(60)" in command_of(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert began(process.pid) is None, "a zombie does not run"
    assert command_of(process.pid) == ""
    assert not GONE.alive
