"""Lists as they were at an instant: the projects, and what waited for a person.

Where nothing has happened to a project since, its row is the one of then; the others are folded up to then.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from api.parts import Parts
from api.problems import Problem
from domain.inbox import duties
from domain.project.aggregate import Project
from domain.values import Stage
from projections.duties import Waiting, in_order, standing
from projections.past import Head
from projections.project import Cursor, ProjectRow, row_of, several

BATCH = 100
MOST_LOOKED_AT = 1000
"""So many projects are looked at for one page: where a filter lets few through, the page ends early."""
MOST_CHANGED = 2000
"""So many projects may have changed since the instant of an inbox: each has to be folded."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which projects, and how many."""

    keys: Sequence[str]
    """Of whoever asks: who sees a project now sees its past, and nobody else."""
    limit: int
    after: Cursor | None
    stage: Stage | None
    person: str | None

    def lets_through(self, row: ProjectRow) -> bool:
        """Whether the filters want this row."""
        held = self.person is None or any(self.person in people for people in row.people.values())
        return held and (self.stage is None or row.stage == self.stage)


async def listed_then(behind: Parts, at: datetime, wanted: Wanted) -> tuple[list[ProjectRow], Cursor | None]:
    """Up to `limit` projects at that instant, the latest changed first, and the cursor of the next part."""
    found: list[ProjectRow] = []
    cursor, left = wanted.after, MOST_LOOKED_AT
    async with aclosing(_rows(behind, at, wanted)) as rows:
        async for row in rows:
            if len(found) == wanted.limit or left == 0:
                return found, cursor
            cursor, left = Cursor(row.changed_at, row.id), left - 1
            if wanted.lets_through(row):
                found.append(row)
    return found, None


async def _rows(behind: Parts, at: datetime, wanted: Wanted) -> AsyncGenerator[ProjectRow]:
    """The row at that instant of every project that exists for the reader, the latest changed first."""
    after = wanted.after
    while heads := await behind.archive.heads(at, wanted.keys, BATCH, after):
        now = await several(behind.store.pool, [head.project_id for head in heads])
        for head in heads:
            yield await _row(behind, head, now.get(head.project_id))
        after = Cursor(heads[-1].changed_at, heads[-1].project_id)


async def _row(behind: Parts, head: Head, now: ProjectRow | None) -> ProjectRow:
    if now is not None and now.version == head.version:
        return now
    return row_of(await behind.past.as_of(head.project_id, head.version))


async def waiting_then(behind: Parts, person: str, at: datetime, limit: int) -> list[Waiting]:
    """What waited for the person at that instant, in the order of the inbox.

    Raises Problem where more projects have changed since than can be folded at once.
    """
    # In this order: a project that changes in between is found twice, never missed.
    found = {(one.project_id, one.kind, one.ref): one for one in await standing(behind.store.pool, person, at)}
    keys = await behind.sight.keys(person)
    heads = await behind.archive.heads(at, keys, MOST_CHANGED + 1, changed_since=True)
    if len(heads) > MOST_CHANGED:
        raise Problem("TooLongAgo")
    async with behind.past.turn:
        for head in heads:
            project = (await behind.past.as_of(head.project_id, head.version)).project
            for one in _waiting(project, person):
                found.setdefault((one.project_id, one.kind, one.ref), one)
    return in_order(found.values(), at)[:limit]


def _waiting(project: Project, person: str) -> Sequence[Waiting]:
    return [
        Waiting(project.id, project.code, project.title, d.kind, d.ref, d.title, d.since, d.due_at, project.held)
        for d in duties(project)
        if d.person == person
    ]
