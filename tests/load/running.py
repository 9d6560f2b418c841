"""One run: the system, the receivers, the people, and somebody who kills workers."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from dev.home import CHECKOUT
from dev.program import Program
from projections.profiles import Profiles
from store.postgres import PostgresStore
from tests.e2e.system import System, pid_of
from tests.load import books
from tests.load.owed import Owed, everything, owed
from tests.load.playing import PARTS, Asking, Play
from tests.load.windows import Window, windows, write
from tests.vaults import keys_of

SENDER = "tandem@tandem.example"
ENDPOINTS: dict[str, tuple[str, ...] | None] = {
    "everything": None,
    "decisions": ("DecisionOpened", "DecisionApproved", "VoteCast"),
    "reminders": ("DecisionReminderDue", "StageReminderDue", "ApproversNudged"),
}
OWNER = "an.jing"
MAIL_NOTED = """
    SELECT event_id::text, recipient, at FROM tandem.delivery WHERE channel = 'mail' AND state = 'delivered'
"""
WEB_NOTED = """
    SELECT a.event_id::text, w.url, min(a.at) FROM tandem.webhook_attempt a JOIN tandem.webhook w ON w.id = a.webhook_id
    WHERE a.state = 'delivered' GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Size:
    """How much of it."""

    people: int
    projects: int
    seconds: float
    every: float
    """Seconds between two kills."""
    pace: float
    """Seconds between two commands of one project, on average."""
    patience: float
    """Seconds within which everything has come once the load has ended, on a machine that does much else."""


FULL = Size(people=200, projects=50, seconds=120, every=5, pace=20, patience=900)
SMALL = Size(people=30, projects=8, seconds=12, every=3, pace=2, patience=240)


@dataclass(frozen=True)
class Seen:
    """What a run left behind."""

    size: Size
    owed: Owed
    hours: tuple[Window, ...]
    mail: dict[books.Key, list[books.Try]]
    web: dict[books.Key, list[books.Try]]
    mail_noted: dict[books.Key, float]
    """When our side first knew that it was taken."""
    web_noted: dict[books.Key, float]
    inbox: set[tuple[str, str]]
    """(event, recipient)."""
    kills: tuple[float, ...]
    commands: int
    seconds: float
    """How long after the end of the load everything had come."""
    at: datetime

    def mail_owed(self) -> list[books.Key]:
        return [(message_id(str(event), person), address(person)) for event, person in self.owed.notices]

    def web_owed(self) -> list[books.Key]:
        return web_owed(self.owed)


def message_id(event: str, person: str) -> str:
    """As notices' mails have it, so that a repeat has it too."""
    return f"<{event}.{sha256(person.encode()).hexdigest()[:16]}@{SENDER.partition('@')[2]}>"


def address(person: str) -> str:
    return f"{person}@mail.example"


def web_owed(found: Owed) -> list[books.Key]:
    wanted = ((f, n) for n, types in ENDPOINTS.items() for f in found.facts if types is None or f.type in types)
    return [(str(fact.event_id), f"/hook/{name}") for fact, name in wanted]


async def run(size: Size) -> Seen:
    """Play it once, wait until everything has come or patience is over, and look at what is there."""
    with TemporaryDirectory(prefix="tandem-load-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        hours = windows(datetime.now(UTC), size.seconds)
        write(folder / "templates", hours)
        async with (
            _receiver("mail", folder) as mail,
            _receiver("web", folder) as web,
            _system(folder, mail) as system,
        ):
            return await _Run(system, size, hours, folder, web).whole()


@asynccontextmanager
async def _receiver(kind: str, folder: Path) -> AsyncIterator[str]:
    """Its URL. The book is `<kind>.book`."""
    words = ("-m", "tests.load.receivers", kind, str(folder / f"{kind}.book"))
    child = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    try:
        yield (await child.stdout.readline()).decode().strip()
    finally:
        child.kill()
        await child.wait()


@asynccontextmanager
async def _system(folder: Path, mail: str) -> AsyncIterator[System]:
    settings = {
        "TANDEM_SMTP_URL": mail,
        "TANDEM_MAIL_FROM": SENDER,
        "TANDEM_WEBHOOK_PRIVATE_ADDRESSES": "true",
        "TANDEM_WEBHOOK_KEY": "a key of the test's own",
        "TANDEM_TEMPLATES": str(folder / "templates"),
        "TANDEM_LOG_LEVEL": "WARNING",
    }
    system = System(folder / "home", settings)
    try:
        await system.start()
        yield system
    finally:
        await system.stop()


class _Run:
    """Two workers take turns at being killed."""

    def __init__(self, system: System, size: Size, hours: tuple[Window, ...], folder: Path, web: str) -> None:
        self._system = system
        self._size = size
        self._hours = hours
        self._folder = folder
        self._web = web
        self._asking = Asking(system)
        self._people = [f"person.{number}" for number in range(size.people)]
        self._second = system.another_worker("second")
        self._kills: list[float] = []

    async def whole(self) -> Seen:
        try:
            await self._second.start()
            await self._prepare()
            await self._load()
            return await self._settled()
        finally:
            await self._second.stop()
            await self._asking.close()

    async def _prepare(self) -> None:
        """Everybody has a mailbox, and programs have their endpoints."""
        store, everybody = await self._system.store(), (*self._people, OWNER)
        try:
            # As if they had given back the code that is mailed to them first.
            await asyncio.gather(*(Profiles(keys_of(store)).set_mailbox(who, address(who)) for who in everybody))
        finally:
            await store.close()
        wanted = {"mail": True}
        await asyncio.gather(*(self._asking.do(who, "/v1/me/preferences", wanted, "PATCH") for who in everybody))
        for name, types in ENDPOINTS.items():
            body = {"url": f"{self._web}/{name}", "after": -1} | ({} if types is None else {"types": list(types)})
            await self._asking.do(OWNER, "/v1/webhooks", body)

    async def _load(self) -> None:
        ends = time.monotonic() + self._size.seconds
        killing = asyncio.create_task(self._kill_on())
        playing = [asyncio.create_task(play.whole()) for play in self._plays(ends)]
        try:
            await asyncio.gather(killing, *playing)
        finally:
            for task in (killing, *playing):
                task.cancel()
            await asyncio.gather(killing, *playing, return_exceptions=True)

    def _plays(self, ends: float) -> Iterator[Play]:
        for number in range(self._size.projects):
            chosen = (self._people[(4 * number + n) % len(self._people)] for n in range(4))
            people = dict(zip(PARTS, (*chosen, OWNER), strict=True))
            hours = self._hours[number % len(self._hours)]
            lingers = number % 8 >= len(self._hours)
            yield Play(self._asking, hours.name, people, self._size.pace, ends, lingers, Random(number))  # noqa: S311 - only paces

    async def _kill_on(self) -> None:
        """One worker after the other, each started again at once; the last one so long before the load's end."""
        workers, starts = (self._system.worker, self._second), list[asyncio.Task[None]]()
        for number in range(1, round(self._size.seconds / self._size.every)):
            await asyncio.sleep(self._size.every)
            await asyncio.gather(*starts[-2:-1])
            self._kills.append(kill(workers[number % 2]))
            starts.append(asyncio.create_task(workers[number % 2].start()))
        await asyncio.gather(*starts)

    async def _settled(self) -> Seen:
        began = time.monotonic()
        store = await self._system.store()
        try:
            # It comes to other processes, which cannot set an event of ours.
            while time.monotonic() - began < self._size.patience and not await self._all_is_there(store):  # noqa: ASYNC110
                await asyncio.sleep(1)
            return await self._seen(store, time.monotonic() - began)
        finally:
            await store.close()

    async def _all_is_there(self, store: PostgresStore) -> bool:
        if await store.lagging(1):
            return False
        seen = await self._seen(store, 0)
        return not (books.missing(seen.mail, seen.mail_owed()) or books.missing(seen.web, seen.web_owed()))

    async def _seen(self, store: PostgresStore, seconds: float) -> Seen:
        at = datetime.now(UTC)
        found = owed(await everything(store))
        rows = await store.pool.fetch("SELECT event_id::text, recipient FROM tandem.message")
        mail, web = await store.pool.fetch(MAIL_NOTED), await store.pool.fetch(WEB_NOTED)
        return Seen(
            size=self._size,
            owed=found,
            hours=self._hours,
            mail=books.read(self._folder / "mail.book"),
            web=books.read(self._folder / "web.book"),
            mail_noted={(message_id(row[0], row[1]), address(row[1])): row[2].timestamp() for row in mail},
            web_noted={(row[0], urlsplit(row[1]).path): row[2].timestamp() for row in web},
            inbox={(row[0], row[1]) for row in rows},
            kills=tuple(self._kills),
            commands=self._asking.acknowledged,
            seconds=seconds,
            at=at,
        )


def kill(worker: Program) -> float:
    """kill -9, as a crash would; when it was."""
    pid = pid_of(worker)
    assert pid is not None, "a worker ended by itself"
    os.kill(pid, signal.SIGKILL)
    return time.time()
