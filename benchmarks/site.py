"""The servers that figures are measured on: started when first needed, all of them ours, stopped at the end."""

import asyncio
import os
import secrets
import sys
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.engine import register_search_attributes
from benchmarks.empty import QUEUE, EmptyWorkflow
from benchmarks.tandem import Tandem
from dev.ask import get_json
from dev.embedded import EmbeddedPostgres, EmbeddedTemporal
from dev.home import CHECKOUT, Home
from dev.ports import any_port
from dev.processes import Child
from dev.program import Ready, polls, serves
from store.migrate import migrate

APPLICATION = "tandem_app"
TASK_QUEUE = "tandem"


class NotReady(Exception):
    """A server did not start; the message has the end of its log."""


class Site:
    """One run's servers, in a folder of their own. Leave the context to stop them, the newest first."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self._stack = AsyncExitStack()
        self._postgres: EmbeddedPostgres | None = None
        self._temporal: EmbeddedTemporal | None = None
        self._tandem: Tandem | None = None
        self._plain: int | None = None
        self._children: dict[str, Child | EmbeddedPostgres | EmbeddedTemporal] = {}

    async def __aenter__(self) -> Self:
        self.home.make()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def postgres(self) -> EmbeddedPostgres:
        """PostgreSQL as it comes: fsync and synchronous_commit are on."""
        if self._postgres is None:
            self._postgres = EmbeddedPostgres(self.home.postgres, self.home.log("postgres"))
            self._stack.push_async_callback(self._postgres.stop)
            self._children[self._postgres.name] = self._postgres
            await self._postgres.start()
            await self._check_durable(self._postgres.dsn())
        return self._postgres

    async def database(self, name: str | None = None, template: str = "template1") -> str:
        """The superuser's dsn of a new database."""
        server, fresh = await self.postgres(), name or f"fresh_{uuid4().hex[:8]}"
        connection = await asyncpg.connect(server.dsn())
        try:
            await connection.execute(f'CREATE DATABASE "{fresh}" TEMPLATE "{template}" STRATEGY file_copy')
        finally:
            await connection.close()
        return server.dsn(database=fresh)

    async def drop(self, dsn: str) -> None:
        """Remove a database made here."""
        server = await self.postgres()
        connection = await asyncpg.connect(server.dsn())
        try:
            await connection.execute(f'DROP DATABASE "{name_of(dsn)}" WITH (FORCE)')
        finally:
            await connection.close()

    async def temporal(self) -> EmbeddedTemporal:
        """A real development server, its state in a file."""
        if self._temporal is None:
            self._temporal = EmbeddedTemporal(self.home.temporal, any_port(), log=self.home.log("temporal"))
            self._stack.push_async_callback(self._temporal.stop)
            self._children[self._temporal.name] = self._temporal
            await self._temporal.start()
        return self._temporal

    async def tandem(self) -> Tandem:
        """The whole system: PostgreSQL, Temporal, `python -m worker`, `python -m server`."""
        if self._tandem is None:
            self._tandem = await self._started_tandem()
            self._stack.push_async_callback(self._tandem.close)
        return self._tandem

    async def trusting_server(self, person: str) -> int:
        """The port of a server on the same database that takes everybody for this person and looks at nothing."""
        tandem, port, instance = await self.tandem(), any_port(), secrets.token_hex(8)
        settings = self._settings(tandem.dsn, await self.temporal(), port, instance)
        ready = serves(f"http://127.0.0.1:{port}", instance, self.home.log("trusting"))
        await self._start("trusting", ["benchmarks.trusting", person], settings, ready)
        return port

    async def plain_front(self) -> int:
        """The port of a front that does one INSERT."""
        if self._plain is None:
            self._plain = await self._front("plain-front", [])
        return self._plain

    async def update_front(self, workflows: Sequence[str]) -> int:
        """The port of a front that asks workflows which do nothing; they run on a worker of their own."""
        temporal = await self.temporal()
        await self._start("empty-worker", ["benchmarks.empty", temporal.address], {}, polls(temporal, QUEUE))
        client = await Client.connect(temporal.address, data_converter=pydantic_data_converter)
        for workflow in workflows:
            await client.start_workflow(EmptyWorkflow.run, id=workflow, task_queue=QUEUE)
        return await self._front("update-front", [temporal.address])

    def pid(self, name: str) -> int:
        """The process id of a server that runs. Raises NotReady."""
        pid = self._children[name].pid
        if pid is None:
            raise NotReady(f"{name} has ended")
        return pid

    async def _front(self, name: str, more: list[str]) -> int:
        port = any_port()
        dsn = await self.database(name)
        await self._start(
            name, ["benchmarks.front", str(port), dsn, *more], {}, _answers(f"http://127.0.0.1:{port}/readyz")
        )
        return port

    async def _started_tandem(self) -> Tandem:
        server, temporal = await self.postgres(), await self.temporal()
        await migrate(await self.database("tandem"))
        client = await Client.connect(temporal.address, data_converter=pydantic_data_converter)
        await register_search_attributes(client)
        port, instance = any_port(), secrets.token_hex(8)
        dsn = server.dsn(APPLICATION, "tandem")
        settings = self._settings(dsn, temporal, port, instance)
        await self._start("worker", ["worker"], settings, polls(temporal, TASK_QUEUE))
        ready = serves(f"http://127.0.0.1:{port}", instance, self.home.log("server"))
        await self._start("server", ["server"], settings, ready)
        return Tandem(port, dsn, client, await asyncpg.connect(dsn))

    def _settings(self, dsn: str, temporal: EmbeddedTemporal, port: int, instance: str) -> dict[str, str]:
        return {
            "TANDEM_MODE": "development",
            "TANDEM_DATABASE_URL": dsn,
            "TANDEM_TEMPORAL_ADDRESS": temporal.address,
            "TANDEM_TASK_QUEUE": TASK_QUEUE,
            "TANDEM_HOST": "127.0.0.1",
            "TANDEM_PORT": str(port),
            "TANDEM_INSTANCE": instance,
            "TANDEM_LOG_LEVEL": "WARNING",
            "TANDEM_VAULT_KEY": b64encode(bytes(32)).decode(),
            # Counted like everywhere, and never used up.
            "TANDEM_REQUESTS_PER_MINUTE": "100000000",
        }

    async def _start(self, name: str, program: list[str], settings: Mapping[str, str], ready: Ready) -> None:
        child = Child(name, self.home.trace(name), self.home.log(name))
        self._stack.push_async_callback(child.stop)
        self._children[name] = child
        child.spawn([sys.executable, "-m", *program], os.environ | dict(settings), cwd=CHECKOUT)
        for _ in range(450):
            if not child.running:
                break
            if await ready():
                return
            await asyncio.sleep(0.1)
        raise NotReady(str(child.failure("did not start")))

    @staticmethod
    async def _check_durable(dsn: str) -> None:
        connection = await asyncpg.connect(dsn)
        try:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                found = await connection.fetchval("SELECT current_setting($1)", setting)
                assert found == "on", f"{setting} is {found}: this would measure no durable commits"
        finally:
            await connection.close()


def name_of(dsn: str) -> str:
    """Which database a dsn of the embedded server names."""
    return urlsplit(dsn).path.removeprefix("/")


def _answers(url: str) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        try:
            await get_json(url)
        except (OSError, ValueError):
            return False
        return True

    return ready


def started_at() -> str:
    """Now, for the result."""
    return datetime.now(UTC).isoformat(timespec="seconds")
