"""Which projects exist for whom. The state of a project says it, or its row where the state cannot be read any more."""

from collections.abc import Sequence
from typing import Protocol

from activities.archived import StreamArchived
from activities.folding import PREFIX, States, stream_of
from activities.roster import Roster
from domain.directory.record import OrganisationRole
from domain.keeping.archive import PREFIX as ARCHIVE
from domain.project.aggregate import Project
from domain.project.visibility import holds_place, seen_by
from domain.sight import Reader


class Rows(Protocol):
    """What the store can say of who sees what."""

    async def unseen(self, keys: Sequence[str], streams: Sequence[str]) -> set[str]:
        """Those of the streams that are of a project which none of the keys opens. Raises StoreUnavailable."""
        ...


class Sight:
    """Answers by what is in memory wherever that is enough: for whoever holds a role, it is."""

    def __init__(self, states: States, roster: Roster, rows: Rows) -> None:
        self._states = states
        self._rows = rows
        self.roster = roster

    async def reader(self, person: str) -> Reader:
        """The person with what the directory says of them. Raises StoreUnavailable."""
        directory = await self.roster.directory()
        return Reader(person, directory.roles(person), directory.teams_of(person))

    async def keys(self, person: str) -> list[str]:
        """The person's keys to projects that are not open."""
        return (await self.reader(person)).keys

    async def project(self, person: str, project_id: str) -> Project | None:
        """The project as the store has it now; None where there is none for this person.

        Raises StoreUnavailable, and StreamArchived for whoever sees the project.
        """
        try:
            project = (await self._states.current(project_id)).project
        except StreamArchived:
            stream = stream_of(project_id)
            if await self._rows.unseen(await self.keys(person), [stream]):
                return None
            raise
        return project if project.exists and await self._sees(person, project) else None

    async def may_ask(self, person: str, project_id: str) -> bool:
        """Whether a command on the project can be meant. May be behind the store for whoever held a place before."""
        folded = self._states.remembered(project_id)
        known = folded is not None and holds_place(folded.project, person)
        return known or await self.still_sees(person, project_id)

    async def still_sees(self, person: str, project_id: str) -> bool:
        """The same by what the store has now."""
        try:
            return await self.project(person, project_id) is not None
        except StreamArchived:
            return True

    async def sees_stream(self, person: str, stream: str) -> bool:
        """Whether events of this stream exist for the person: those of projects may not; for whoever has left, none."""
        if (await self.roster.directory()).left(person):
            return False
        if not stream.startswith((PREFIX, ARCHIVE + PREFIX)):
            return True
        return not await self._rows.unseen(await self.keys(person), [stream])

    async def _sees(self, person: str, project: Project) -> bool:
        return holds_place(project, person) or seen_by(project, await self.reader(person))

    async def holds(self, person: str, role: OrganisationRole) -> bool:
        """Whether the person holds the role in the organisation."""
        return role in (await self.roster.directory()).roles(person)
