"""From stored facts to the state of a project, kept warm."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from activities.archived import check_is_here
from activities.ports import GENESIS, Recorded, Store
from domain.decider import event_from
from domain.messages import Event, Happened
from domain.notice import Duty
from domain.project.aggregate import Project
from domain.story import evolve

PREFIX = "project-"


def stream_of(project_id: str) -> str:
    """The stream, and the workflow, of a project."""
    return PREFIX + project_id


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page of a project says, but for its version and when something is due."""

    heading: tuple[object, ...]
    duties: tuple[Duty, ...]


@dataclass(frozen=True, slots=True)
class Folded:
    """A project with what the next append needs to know of its stream's head."""

    project: Project
    head_hash: bytes = GENESIS
    position: int = -1
    shown: Shown | None = None
    """What its page says, where that is known."""

    @property
    def version(self) -> int:
        return self.project.version


def happened(fact: Recorded) -> Happened:
    """When and by whose right the fact came about."""
    actor = fact.metadata["actor"]
    return Happened(fact.recorded_at, actor.get("on_behalf_of") or actor["principal"])


def event_of(fact: Recorded) -> Event:
    """The stored fact as an event of today. Raises StreamArchived, KeyError for a kind that is not known."""
    check_is_here(fact.stream, fact.metadata)
    return event_from(fact.type, fact.schema_version, fact.data)


def advance(folded: Folded, facts: Sequence[Recorded]) -> Folded:
    """The project after these facts, which follow on what was folded so far."""
    project = folded.project
    for fact in facts:
        assert fact.version == project.version + 1, f"{fact.stream} has a gap before {fact.version}"
        project = evolve(project, event_of(fact), happened(fact))
    if not facts:
        return folded
    return Folded(project, facts[-1].leaf_hash, facts[-1].position)


class States:
    """Folded projects, the most recently used ones in memory; brought up to date by reading the tail."""

    def __init__(self, store: Store, size: int = 2000) -> None:
        self._store = store
        self._size = size
        self._kept: OrderedDict[str, Folded] = OrderedDict()

    def remembered(self, project_id: str) -> Folded | None:
        """What is in memory, perhaps behind the store."""
        folded = self._kept.get(project_id)
        if folded is not None:
            self._kept.move_to_end(project_id)
        return folded

    async def current(self, project_id: str) -> Folded:
        """The project as the store has it now; version 0 where it does not exist."""
        folded = self.remembered(project_id) or Folded(Project(project_id))
        facts = await self._store.read(stream_of(project_id), after=folded.version)
        fresh = advance(folded, facts)
        self.keep(fresh)
        return fresh

    def keep(self, folded: Folded) -> None:
        """Remember, never going back to an older version."""
        project_id, known = folded.project.id, self._kept.get(folded.project.id)
        if not folded.project.exists or (known and known.version > folded.version):
            return
        self._kept[project_id] = folded
        self._kept.move_to_end(project_id)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def forget(self, project_id: str) -> None:
        """Fold from the start next time."""
        self._kept.pop(project_id, None)
