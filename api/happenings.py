"""Events as one reader sees them: in words, and closed while they are blind."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from activities.folding import PREFIX, event_of
from activities.ports import Recorded
from api.opening import opened
from api.parts import Parts
from api.plain import moment
from domain.messages import Event
from domain.personal import personal_fields
from domain.project.catalog import concept_of


class Eyes:
    """One reader with one language; knows the projects that it looked at during one request."""

    def __init__(self, behind: Parts, reader: str, language: str) -> None:
        self._behind = behind
        self.reader = reader
        self._language = language

    async def see(self, facts: Sequence[Recorded]) -> list[dict[str, Any]]:
        """The events as JSON values."""
        return [await self._one(fact) for fact in facts]

    async def _one(self, fact: Recorded) -> dict[str, Any]:
        event = _event(fact)
        sealed = event is not None and await self._sealed(fact, event)
        actor, content = fact.metadata["actor"], fact.data
        if event is not None and not sealed and personal_fields(type(event)):
            content = await opened(
                self._behind, fact.stream, self.reader, fact.data, self._language, event_id=fact.event_id
            )
            event = event_of(replace(fact, data=content))
        return {
            "position": fact.position,
            "stream": fact.stream,
            "version": fact.version,
            "id": str(fact.event_id),
            "type": fact.type,
            "schema_version": fact.schema_version,
            "recorded_at": moment(fact.recorded_at),
            "effective_at": moment(fact.effective_at),
            "actor": actor,
            "metadata": fact.metadata,
            "data": None if sealed else content,
            "sealed": sealed,
            "leaf_hash": fact.leaf_hash.hex(),
            "prev_hash": fact.prev_hash.hex(),
            "concept": None if event is None else concept_of(type(event)),
            "rule": None if event is None else event.allowed_by,
            "sentence": None if event is None else _sentence(event, self._language, actor, sealed=sealed),
        }

    async def _sealed(self, fact: Recorded, event: Event) -> bool:
        """Asked of the project as it is now: what was opened since is open."""
        if type(event).seals is Event.seals:
            return False
        folded = await self._behind.step.states.current(fact.stream.removeprefix(PREFIX))
        return event.seals(folded.project, self.reader)


def _event(fact: Recorded) -> Event | None:
    """The fact as an event; None where this program does not know it, or cannot read it any more."""
    try:
        return event_of(fact)
    except (KeyError, ValueError):
        return None


def _sentence(event: Event, language: str, actor: dict[str, Any], *, sealed: bool) -> str:
    """A sealed event is told by who and what alone."""
    who = actor.get("on_behalf_of") or actor["principal"]
    return f"{who}: {type(event).__name__}" if sealed else event.sentence(language, who)


def line(seen: dict[str, Any]) -> bytes:
    """One event as a line of NDJSON."""
    return orjson.dumps(seen, option=orjson.OPT_APPEND_NEWLINE)
