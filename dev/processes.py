"""Child processes that leave a trace on disk, so that the next start can end what the last one left behind.

A process id alone proves nothing: ids are used again. What is recorded is the id together with the moment
the process began, in the operating system's own words; only a process that matches both is ever signalled.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dev.unprivileged import running_as

_LOOK = 0.02
"""Seconds between two looks at a process."""


class FolderInUse(Exception):
    """Another living process runs servers on this folder; the message names it."""


class ChildFailed(Exception):
    """A child process ended, or was not ready in time; the message says where its log is."""


def began(pid: int) -> str | None:
    """A text that no other process with this id ever has; None where no such process runs."""
    if sys.platform == "linux":
        return _began_linux(pid)
    seen = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return seen.stdout.strip() or None


def _began_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{boot}:{rest[18]}"


def command_of(pid: int) -> str:
    """The command line of a process; empty where there is no such process or it is not ours to see."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    command = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@dataclass(frozen=True)
class Trace:
    """Who runs, and who started it: each an id with the moment it began."""

    pid: int
    began: str
    owner: int
    owner_began: str

    @classmethod
    def read(cls, path: Path) -> "Trace | None":
        """What is written at `path`; None where nothing is, or where it was cut short by a crash."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Replace the file at `path` in one go."""
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(self.__dict__))
        fresh.replace(path)

    @property
    def alive(self) -> bool:
        """Whether exactly this process still runs."""
        return began(self.pid) == self.began

    @property
    def owned(self) -> bool:
        """Whether exactly the process that started it still runs."""
        return began(self.owner) == self.owner_began


async def holds(true: Callable[[], bool], patience: float) -> bool:
    """Look again and again whether it is true, for `patience` seconds; how it was at the last look."""
    for _ in range(max(1, round(patience / _LOOK))):
        if true():
            return True
        await asyncio.sleep(_LOOK)
    return true()


async def end(pid: int, identity: str, signals: Sequence[signal.Signals], patience: float) -> None:
    """Send each signal in turn, `patience` seconds apart, until this very process is gone; then SIGKILL."""
    for number in [*signals, signal.SIGKILL]:
        with suppress(ProcessLookupError):
            if began(pid) == identity:
                os.kill(pid, number)
        if await holds(lambda: began(pid) != identity, patience):
            return


@dataclass
class Child:
    """One process in a session of its own: a Ctrl-C in the terminal reaches the launcher alone."""

    name: str
    trace: Path
    """The file that outlives a crash of ours and tells the next start what to end."""
    log: Path
    signals: Sequence[signal.Signals] = (signal.SIGTERM,)
    """How it is asked to stop, politest first."""
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _log_start: int = field(default=0, init=False)
    """Where in the log this start's output begins; what is before it explains nothing."""

    async def end_leftover(self) -> int | None:
        """End what an earlier, now dead, launcher left running; its id, or None where there was nothing.

        What this very object started is stopped too: whoever starts a child again wants it fresh.
        Raises FolderInUse when the one who started it is alive.
        """
        await self.stop()
        left = Trace.read(self.trace)
        if left is None or not left.alive:
            self.trace.unlink(missing_ok=True)
            return None
        if left.owned:
            raise FolderInUse(
                f"{self.name} already runs here as process {left.pid}, started by process {left.owner}: "
                "stop that one first, or choose another data folder"
            )
        await end(left.pid, left.began, self.signals, patience=5)
        self.trace.unlink(missing_ok=True)
        return left.pid

    def spawn(
        self, command: Sequence[str], env: Mapping[str, str], user: int | None = None, cwd: Path | None = None
    ) -> None:
        """Start `command` with this environment alone, its output appended to the log. Raises OSError."""
        self.trace.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self._log_start = out.tell()
            self.process = subprocess.Popen(
                [*_tied_to_us(self.signals), *command],
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **running_as(user),
            )
        self._leave_trace(self.process.pid)

    def _leave_trace(self, pid: int) -> None:
        me = os.getpid()
        Trace(pid, began(pid) or "gone", me, began(me) or "gone").write(self.trace)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self.process.pid if self.process and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process we started has not ended."""
        return self.process is not None and self.process.poll() is None

    async def stop(self, patience: float = 5) -> None:
        """Ask, wait up to `patience` seconds for each way of asking, then kill. Harmless when it is gone."""
        if self.process is None:
            return
        for number in [*self.signals, signal.SIGKILL]:
            if not self.running:
                break
            self.process.send_signal(number)
            await holds(lambda: not self.running, patience)
        self.trace.unlink(missing_ok=True)

    def failure(self, what: str) -> ChildFailed:
        """The error to raise, with the last lines of the log."""
        return ChildFailed(f"{self.name} {what}. Log: {self.log}\n{last_lines(self.log, self._log_start)}")


def last_lines(log: Path, start: int = 0, count: int = 5) -> str:
    """The end of a log, indented, nothing from before byte `start`; empty where there is none."""
    try:
        text = log.read_bytes()[start:].decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-count:])


def _tied_to_us(signals: Sequence[signal.Signals]) -> list[str]:
    """On Linux the kernel stops the child when we die, even by SIGKILL.

    It watches the thread that started the child, so this is done from the main thread alone.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return []
    return [setpriv, "--pdeathsig", signals[0].name.removeprefix("SIG")]
