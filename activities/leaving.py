"""Who was deactivated leaves every project, and whoever is back returns to it: whatever was missed meanwhile.

Nothing is remembered that matters: what is to be done follows from the directory and from what projects have recorded.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from activities.decide import Outcome
from activities.ending import Leads, keep_leading
from activities.follow import LIFECYCLE
from activities.ports import Chain
from activities.roster import Roster
from domain.directory.record import STREAM, Directory, OrganisationRole
from domain.messages import Envelope
from domain.project.leaving import MOST_OFFICERS
from domain.refusals import Refused

log = logging.getLogger("tandem.leaving")
SECONDS = 3.0
TERM = 20
"""Rounds after which the lead is taken anew."""
START = -1
"""Before every position of the log."""


@dataclass(frozen=True, slots=True)
class Trace:
    """An event of a project that is still running and by which a person may be left or back in it."""

    position: int
    type: str
    project_id: str
    person: str
    version: int


class Traces(Protocol):
    """Where people have something in projects."""

    async def holding(self, people: Collection[str]) -> list[tuple[str, str]]:
        """(project, person) wherever one of them holds a role in force, in projects that have not ended."""
        ...

    async def since(self, position: int) -> list[Trace]:
        """Every role given, leaving and returning after the position, as far as the log is indexed, oldest first."""
        ...


class Causes(Protocol):
    """The store, as far as one event answers another."""

    async def newest_of(self, stream: str, types: Sequence[str], field: str, value: str) -> Chain | None:
        """The newest event of these types whose data, where it has this field, says this value there."""
        ...


class FreshRoster(Roster, Protocol):
    """A roster that can be made to look again."""

    def forget(self) -> None: ...


class Deciding(Protocol):
    """The step."""

    async def submit(self, envelope: Envelope) -> Outcome: ...


class Waker(Protocol):
    """Wakes projects' workflows."""

    async def wake(self, project_id: str, version: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Move:
    """What a project is to take note of; `id` is the same however often it is found."""

    project_id: str
    command: str
    id: str
    data: dict[str, Any]
    answers: str
    """The event of the directory that brought it about."""


class Leaving:
    """One leader among all workers compares, every few seconds. Safe where two do: a command counts once."""

    def __init__(
        self,
        traces: Traces,
        causes: Causes,
        roster: FreshRoster,
        step: Deciding,
        waker: Waker,
        every: float = SECONDS,
    ) -> None:
        self._traces = traces
        self._causes = causes
        self._roster = roster
        self._step = step
        self._waker = waker
        self._every = every
        self._left: frozenset[str] | None = None
        self._upto = START

    async def run(self, leads: Leads) -> None:
        """Until cancelled. Survives every outage of the store; needs no engine."""
        await keep_leading(leads, "leaving", self.once, self._every, TERM)

    async def once(self) -> int:
        """Let projects note who has left or is back; gives how many projects recorded something."""
        left = _left(await self._now())
        traces = await self._traces.since(self._upto if left == self._left else START)
        # Once more: it must not be older than the traces, or somebody who has just left would be back.
        directory = await self._now() if traces else await self._roster.directory()
        holding = await self._traces.holding(_left(directory)) if _left(directory) else []
        recorded = 0
        for move in moves(directory, holding, traces):
            recorded += await self._submit(move)
        self._left = left
        self._upto = max([self._upto, *(trace.position for trace in traces)])
        return recorded

    async def _now(self) -> Directory:
        self._roster.forget()
        return await self._roster.directory()

    async def _submit(self, move: Move) -> bool:
        """Whether something was recorded. What the rules refuse, such as in a project that has ended, is nothing."""
        cause = await self._causes.newest_of(STREAM, (move.answers,), "person", move.data["person"])
        envelope = Envelope(
            move.id,
            move.project_id,
            move.command,
            LIFECYCLE,
            datetime.now(UTC),
            move.data,
            correlation_id=cause.correlation_id if cause else None,
            causation_id=cause.event_id if cause else None,
        )
        try:
            outcome = await self._step.submit(envelope)
        except Refused as refusal:
            log.info("refused %s in %s: %s", move.command, move.project_id, refusal.code)
            return False
        if not outcome.events or outcome.repeated:
            return False
        try:
            await self._waker.wake(move.project_id, outcome.version)
        except Exception as outage:
            log.warning("%s is woken by the sweep: %s", move.project_id, outage)
        return True


def _left(directory: Directory) -> frozenset[str]:
    return frozenset(person for person in directory.people if directory.left(person))


def moves(directory: Directory, holding: Iterable[tuple[str, str]], traces: Sequence[Trace]) -> list[Move]:
    """What follows for which project; a project that knows already records nothing."""
    latest = {(trace.project_id, trace.person): trace for trace in traces if trace.type != "RoleAssigned"}
    given = {(trace.project_id, trace.person) for trace in traces}
    found = []
    for project, person in dict.fromkeys((*holding, *sorted(given))):
        last = latest.get((project, person))
        known = last is not None and last.type == "HolderLeft"
        if directory.left(person) and not known:
            found.append(_gone(directory, project, person))
        elif known and last and not directory.left(person):
            mark = f"returning:{person}:{last.version}"
            found.append(Move(project, "NoteHolderReturned", mark, {"person": person}, "PersonReactivated"))
    return found


def _gone(directory: Directory, project: str, person: str) -> Move:
    """Named by when the person was deactivated: each leaving counts once in a project."""
    since = directory.people[person].left_at
    assert since is not None
    officers = sorted(directory.holders(OrganisationRole.PMO))[:MOST_OFFICERS]
    mark = f"leaving:{person}:{since.isoformat()}"
    return Move(project, "NoteHolderLeft", mark, {"person": person, "officers": officers}, "PersonDeactivated")
