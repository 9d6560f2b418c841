"""The whole system as child processes on free ports: PostgreSQL, Temporal, worker, server; each can be killed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

import httpx2

from dev.embedded import EmbeddedPostgres, EmbeddedTemporal
from dev.home import CHECKOUT, Home
from dev.ports import any_port
from dev.program import Program, polls, run_once, serves
from store.postgres import PostgresStore
from tests.envelopes import SETTINGS as ENVELOPES
from tests.vaults import MASTER_TEXT

QUEUE = "tandem"


class System:
    """Everything that `tandem up` starts, part by part."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self.home = Home(folder)
        self.home.make()
        self.instance = token_hex(8)
        self.postgres = EmbeddedPostgres(self.home.postgres, self.home.log("postgres"))
        self.temporal = EmbeddedTemporal(self.home.temporal, any_port(), any_port(), log=self.home.log("temporal"))
        self.port = any_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._extra = settings or {}

    def settings(self) -> dict[str, str]:
        """The environment of worker and server."""
        return {
            "TANDEM_MODE": "development",
            "TANDEM_DATABASE_URL": self.postgres.dsn("tandem_app", "tandem"),
            "TANDEM_MIGRATION_URL": self.postgres.dsn(database="tandem"),
            "TANDEM_TEMPORAL_ADDRESS": self.temporal.address,
            "TANDEM_TASK_QUEUE": QUEUE,
            "TANDEM_PORT": str(self.port),
            "TANDEM_INSTANCE": self.instance,
            "TANDEM_GRACEFUL_SECONDS": "2",
            **ENVELOPES,
            "TANDEM_SEAL_KEY_FILE": str(self.home.secret("seal")),
            "TANDEM_VAULT_KEY": MASTER_TEXT,
            "TANDEM_REQUESTS_PER_MINUTE": "0",
            **self._extra,
        }

    async def start(self) -> None:
        """Start all of it, with the schema in place."""
        await asyncio.gather(self._database(), self.temporal.start())
        await self._programs()

    async def _database(self) -> None:
        await self.postgres.start()
        await self.postgres.create_database("tandem")
        await self._migrate()

    async def start_the_rest(self) -> None:
        """Everything but PostgreSQL, which has the database already."""
        await asyncio.gather(self._migrate(), self.temporal.start())
        await self._programs()

    async def _migrate(self) -> None:
        await run_once("migrate", self.home, ["-m", "cli", "migrate"], self.settings(), CHECKOUT)

    async def _programs(self) -> None:
        self.worker = self.another_worker("worker")
        self.server = self._program("server", {}, serves(self.url, self.instance, self.home.log("server")))
        await asyncio.gather(self.worker.start(), self.server.start())

    def another_worker(self, name: str, **settings: str) -> Program:
        """A worker process, not started yet; `name` tells its log and trace from others'."""
        home = self.home if name == "worker" else Home(self.home.folder / name)
        home.make()
        return Program("worker", home, self.settings() | settings, lambda: polls(self.temporal, QUEUE), 4, CHECKOUT)

    def _program(self, name: str, extra: dict[str, str], ready: object) -> Program:
        return Program(name, self.home, self.settings() | extra, lambda: ready, 3, CHECKOUT)  # type: ignore[arg-type,return-value]

    def exit_code_of_worker(self) -> int | None:
        """0 where the worker has stopped in order; None while it runs."""
        process = self.worker._child.process
        return None if process is None else process.poll()

    def kill(self, part: str) -> None:
        """kill -9, as a crash would."""
        pid = {
            "worker": lambda: pid_of(self.worker),
            "server": lambda: pid_of(self.server),
            "temporal": lambda: self.temporal.pid,
            "postgres": lambda: self.postgres.pid,
        }[part]()
        assert pid is not None, f"{part} does not run"
        os.kill(pid, signal.SIGKILL)

    async def restart(self, part: str) -> None:
        """Start a killed part again."""
        await getattr(self, part).start()

    async def stop(self) -> None:
        """Those that were started, however far that came."""
        for name in ("server", "worker", "temporal", "postgres"):
            if (part := getattr(self, name, None)) is not None:
                await part.stop()

    def person(self, name: str) -> httpx2.AsyncClient:
        """A client that acts as this person."""
        return httpx2.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer dev:{name}"}, timeout=30)

    async def store(self) -> PostgresStore:
        """The application's own view of the database."""
        return await PostgresStore.open(self.postgres.dsn("tandem_app", "tandem"))


def pid_of(program: Program) -> int | None:
    """The process id while it runs."""
    return program._child.pid


@asynccontextmanager
async def running(settings: dict[str, str] | None = None) -> AsyncIterator[System]:
    """A system of one's own, in a folder that goes with it."""
    with TemporaryDirectory(prefix="tandem-", ignore_cleanup_errors=True) as folder:
        system = System(Path(folder), settings)
        try:
            await system.start()
            yield system
        finally:
            await system.stop()
