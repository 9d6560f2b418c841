"""The inbox: what waits for a person, over all projects."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from projections.database import Database

WAITING = """
    SELECT d.project_id, p.code, p.title, d.kind, d.ref, d.title, d.since, d.due_at, p.held
    FROM tandem.duty d JOIN tandem.project p ON p.id = d.project_id
    WHERE d.person = $1
    ORDER BY d.due_at IS NOT NULL AND d.due_at <= $2 DESC, d.due_at NULLS LAST, d.since, d.project_id, d.kind, d.ref
    LIMIT $3
"""
STANDING = """
    SELECT d.project_id, p.code, p.title, d.kind, d.ref, d.title, d.since, d.due_at, p.held
    FROM tandem.duty d JOIN tandem.project p ON p.id = d.project_id
    WHERE d.person = $1 AND p.changed_at <= $2
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One duty with the project that it belongs to."""

    project_id: str
    code: str
    project_title: str
    kind: str
    ref: str
    title: str
    since: datetime
    due_at: datetime | None
    held: bool
    """The project is on hold: its clocks stand still."""


async def waiting(database: Database, person: str, now: datetime, limit: int = 200) -> list[Waiting]:
    """What waits for the person: overdue first, then by due time, then what has no due time, the oldest first."""
    return [Waiting(*row) for row in await database.fetch(WAITING, person, now, limit)]


async def standing(database: Database, person: str, since: datetime) -> list[Waiting]:
    """What waits for the person in projects where nothing has happened since an instant, in no order."""
    return [Waiting(*row) for row in await database.fetch(STANDING, person, since)]


def in_order(waiting: Iterable[Waiting], now: datetime) -> list[Waiting]:
    """In the order of `waiting`."""
    return sorted(waiting, key=lambda one: _rank(one, now))


def _rank(one: Waiting, now: datetime) -> tuple[Any, ...]:
    late = one.due_at is not None and one.due_at <= now
    last = one.due_at is None
    return not late, last, one.due_at or one.since, one.since, one.project_id, one.kind, one.ref


async def of_project(database: Database, project_id: str) -> list[tuple[str, str, str, datetime | None]]:
    """(person, kind, ref, due time) of everything that waits in one project, by due time."""
    sql = """
        SELECT person, kind, ref, due_at FROM tandem.duty
        WHERE project_id = $1 ORDER BY due_at NULLS LAST, kind, ref, person
    """
    return [tuple(row) for row in await database.fetch(sql, project_id)]


async def count(database: Database, person: str) -> int:
    """How much waits for the person."""
    return int(await database.fetchval("SELECT count(*) FROM tandem.duty WHERE person = $1", person))
