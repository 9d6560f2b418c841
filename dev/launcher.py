"""`tandem up`: PostgreSQL, Temporal, worker and server under one process, started in order and watched.

Stopping goes the other way and takes at most five seconds. Nothing is lost when the launcher is killed: the
next start ends what was left running and goes on from the data.
"""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from activities.envelopes import EnvelopeSigner
from dev import ports
from dev.embedded import EmbeddedPostgres, EmbeddedTemporal, WheelMissing
from dev.home import CHECKOUT, Home, HomeInUse, Running
from dev.processes import Child, ChildFailed, FolderInUse, began
from dev.program import Program, Ready, polls, run_once, serves
from dev.screen import Screen, near

DATABASE = "tandem"
APPLICATION = "tandem_app"
"""The role of worker and server; the migrations make it, and it may append and read, never change."""
QUEUE = "tandem"
ROUNDS = 3
"""How often something is started again within RECENT before the launcher gives up on it."""
RECENT = 120.0
PORT_ATTEMPTS = 3
STOP_SERVER, STOP_WORKER = 1.2, 1.6
"""Seconds to end what is under way; with the two servers' 1.7 this makes less than five."""
TROUBLE = (ChildFailed, FolderInUse, HomeInUse, WheelMissing, ports.NoFreePort, LookupError, OSError)
"""What can go wrong on a machine; the message is for the person at the terminal."""


class Part(Protocol):
    """Something the launcher starts, watches and stops."""

    @property
    def name(self) -> str: ...
    @property
    def log(self) -> Path: ...
    @property
    def running(self) -> bool: ...
    async def start(self) -> Any: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True)
class Wishes:
    """What was asked for on the command line."""

    home: Home
    port: int = ports.API
    demo: bool = False
    once: bool = False
    """Stop when everything is up and, with `demo`, the story has been played."""
    programs: Path = CHECKOUT
    """Where `worker.py`, `server.py` and `cli.py` are."""


def up(wishes: Wishes, console: Console) -> int:
    """Run until a signal comes, or until it is done; the exit code. Everything is stopped on return."""
    screen = Screen(console)
    if sys.platform == "win32":
        screen.fail("There are no Temporal and PostgreSQL wheels to go together on Windows: use WSL or Docker.")
        return 1
    try:
        wishes.home.make()
        with wishes.home.hold():
            return asyncio.run(_until_stopped(wishes, screen))
    except TROUBLE as trouble:
        screen.fail(str(trouble))
        return 1


async def _until_stopped(wishes: Wishes, screen: Screen) -> int:
    launcher = Launcher(wishes, screen)
    work = asyncio.create_task(launcher.live())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
        return 0
    except asyncio.CancelledError:
        screen.say("")
        screen.say("Stopping …")
        return 0
    finally:
        # Stopping is not interrupted by an impatient second Ctrl-C: it is bounded anyway.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: None)
        await launcher.stop()
        screen.say(f"Stopped. Data stays in {near(wishes.home.folder)}.")


class Launcher:
    """One run of the whole system on one data folder."""

    def __init__(self, wishes: Wishes, screen: Screen) -> None:
        self.home = wishes.home
        self.wishes = wishes
        self.screen = screen
        self.instance = secrets.token_hex(8)
        self.postgres = EmbeddedPostgres(self.home.postgres, self.home.log("postgres"))
        self.temporal = EmbeddedTemporal(self.home.temporal, 0, log=self.home.log("temporal"))
        self.parts: dict[str, Part] = {}
        self._rounds: dict[str, list[float]] = {}

    async def live(self) -> None:
        """Start everything, play the demo where wished, then keep all of it running until cancelled.

        Raises one of TROUBLE when something does not start, or ends too often.
        """
        await self._end_leftovers()
        await _together(self._start_postgres(), self._start_temporal())
        await self._migrate()
        _, url = await _together(self._start_worker(), self._start_server())
        self.home.announce(self._running(url))
        self.screen.ready(self._running(url), self.home.folder)
        await self._invite(url)
        if self.wishes.demo:
            await self._play(url)
        if not self.wishes.once:
            await self._watch()

    async def _invite(self, url: str) -> None:
        """A link that works once: for the owner, or to become the owner where there is none."""
        from dev.verbs.people import front_door

        link = await front_door(self.postgres.dsn(APPLICATION, DATABASE), url)
        if link is not None:
            self.screen.say(f"Sign in, once: {link}")

    async def _play(self, url: str) -> None:
        """A story that breaks off fails a run that ends with it; a run that goes on can still be looked at."""
        from dev.demo import StoryBroken, play

        try:
            await play(url, self.screen.console)
        except StoryBroken as broken:
            if self.wishes.once:
                raise ChildFailed(f"The demo broke off: {broken}. Logs: {self.home.logs}") from None
            self.screen.fail(f"The demo broke off: {broken}. Everything else runs; logs: {self.home.logs}")

    async def stop(self) -> None:
        """Requests first, then the steps, then what both stand on. At most five seconds."""
        self.home.forget()
        for name in ("server", "worker"):
            if name in self.parts:
                await self.parts[name].stop()
        await asyncio.gather(self.temporal.stop(), self.postgres.stop())

    async def _end_leftovers(self) -> None:
        """Before ports are chosen: what a killed launcher left may still hold the usual ones."""
        for name in ("server", "worker"):
            child = Child(name, self.home.trace(name), self.home.log(name))
            self._tell_of(name, await child.end_leftover())
        self._tell_of(self.temporal.name, await self.temporal.end_leftover())

    def _tell_of(self, name: str, pid: int | None) -> None:
        if pid is not None:
            self.screen.say(f"{name} (process {pid}) was left by a killed launcher and has been ended.")

    async def _start_postgres(self) -> None:
        with self.screen.step("PostgreSQL") as step:
            await self._begin(self.postgres)
            await self.postgres.create_database(DATABASE)
            step.name, step.where = f"PostgreSQL {self.postgres.version}", near(self.home.postgres)

    async def _start_temporal(self) -> None:
        with self.screen.step("Temporal") as step:
            port = await self._on_free_port(ports.TEMPORAL, self._temporal_on)
            version = (await self.temporal.cluster())["serverVersion"]
            step.name, step.where, step.remark = f"Temporal {version}", self.temporal.address, port.remark

    def _temporal_on(self, port: ports.Port) -> Part:
        self.temporal.port = port.number
        self.temporal.ui_port = ports.free_port(ports.TEMPORAL_PAGE, besides=[port.number]).number
        return self.temporal

    async def _migrate(self) -> None:
        with self.screen.step("schema") as step:
            step.where = await run_once(
                "migrate", self.home, ["-m", "cli", "migrate"], self._settings(), self.wishes.programs
            )

    async def _start_worker(self) -> None:
        # Nobody else needs what the log is sealed with.
        keys = {
            "TANDEM_SEAL_KEY_FILE": str(self.home.secret("seal")),
            "TANDEM_ENVELOPE_PUBLIC_KEYS": EnvelopeSigner.read(self.home.secret("envelope").read_text()).public,
        }
        with self.screen.step("worker") as step:
            await self._begin(self._program("worker", keys, lambda: polls(self.temporal, QUEUE), STOP_WORKER))
            step.where = f"task queue {QUEUE}"

    async def _start_server(self) -> str:
        with self.screen.step("server") as step:
            port = await self._on_free_port(self.wishes.port, self._server_on)
            step.where, step.remark = _url(port), port.remark
            return _url(port)

    def _server_on(self, port: ports.Port) -> Part:
        settings = {
            "TANDEM_PORT": str(port.number),
            "TANDEM_ENVELOPE_KEY_FILE": str(self.home.secret("envelope")),
        }
        ours = serves(_url(port), self.instance, self.home.log("server"))
        return self._program("server", settings, lambda: ours, STOP_SERVER)

    def _program(self, name: str, extra: dict[str, str], ready: Callable[[], Ready], grace: float) -> Part:
        return Program(name, self.home, self._settings() | extra, ready, grace, self.wishes.programs)

    async def _begin(self, part: Part) -> None:
        self.parts[part.name] = part
        await part.start()

    async def _on_free_port(self, wished: int, make: Callable[[ports.Port], Part]) -> ports.Port:
        """Between finding a port free and using it somebody may take it: then the next one is tried."""
        for attempt in range(PORT_ATTEMPTS):
            port = ports.free_port(wished)
            try:
                await self._begin(make(port))
                return port
            except ChildFailed:
                if attempt == PORT_ATTEMPTS - 1 or ports.is_free(port.number):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _settings(self) -> dict[str, str]:
        """The environment of the programs: see config.Settings."""
        return {
            "TANDEM_MODE": "development",
            "TANDEM_DATABASE_URL": self.postgres.dsn(APPLICATION, DATABASE),
            "TANDEM_MIGRATION_URL": self.postgres.dsn(database=DATABASE),
            "TANDEM_TEMPORAL_ADDRESS": self.temporal.address,
            "TANDEM_TEMPORAL_NAMESPACE": self.temporal.namespace,
            "TANDEM_TASK_QUEUE": QUEUE,
            "TANDEM_VAULT_KEY_FILE": str(self.home.secret("vault")),
            "TANDEM_ARCHIVE_FOLDER": str(self.home.folder / "archive"),
            "TANDEM_HOST": "127.0.0.1",
            "TANDEM_INSTANCE": self.instance,
            "TANDEM_GRACEFUL_SECONDS": str(STOP_WORKER - 0.4),
            "PYTHONUNBUFFERED": "1",
        }

    def _running(self, url: str) -> Running:
        me = os.getpid()
        return Running(
            pid=me,
            began=began(me) or "",
            instance=self.instance,
            url=url,
            database_url=self.postgres.dsn(APPLICATION, DATABASE),
            migration_url=self.postgres.dsn(database=DATABASE),
            temporal_address=self.temporal.address,
            temporal_namespace=self.temporal.namespace,
            temporal_page=f"http://127.0.0.1:{self.temporal.ui_port}",
        )

    async def _watch(self) -> None:
        while True:
            for part in list(self.parts.values()):
                if not part.running:
                    await self._start_again(part)
            await asyncio.sleep(0.25)

    async def _start_again(self, part: Part) -> None:
        """A bounded number of times; what ends again and again needs a person to read its log."""
        now = time.monotonic()
        recent = [moment for moment in self._rounds.get(part.name, []) if now - moment < RECENT]
        if len(recent) == ROUNDS:
            raise ChildFailed(f"{part.name} keeps ending, so everything is stopped now. Log: {part.log}")
        self._rounds[part.name] = [*recent, now]
        self.screen.say(
            f"{part.name} ended unexpectedly; starting it again ({len(recent) + 1} of {ROUNDS}). Log: {part.log}"
        )
        try:
            await part.start()
            self.screen.say(f"{part.name} is back.")
        except ChildFailed as failed:
            self.screen.fail(str(failed))


def _url(port: ports.Port) -> str:
    return f"http://127.0.0.1:{port.number}"


async def _together(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """All of them at once; when one fails the others are cancelled and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
