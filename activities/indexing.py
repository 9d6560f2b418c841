"""What an auditor searches by, worked out of each event and each refusal; and the indexer that keeps it up to date.

The index follows the log off the way of commits. It may lie behind and can be written anew at any time: what it
does not reach yet, a search looks through by itself (store/searching.py).
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from activities.ending import Leads, end, keep_leading
from activities.folding import PREFIX, event_of
from activities.ports import Recorded, RefusalLine
from activities.searchwords import WORDING, words_of
from domain.values import SEALED, Stage

CHUNK = 500
TERM_SECONDS = 60.0
"""After this long the lead is taken anew: one who lost it with the connection notices by then."""
REFUSALS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One event or refusal as searches see it; what does not apply is None."""

    number: int
    """The event's position, or the refusal's id."""
    recorded_at: datetime
    stream: str
    type: str
    actor: str
    on_behalf_of: str | None
    command: str | None
    """The id of the command."""
    words: Sequence[str]
    version: int | None = None
    stage: str | None = None
    correlation: str | None = None
    request: str | None = None
    code: str | None = None
    rule: str | None = None


def entries_of(facts: Sequence[Recorded], stages: dict[str, str]) -> list[Entry]:
    """The entries of facts in order of position; `stages` holds each stream's stage before them, and after them.

    What is no project has no stage.
    """
    return [_entry_of(fact, stages) for fact in facts]


def _entry_of(fact: Recorded, stages: dict[str, str]) -> Entry:
    if fact.type == "StageEntered" and fact.data:  # It may have been moved out to an archive.
        stages[fact.stream] = fact.data["stage"]
    elif fact.type == "ProjectClosed":
        stages[fact.stream] = Stage.CLOSED
    actor = acting(fact.metadata)
    return Entry(
        number=fact.position,
        recorded_at=fact.recorded_at,
        stream=fact.stream,
        type=fact.type,
        actor=actor["principal"],
        on_behalf_of=actor.get("on_behalf_of"),
        command=fact.metadata.get("command_id"),
        words=words_of([*outside(fact.type, actor), *_sentences(fact, actor), *texts(fact.data)]),
        version=fact.version,
        stage=stages.setdefault(fact.stream, Stage.KICKOFF if fact.stream.startswith(PREFIX) else ""),
        correlation=fact.metadata.get("correlation_id"),
        request=fact.metadata.get("request_id"),
    )


def acting(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who acted; the oldest events name them alone."""
    actor = metadata["actor"]
    return actor if isinstance(actor, Mapping) else {"principal": str(actor)}


def refused_entry(number: int, line: RefusalLine) -> Entry:
    """The entry of a refusal."""
    return Entry(
        number=number,
        recorded_at=line.at,
        stream=line.stream,
        type=line.type,
        actor=str(line.actor.get("principal")),
        on_behalf_of=line.actor.get("on_behalf_of"),
        command=line.command_id,
        words=words_of([*outside(line.type, line.actor), line.code, line.rule or "", line.detail, *texts(line.data)]),
        code=line.code,
        rule=line.rule,
    )


def outside(kind: str, actor: Mapping[str, Any]) -> list[str]:
    """What everybody may read, even where the content is closed: what it is, and who did it."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", kind)
    return [apart, kind, str(actor.get("principal", "")), str(actor.get("on_behalf_of") or "")]


def _sentences(fact: Recorded, actor: Mapping[str, Any]) -> list[str]:
    try:
        event = event_of(fact)
    except (KeyError, ValueError):
        # Of a newer program, or of none: one event that cannot be read must not hold up all others.
        return []
    who = actor.get("on_behalf_of") or actor["principal"]
    return [text for text in (event.sentence("en", who), event.sentence("zh", who)) if SEALED not in text]


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value but those that are sealed for a person: an index must not outlive their key."""
    if isinstance(value, str):
        if SEALED not in value:
            yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


class Indexes(Protocol):
    """The indexes and what they are made of. Every method raises StoreUnavailable when the database is away."""

    async def reach(self) -> tuple[int, int, int]:
        """Below which position events, below which id refusals are indexed, and by which wording."""
        ...

    async def begin_anew(self, wording: int) -> None:
        """Empty both indexes, unless they are of this wording or a newer one."""
        ...

    async def entries(self, low: int, high: int) -> list[tuple[Entry, Recorded]]:
        """The events with low <= position < high, oldest first."""
        ...

    async def refused(self, low: int, high: int) -> list[tuple[Entry, tuple[int, RefusalLine]]]:
        """The refusals with low <= id < high, oldest first."""
        ...

    async def heads(self) -> tuple[int, int]:
        """The first position without an event, and the first id without a refusal that is there by now."""
        ...

    async def settled(self) -> int:
        """The first id below which no refusal will appear any more."""
        ...

    async def index_events(self, start: int, upto: int, entries: Sequence[Entry]) -> bool:
        """Write the entries of [start, upto), all or none; False where the index did not reach to `start`."""
        ...

    async def index_refusals(self, start: int, upto: int, entries: Sequence[Entry]) -> bool:
        """The same for refusals."""
        ...


class Log(Leads, Protocol):
    """Where news come from, and who may act on them."""

    def listen(self) -> AsyncGenerator[int, None]:
        """The newest position, each time it has grown."""
        ...


class Indexer:
    """One leader among all workers follows the log. Killed anywhere, the next goes on: nothing is left out or doubled.

    Each chunk and how far it reaches are written in one transaction, which also notices a second indexer.
    """

    def __init__(self, indexes: Indexes, source: Log, rest: float = 0.2, calm: float = 3.0) -> None:
        self._indexes = indexes
        self._source = source
        self._rest = rest
        self._calm = calm

    async def run(self) -> None:
        """Until cancelled. Survives every outage of the store."""
        await keep_leading(self._source, "indexing", self._lead, self._calm)

    async def _lead(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + TERM_SECONDS
        async with aclosing(self._source.listen()) as news:
            heard = asyncio.ensure_future(anext(news))
            try:
                while loop.time() < until:
                    await self.catch_up()
                    await asyncio.wait({heard}, timeout=REFUSALS_SECONDS)
                    if heard.done():
                        heard.result()
                        heard = asyncio.ensure_future(anext(news))
                    await asyncio.sleep(self._rest)
            finally:
                await end(heard)

    async def catch_up(self) -> int:
        """Index what is there; gives how many events and refusals that were."""
        events, refusals, wording = await self._indexes.reach()
        if wording < WORDING:
            await self._indexes.begin_anew(WORDING)
            events = refusals = 0
        if wording > WORDING:
            return 0
        head, refused = await self._indexes.heads()
        return await self._events(events, head) + await self._refusals(refusals, refused)

    async def _events(self, start: int, head: int) -> int:
        done = 0
        while start + done < head:
            low = start + done
            high = min(low + CHUNK, head)
            entries = [entry for entry, _ in await self._indexes.entries(low, high)]
            if not await self._indexes.index_events(low, high, entries):
                break
            done += len(entries)
            await asyncio.sleep(0)
        return done

    async def _refusals(self, start: int, head: int) -> int:
        if start >= head:
            return 0
        done, head = 0, await self._indexes.settled()
        while start < head:
            high = min(start + CHUNK, head)
            entries = [entry for entry, _ in await self._indexes.refused(start, high)]
            if not await self._indexes.index_refusals(start, high, entries):
                break
            start, done = high, done + len(entries)
        return done
