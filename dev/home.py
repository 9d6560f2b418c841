"""The folder of one installation on this machine: data, logs, and a note of what runs where."""

import json
import os
import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dev.processes import began

CHECKOUT = Path(__file__).resolve().parent.parent
"""Where the programs are: the folder that holds `worker.py` and `server.py`."""


class HomeInUse(Exception):
    """Another launcher works on this data folder; the message names it."""


@dataclass(frozen=True)
class Running:
    """What a launcher wrote down once everything was up, for other programs of the same user."""

    pid: int
    began: str
    instance: str
    url: str
    database_url: str
    migration_url: str
    temporal_address: str
    temporal_namespace: str
    temporal_page: str

    @property
    def alive(self) -> bool:
        """Whether exactly the launcher that wrote this still runs."""
        return began(self.pid) == self.began


@dataclass(frozen=True)
class Home:
    """Names of everything below the data folder."""

    folder: Path

    @classmethod
    def default(cls) -> "Home":
        """`.tandem` in the checkout; in the current folder where the package was installed without one."""
        above = CHECKOUT if (CHECKOUT / "pyproject.toml").exists() else Path.cwd()
        return cls(above / ".tandem")

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL's folder."""
        return self.folder / "postgres"

    @property
    def temporal(self) -> Path:
        """The embedded Temporal's folder."""
        return self.folder / "temporal"

    @property
    def logs(self) -> Path:
        """One log a program."""
        return self.folder / "logs"

    @property
    def lock(self) -> Path:
        """Held by the launcher as long as it lives."""
        return self.folder / "launcher.lock"

    def log(self, name: str) -> Path:
        """Where the program of this name writes."""
        return self.logs / f"{name}.log"

    def trace(self, name: str) -> Path:
        """Where the process id of this program is kept."""
        return self.folder / "run" / f"{name}.trace"

    def secret(self, name: str) -> Path:
        """A file with 32 random bytes in base64, made at the first call and closed to other people."""
        path = self.folder / f"{name}.key"
        with suppress(FileExistsError):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(b64encode(secrets.token_bytes(32)) + b"\n")
        return path

    @property
    def _note(self) -> Path:
        return self.folder / "running.json"

    def make(self) -> None:
        """Create the folder, closed to other people. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.logs.mkdir(exist_ok=True)

    def running(self) -> Running | None:
        """What runs on this folder now; None where nothing does, or where its launcher was killed."""
        note = self.note()
        return note if note is not None and note.alive else None

    def note(self) -> Running | None:
        """What the last launcher wrote down, alive or not; a launcher that stopped in order leaves nothing."""
        try:
            return Running(**json.loads(self._note.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def announce(self, running: Running) -> None:
        """Write down what runs where."""
        fresh = self._note.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(running), indent=2))
        fresh.chmod(0o600)
        fresh.replace(self._note)

    def forget(self) -> None:
        """Nothing runs any more."""
        self._note.unlink(missing_ok=True)

    def holder(self) -> int | None:
        """The process id of the launcher that holds the lock now; None where nobody does."""
        if not self.lock.exists():
            return None
        try:
            with self.hold():
                return None
        except HomeInUse:
            return _holder(self.lock)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the only launcher on this folder. The lock goes with the process, however it ends.

        Raises HomeInUse.
        """
        import fcntl

        handle = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeInUse(
                    f"Tandem already runs on {self.folder} (process {_holder(self.lock) or 'unknown'}). "
                    "Stop that one with Ctrl-C, or give this one its own folder with --home."
                ) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(handle)


def _holder(lock: Path) -> int | None:
    text = lock.read_text().strip()
    return int(text) if text.isdigit() else None
