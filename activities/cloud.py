"""Events as programs outside get them: CloudEvents 1.0, and what is still blind stays closed."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from activities.folding import PREFIX, States, event_of
from activities.ports import Recorded
from domain.messages import Event

MEDIA_TYPE = "application/cloudevents+json"
NOBODY = ""
"""The reader who is no person of any project."""
SEQUENCE_DIGITS = 16
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_format = JSONFormat()


class Cloud:
    """Shows events to programs, as to somebody who belongs to no project."""

    def __init__(self, states: States, log_id: Callable[[], Awaitable[str]]) -> None:
        self._states = states
        self._log_id = log_id
        self._known = ""

    async def source(self) -> str:
        """Where the events come from: this log, for ever. Raises StoreUnavailable."""
        if not self._known:
            self._known = f"tandem/{await self._log_id()}"
        return self._known

    async def body(self, fact: Recorded) -> bytes:
        """The event as JSON. The same bytes again as long as nothing that was blind is opened."""
        sealed = await self._sealed(fact)
        return written(attributes(fact, await self.source(), sealed=sealed), None if sealed else fact.data)

    async def test_body(self, event_id: str, webhook_id: str, at: datetime) -> bytes:
        """An event that tells of nothing, to try an endpoint with."""
        told = {"specversion": "1.0", "id": event_id, "source": await self.source(), "type": TEST_TYPE, "time": at}
        return written(told | {"subject": webhook_id, "datacontenttype": "application/json"}, {"webhook": webhook_id})

    async def _sealed(self, fact: Recorded) -> bool:
        """Asked of the project as it is now: what was opened since is open. What cannot be read stays closed."""
        if not fact.stream.startswith(PREFIX):
            return False
        try:
            event = event_of(fact)
        except (KeyError, ValueError):
            return True
        if type(event).seals is Event.seals:
            return False
        folded = await self._states.current(fact.stream.removeprefix(PREFIX))
        return event.seals(folded.project, NOBODY)


TEST_TYPE = "tandem.webhook.test.v1"


def type_of(name: str, version: int, stream: str = PREFIX) -> str:
    """`VoteCast` version 1 of a project → `tandem.project.vote_cast.v1`."""
    return f"tandem.{stream.partition('-')[0]}.{_CAPITAL.sub('_', name).lower()}.v{version}"


def attributes(fact: Recorded, source: str, *, sealed: bool) -> dict[str, Any]:
    """The context of an event; what CloudEvents does not name are extensions."""
    actor = fact.metadata["actor"]
    extensions = {
        "sequence": f"{fact.position:0{SEQUENCE_DIGITS}}",
        "streamversion": fact.version,
        "effectivetime": fact.effective_at.astimezone(UTC),
        "actor": actor["principal"],
        "onbehalfof": actor.get("on_behalf_of"),
        "sealed": sealed,
        "leafhash": fact.leaf_hash.hex(),
    }
    return {
        "specversion": "1.0",
        "id": str(fact.event_id),
        "source": source,
        "type": type_of(fact.type, fact.schema_version, fact.stream),
        "subject": fact.stream.partition("-")[2] or fact.stream,
        "time": fact.recorded_at.astimezone(UTC),
        **({} if sealed else {"datacontenttype": "application/json"}),
        **{name: value for name, value in extensions.items() if value is not None},
    }


def written(context: dict[str, Any], content: Mapping[str, Any] | None) -> bytes:
    """The envelope in CloudEvents' JSON format. Raises what the library finds wrong with the context."""
    return _format.write(CloudEvent(context, None if content is None else dict(content)))
