"""The worker and the server as children of the launcher."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from dev.ask import get_json
from dev.embedded import EmbeddedTemporal
from dev.home import Home
from dev.processes import Child, ChildFailed, holds

Ready = Callable[[], Awaitable[bool]]


class Program:
    """`python -m <name>`; it may be started again after it ended.

    `ready` is asked for a fresh check at every start, so that signs of an earlier run do not count.
    """

    def __init__(
        self, name: str, home: Home, settings: Mapping[str, str], ready: Callable[[], Ready], grace: float, folder: Path
    ) -> None:
        self.name = name
        self.log = home.log(name)
        self.settings = settings
        self._ready = ready
        self._grace = grace
        self._folder = folder
        self._child = Child(name, home.trace(name), self.log)

    @property
    def running(self) -> bool:
        """Whether the program has not ended."""
        return self._child.running

    async def end_leftover(self) -> int | None:
        """End what a killed launcher left running; its process id. Raises FolderInUse."""
        return await self._child.end_leftover()

    async def start(self, patience: float = 45) -> None:
        """Start and wait until ready. Raises ChildFailed where it ends or takes longer than `patience` s."""
        await self.end_leftover()
        self._child.spawn([sys.executable, "-m", self.name], os.environ | self.settings, cwd=self._folder)
        try:
            if await self._becomes_ready(self._ready(), time.monotonic() + patience):
                return
            ended = not self._child.running
            raise self._child.failure("ended while starting" if ended else f"was not ready after {patience:g} s")
        except ChildFailed:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ask to stop; kill after `grace` seconds."""
        await self._child.stop(self._grace)

    async def _becomes_ready(self, ready: Ready, deadline: float) -> bool:
        while self._child.running and time.monotonic() < deadline:
            if await ready():
                return True
            await asyncio.sleep(0.1)
        return False


async def run_once(name: str, home: Home, arguments: list[str], settings: Mapping[str, str], folder: Path) -> str:
    """Run `python …arguments` to its end and give the last line it wrote. Raises ChildFailed."""
    child = Child(name, home.trace(name), home.log(name))
    await child.end_leftover()
    child.spawn([sys.executable, *arguments], os.environ | settings, cwd=folder)
    try:
        ended = await holds(lambda: not child.running, 120)
    finally:
        await child.stop(patience=1)
    if not ended or child.process is None or child.process.returncode != 0:
        raise child.failure("did not succeed")
    return _last_line(child.log)


def serves(url: str, instance: str, log: Path) -> Ready:
    """Ready when our own server answers at `url` and says that it can work.

    The check raises ChildFailed when somebody else's server answers there.
    """

    async def ready() -> bool:
        try:
            told = (await get_json(f"{url}/version")).get("instance")
        except (OSError, ValueError):
            return False
        if told != instance:
            raise ChildFailed(f"{url} answers, but it is not the server started here. Log: {log}")
        try:
            await get_json(f"{url}/readyz")
        except (OSError, ValueError):
            return False
        return True

    return ready


def polls(temporal: EmbeddedTemporal, queue: str) -> Ready:
    """Ready when a worker has asked Temporal for work from now on."""
    start = datetime.now(UTC)

    async def ready() -> bool:
        try:
            return await temporal.polled_since(queue, start)
        except (OSError, ValueError):
            return False

    return ready


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")
