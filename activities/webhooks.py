"""The steps that send events to webhooks: in order per project, each project by itself, at least once."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from temporalio import activity

from activities.cloud import TEST_TYPE, Cloud, type_of
from activities.endpoints import Attempt, Endpoint, Extra, Lane, Ledger, Parcel, Sender
from activities.messages import Message
from activities.outages import patient
from activities.ports import Recorded
from activities.retrying import Verdict, judge

AT_ONCE = 8
"""Streams that are sent to one endpoint at the same time."""
BATCH = 50
ROUND_SECONDS = 20.0
"""After so long a round begins nothing new."""
HEARTBEAT_SECONDS = 2.0
GAVE_UP = "nothing got through for days"
GONE = "the endpoint answered 410 Gone"
Job = Coroutine[Any, Any, None]
Sees = Callable[[str, str], Awaitable[bool]]
"""Whether events of a stream exist for a person."""


class Round(Message):
    """What came of a round: `going`, `disabled` or `gone`, and when there is something to do again."""

    state: str = "going"
    more: bool = False
    next_at: datetime | None = None


class WebhookSteps:
    """What a webhook's workflow asks of the world. Secrets and contents never leave the step."""

    def __init__(self, ledger: Ledger, sender: Sender, cloud: Cloud, sees: Sees) -> None:
        self._ledger = ledger
        self._sender = sender
        self._cloud = cloud
        self._sees = sees

    @activity.defn(name="deliver_events")
    @patient
    async def deliver_events(self, webhook_id: str) -> Round:
        """Send what is due now. Run twice it sends again what it had not noted, under the same ids."""
        endpoint = await self._ledger.begin(UUID(webhook_id))
        if endpoint is None:
            return Round(state="gone")
        if endpoint.deleted:
            await self._ledger.remove(endpoint.id)
            return Round(state="gone")
        if not endpoint.enabled:
            return Round(state="disabled")
        async with _beating():
            again = activity.info().attempt > 1
            sending = _Sending(endpoint, self._ledger, self._sender, self._cloud, self._sees, _clock(), again=again)
            return await sending.round()


def _clock() -> Callable[[], datetime]:
    """The engine's time, by which the workflow waits; a step's own clock only says how long it runs."""
    began, started = time.monotonic(), activity.info().started_time
    return lambda: started + timedelta(seconds=time.monotonic() - began)


@asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    """Heartbeats, so that a killed worker is missed within seconds."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()


class _Sending:
    """One round for one endpoint: what was asked for, what is behind, then what is new."""

    def __init__(
        self,
        endpoint: Endpoint,
        ledger: Ledger,
        sender: Sender,
        cloud: Cloud,
        sees: Sees,
        now: Callable[[], datetime],
        *,
        again: bool,
    ) -> None:
        self._endpoint = endpoint
        self._ledger = ledger
        self._sender = sender
        self._cloud = cloud
        self._sees = sees
        self._now = now
        self._again = again
        """Whether a round before this one broke off: then more was noted than its checkpoint says."""
        self._ends = time.monotonic() + ROUND_SECONDS
        self._room = asyncio.Semaphore(AT_ONCE)
        self._secrets: Sequence[str] = ()
        self._disabled = False
        self._paused_until = endpoint.paused_until
        self._last_success = endpoint.last_success_at
        self._more = False

    async def round(self) -> Round:
        """Raises Overtaken where another round has begun."""
        self._secrets = await self._ledger.secrets(self._endpoint.id)
        await self._send_extras()
        if not self._stopped():
            await self._catch_up()
        if not self._stopped():
            await self._go_on()
        if self._disabled:
            return Round(state="disabled")
        return Round(more=self._more and not self._paused(), next_at=await self._next())

    async def _next(self) -> datetime | None:
        if self._paused():
            return self._paused_until
        return await self._ledger.next_due(self._endpoint)

    def _paused(self) -> bool:
        return self._paused_until is not None and self._paused_until > self._now()

    def _stopped(self) -> bool:
        """Whether nothing new may be begun in this round."""
        late = time.monotonic() >= self._ends
        self._more = self._more or late
        return self._disabled or late or self._paused()

    # Beside the order: tests, and what is to be sent again

    async def _send_extras(self) -> None:
        extras = await self._ledger.extras(self._endpoint, self._now(), BATCH, only_tests=self._paused())
        self._more = self._more or len(extras) == BATCH
        await self._all(self._send_in_turn(group) for group in _by_stream(extras).values())

    async def _send_in_turn(self, extras: Sequence[Extra]) -> None:
        for extra in extras:
            if self._disabled:
                return
            if (parcel := await self._parcel_of(extra)) is None:
                await self._ledger.end_extra(self._endpoint, extra)
                continue
            verdict = await self._deliver(parcel, extra.attempt + 1, extra.asked_at, retried=extra.kind != "test")
            if verdict.next_at is None:
                await self._ledger.end_extra(self._endpoint, extra)
            else:
                await self._ledger.move_extra(self._endpoint, extra, verdict.next_at)
                return

    async def _parcel_of(self, extra: Extra) -> Parcel | None:
        if extra.kind == "test":
            at = extra.asked_at.astimezone(UTC)
            body = await self._cloud.test_body(str(extra.event_id), str(self._endpoint.id), at)
            return Parcel(extra.event_id, TEST_TYPE, None, body, "test")
        fact = await self._ledger.event(extra.event_id)
        if fact is None or not await self._sees(self._endpoint.owner, fact.stream):
            return None
        return await self._parcel(fact, "resend")

    async def _parcel(self, fact: Recorded, kind: str = "event") -> Parcel:
        kind_of_event = type_of(fact.type, fact.schema_version, fact.stream)
        return Parcel(fact.event_id, kind_of_event, fact.position, await self._cloud.body(fact), kind)

    # Streams that are behind

    async def _catch_up(self) -> None:
        now = self._now()
        lanes = await self._ledger.lanes(self._endpoint, BATCH)
        due = [lane for lane in lanes if lane.next_at <= now]
        self._more = self._more or len(due) == BATCH
        await self._all(self._catch_up_with(lane) for lane in due)

    async def _catch_up_with(self, lane: Lane) -> None:
        end, wanted = self._endpoint.checkpoint, self._endpoint.wanted
        while facts := await self._ledger.of_stream(wanted, lane.stream, lane.position, end, BATCH):
            for fact in facts:
                if self._stopped():
                    return
                after = await self._try(fact, lane)
                if after.position == fact.position:
                    await self._ledger.move_lane(self._endpoint, after)
                    return
                lane = after
                await self._ledger.move_lane(self._endpoint, lane)
        await self._ledger.end_lane(self._endpoint, lane.stream)

    async def _try(self, fact: Recorded, lane: Lane) -> Lane:
        """The lane after this try: behind the event where it is done with, at it where it has to wait."""
        fresh = lane.attempt == 0 or lane.position != fact.position
        began = self._now()
        if await self._is_done(fact):
            return Lane(fact.stream, fact.position + 1, 0, began, began)
        since, attempt = (began, 1) if fresh else (lane.since, lane.attempt + 1)
        verdict = await self._deliver(await self._parcel(fact), attempt, since)
        if verdict.next_at is not None:
            return Lane(fact.stream, fact.position, attempt, since, verdict.next_at)
        if verdict.state == "failed" and await self._given_up_on(since, gone=verdict.gone):
            return Lane(fact.stream, fact.position, attempt, since, self._now())
        return Lane(fact.stream, fact.position + 1, 0, began, self._now())

    async def _is_done(self, fact: Recorded) -> bool:
        """Whether it is passed over: the owner sees it no more, or it got through in a round that broke off."""
        if not await self._sees(self._endpoint.owner, fact.stream):
            return True
        return self._again and await self._ledger.noted(self._endpoint, fact.event_id)

    async def _given_up_on(self, since: datetime, *, gone: bool) -> bool:
        """Whether the endpoint is disabled, rather than the event passed over: nothing got through meanwhile."""
        if not gone and self._last_success is not None and self._last_success > since:
            return False
        self._disabled = True
        await self._ledger.disable(self._endpoint, GONE if gone else GAVE_UP)
        return True

    # What is new

    async def _go_on(self) -> None:
        """The next batch. Streams that fail in it get a lane of their own, and the checkpoint passes them."""
        facts, upto = await self._ledger.wanted(self._endpoint.wanted, self._endpoint.checkpoint, BATCH)
        streams = _by_stream(facts)
        behind = await self._ledger.laned(self._endpoint, list(streams))
        lanes: list[Lane] = []
        await self._all(self._send_new(group, lanes) for stream, group in streams.items() if stream not in behind)
        await self._ledger.put_lanes(self._endpoint, upto, lanes)
        self._more = self._more or len(facts) == BATCH

    async def _send_new(self, facts: Sequence[Recorded], lanes: list[Lane]) -> None:
        lane = Lane(facts[0].stream, facts[0].position, 0, self._now(), self._now())
        for fact in facts:
            if self._stopped():
                lanes.append(Lane(fact.stream, fact.position, 0, self._now(), self._now()))
                return
            lane = await self._try(fact, lane)
            if lane.position == fact.position:
                lanes.append(lane)
                return

    # One request

    async def _deliver(self, parcel: Parcel, attempt: int, since: datetime, *, retried: bool = True) -> Verdict:
        answer = await self._sender.send(self._endpoint.url, parcel, self._secrets)
        now, seed = self._now(), f"{self._endpoint.id}/{parcel.event_id}"
        verdict = judge(answer, attempt=attempt, since=since, now=now, seed=seed)
        if not retried and not answer.good:
            verdict = Verdict("failed")
        if verdict.state == "delivered":
            self._last_success = now
        line = Attempt(parcel, answer, now, attempt, verdict.state, verdict.next_at)
        await self._ledger.log(self._endpoint, line)
        await self._pause(verdict)
        return verdict

    async def _pause(self, verdict: Verdict) -> None:
        until = verdict.pause_until
        if until is not None and (self._paused_until is None or until > self._paused_until):
            self._paused_until = until
            await self._ledger.pause(self._endpoint, until)

    async def _all(self, jobs: Iterable[Job]) -> None:
        """Every job, some at a time. Raises what the first failing one raised, when none runs any more."""

        async def in_turn(job: Job) -> None:
            async with self._room:
                await job

        results = await asyncio.gather(*(in_turn(job) for job in jobs), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result


def _by_stream(items: Sequence[Any]) -> dict[str, list[Any]]:
    """In order within each stream."""
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(item.stream, []).append(item)
    return groups


def digest(body: bytes) -> bytes:
    """What the delivery log keeps of a body."""
    return sha256(body).digest()
