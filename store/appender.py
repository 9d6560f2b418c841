"""Group commit in the client: whatever waits goes to the database in one call, on one connection.

The log has one order, so appends queue for its head anyway. Queueing here instead of there makes one commit
carry many of them, and nothing of ours waits inside the database. While one batch is written the next one is
made ready, to be sent as soon as the answer is there.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from activities.ending import end
from activities.ports import Append, StoreUnavailable, StreamRewound, Verdict, VerdictKind
from store.batch import SQL, ChainBroken, Ready, UnfitAppend, arguments, ready, verdicts
from store.connect import is_away

BATCH_APPENDS = 256
BATCH_BYTES = 4 << 20
BATCH_LEAST = 8
"""So few go together even where half of them could follow on the other connection."""
BATCHES = 2
"""Under way at a time: one is written, the other made ready."""
PAUSE_SECONDS = (0.02, 0.5)
"""Between attempts to connect: the first pause, doubled up to the last."""


@dataclass(eq=False, slots=True)
class _Waiting:
    ready: Ready
    answer: asyncio.Future[Verdict]

    def give_up(self, patience: float) -> None:
        self.settle(StoreUnavailable(f"no answer from the database within {patience:g} s"))

    def settle(self, outcome: Verdict | Exception) -> None:
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class _Line:
    """The connection, made when needed, for one call at a time."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()

    async def ask(self, values: Sequence[Any], patience: float) -> list[asyncpg.Record]:
        """The rows that SQL gives. Where the database is away, so is the connection: the next call makes another."""
        async with self._turn:
            connection = await self._reach()
            try:
                rows: list[asyncpg.Record] = await connection.fetch(SQL, *values, timeout=patience)
            except Exception as error:
                if is_away(error):
                    self.drop()
                raise
        return rows

    async def reach(self) -> None:
        """See that there is a connection."""
        async with self._turn:
            await self._reach()

    def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()

    async def _reach(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection


@dataclass(eq=False, slots=True)
class _Lane:
    """A batch that is under way, if any, and what wakes whoever makes the next one."""

    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    batch: list[_Waiting] = field(default_factory=list)


class Appender:
    """One queue, one connection, and two batches that take turns on it.

    `connect` makes a connection, `committed` hears the position of the last event of each batch,
    `patience` (seconds) bounds how long a caller waits before StoreUnavailable.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        committed: Callable[[int], None],
        patience: float = 5.0,
    ) -> None:
        self._committed = committed
        self._patience = patience
        self._queue: deque[_Waiting] = deque()
        self._line = _Line(connect)
        self._lanes = [_Lane() for _ in range(BATCHES)]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    async def append(self, append: Append) -> Verdict:
        """Store it, or say why not. After StoreUnavailable the outcome is unknown: send the same command again.

        Raises UnfitAppend and NotCanonical before anything is sent; StreamRewound where the stream is shorter
        than expected; ChainBroken; StoreUnavailable.
        """
        prepared = ready(append)
        if self._closed:
            raise StoreUnavailable("the store is closed")
        loop = self._started()
        waiting = _Waiting(prepared, loop.create_future())
        self._queue.append(waiting)
        self._stir()
        patience_ends = loop.call_later(self._patience, waiting.give_up, self._patience)
        try:
            verdict = await waiting.answer
        finally:
            patience_ends.cancel()
        if verdict.kind is VerdictKind.CONFLICT and verdict.version < append.expected_version:
            raise StreamRewound(
                f"{append.stream} ends at version {verdict.version}, {append.expected_version} was seen before"
            )
        return verdict

    def _started(self) -> asyncio.AbstractEventLoop:
        """The loop, asked for once: up to Python 3.11 each asking is a system call."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._tasks = [self._loop.create_task(self._run(lane), name="appender") for lane in self._lanes]
        return self._loop

    async def close(self) -> None:
        """Finish what waits, as far as the database lets us within the callers' patience; then disconnect."""
        self._closed = True
        self._stir()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._patience)
            await end(*self._tasks)
        for waiting in self._queue:
            waiting.settle(StoreUnavailable("the store is closed"))
        self._line.drop()

    async def _run(self, lane: _Lane) -> None:
        while self._queue or not self._closed:
            lane.stirred.clear()
            lane.batch = self._take() if self._due() else []
            if lane.batch:
                self._stir()
                await self._store(lane, lane.batch)
                lane.batch = []
                self._stir()
            else:
                await lane.stirred.wait()

    def _stir(self) -> None:
        """Wake an idle lane where there is work for it."""
        if self._closed or self._due():
            for lane in self._lanes:
                if not lane.batch:
                    lane.stirred.set()
                    if not self._closed:
                        return

    def _due(self) -> bool:
        """Whether to send what waits. Behind another batch it would only wait elsewhere, and could not grow."""
        return len(self._queue) >= max(1, sum(len(lane.batch) for lane in self._lanes))

    def _take(self) -> list[_Waiting]:
        """The oldest that fit; the second append of a stream is held back, for it needs to see the first.

        Where nothing is under way, half of them: the other half follows at once, and from then on the two take turns.
        """
        batch: list[_Waiting] = []
        held: list[_Waiting] = []
        streams = {waiting.ready.append.stream for lane in self._lanes for waiting in lane.batch}
        most = BATCH_APPENDS if streams else min(BATCH_APPENDS, max(BATCH_LEAST, (len(self._queue) + 1) // 2))
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

    async def _store(self, lane: _Lane, batch: list[_Waiting]) -> None:
        """Every one of the batch is settled or back in the queue when this returns."""
        try:
            await self._send(batch)
        except Exception as error:
            if is_away(error):
                # Perhaps stored, perhaps not: sent again, the command id tells.
                lane.batch = []
                self._queue.extendleft(reversed(batch))
                await self._reconnect()
            elif len(batch) == 1:
                batch[0].settle(_fault(error))
            else:
                # One of them aborted all: alone, each gets what it deserves.
                for waiting in batch:
                    await self._store(lane, [waiting])

    async def _send(self, batch: list[_Waiting]) -> None:
        rows = await self._line.ask(arguments([waiting.ready for waiting in batch]), self._patience)
        await asyncio.sleep(0)  # the other batch, which is ready, is sent first
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
                await self._line.reach()
                return
            except Exception as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)


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
