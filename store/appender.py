"""Group commit in the client: whatever waits goes to the database in one call, on one connection per process.

The log has one order, so appends queue for its head anyway. Queueing here instead of there makes one commit
carry many of them: order without gaps at no less speed than unordered inserts.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import asyncpg

from activities.ports import Append, StoreUnavailable, StreamRewound, Verdict, VerdictKind
from store.batch import SQL, ChainBroken, Ready, UnfitAppend, arguments, ready, verdicts
from store.connect import is_away

BATCH_APPENDS = 256
BATCH_LEAST = 8
"""So few go together even where half of them could be prepared meanwhile."""
BATCH_BYTES = 4 << 20
PAUSE_SECONDS = (0.02, 0.5)
"""Between attempts to connect: the first pause, doubled up to the last."""


@dataclass(eq=False, slots=True)
class _Waiting:
    ready: Ready
    answer: asyncio.Future[Verdict] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, outcome: Verdict | Exception) -> None:
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class Appender:
    """One queue, one connection, one batch at a time.

    `connect` makes a connection, `committed` hears the position of the last event of each batch,
    `patience` (seconds) bounds how long a caller waits before StoreUnavailable.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        committed: Callable[[int], None],
        patience: float = 5.0,
    ) -> None:
        self._connect = connect
        self._committed = committed
        self._patience = patience
        self._connection: asyncpg.Connection | None = None
        self._queue: deque[_Waiting] = deque()
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def append(self, append: Append) -> Verdict:
        """Store it, or say why not. After StoreUnavailable the outcome is unknown: send the same command again.

        Raises UnfitAppend and NotCanonical before anything is sent; StreamRewound where the stream is shorter
        than expected; ChainBroken; StoreUnavailable.
        """
        waiting = _Waiting(ready(append))
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="appender")
        self._queue.append(waiting)
        self._filled.set()
        try:
            async with asyncio.timeout(self._patience):
                verdict = await waiting.answer
        except TimeoutError as error:
            raise StoreUnavailable(f"no answer from the database within {self._patience:g} s") from error
        if verdict.kind is VerdictKind.CONFLICT and verdict.version < append.expected_version:
            raise StreamRewound(
                f"{append.stream} ends at version {verdict.version}, {append.expected_version} was seen before"
            )
        return verdict

    async def close(self) -> None:
        """Finish what waits, as far as the database lets us within the callers' patience; then disconnect."""
        self._closed = True
        self._filled.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=self._patience)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for waiting in self._queue:
            waiting.settle(StoreUnavailable("the store is closed"))
        self._drop()

    async def _run(self) -> None:
        settled = 0
        while True:
            if not self._queue:
                if self._closed:
                    return
                self._filled.clear()
                await self._filled.wait()
            batch = self._take(settled)
            if batch:
                await self._store(batch)
            settled = len(batch)

    def _take(self, settled: int) -> list[_Waiting]:
        """The oldest that fit; the second append of a stream is held back, for it needs to see the first.

        `settled` callers have just got their answers and will come again. Half of all per batch keeps both
        sides busy: the database writes one half while this process prepares the other.
        """
        most = min(BATCH_APPENDS, max(BATCH_LEAST, (len(self._queue) + settled + 1) // 2))
        batch: list[_Waiting] = []
        held: list[_Waiting] = []
        streams: set[str] = set()
        size = 0
        while self._queue and len(batch) < most and size < BATCH_BYTES:
            waiting = self._queue.popleft()
            stream = waiting.ready.append.stream
            if waiting.answer.done():
                continue
            if stream in streams:
                held.append(waiting)
                continue
            streams.add(stream)
            batch.append(waiting)
            size += waiting.ready.size
        self._queue.extendleft(reversed(held))
        return batch

    async def _store(self, batch: list[_Waiting]) -> None:
        """Every one of the batch is settled or back in the queue when this returns."""
        try:
            await self._send(batch)
        except Exception as error:
            if is_away(error):
                # Perhaps stored, perhaps not: sent again, the command id tells.
                self._drop()
                self._queue.extendleft(reversed(batch))
                await self._reconnect()
            elif len(batch) == 1:
                batch[0].settle(_fault(error))
            else:
                # One of them aborted all: alone, each gets what it deserves.
                for waiting in batch:
                    await self._store([waiting])

    async def _send(self, batch: list[_Waiting]) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        rows = await self._connection.fetch(
            SQL, *arguments([waiting.ready for waiting in batch]), timeout=self._patience
        )
        outcomes = verdicts(rows)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.settle(outcome)
        last = max((_written(outcome) for outcome in outcomes), default=-1)
        if last >= 0:
            self._committed(last)

    async def _reconnect(self) -> None:
        """Until there is a connection or nobody waits any more."""
        pause, longest = PAUSE_SECONDS
        while any(not waiting.answer.done() for waiting in self._queue):
            try:
                self._connection = await self._connect()
                return
            except Exception as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()


def _written(outcome: Verdict | ChainBroken) -> int:
    """The position of the last event that this append has added; -1 where it added none."""
    if isinstance(outcome, ChainBroken) or outcome.kind is not VerdictKind.OK or outcome.position is None:
        return -1
    return outcome.position


def _fault(error: Exception) -> Exception:
    """What the caller gets to see of an append that PostgreSQL itself refused."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError | asyncpg.DataError):
        fault = UnfitAppend(str(error))
        fault.__cause__ = error
        return fault
    return error
