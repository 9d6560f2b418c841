"""Projects as lists and headings show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from activities.folding import Folded, stream_of
from activities.ports import Page
from domain.project.passing import next_due
from domain.values import Role
from projections.database import Database
from store.batch import page_document

# Only these constants are put into SQL (S608 is excused for that); whatever a caller gives is a parameter.
COLUMNS = (
    "p.id, p.stream, p.code, p.title, p.stage, p.held, p.ended, p.next_due, p.version, p.position, p.people, "
    "p.started_at, p.changed_at"
)
"""In the order of ProjectRow's fields."""
LIST = f"""
    SELECT {COLUMNS} FROM tandem.project p
    WHERE ($1::timestamptz IS NULL OR (p.changed_at, p.id) < ($1, $2))
      AND ($3::text IS NULL OR p.stage = $3)
      AND ($4::text IS NULL OR EXISTS (SELECT FROM tandem.membership m WHERE m.project_id = p.id AND m.person = $4))
      AND (p.locks IS NULL OR p.locks ?| $6::text[])
    ORDER BY p.changed_at DESC, p.id DESC LIMIT $5
"""  # noqa: S608

ONE = f"""
    SELECT {COLUMNS} FROM tandem.project p
    WHERE (p.id = $1 OR p.code = $1) AND (p.locks IS NULL OR p.locks ?| $2::text[]) ORDER BY p.id = $1 DESC LIMIT 1
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """What the pages know of one project, as of `version`."""

    id: str
    stream: str
    code: str
    title: str
    stage: str
    held: bool
    ended: bool
    next_due: datetime | None
    version: int
    position: int
    people: Mapping[str, Sequence[str]]
    """role -> persons who hold it now."""
    started_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a part of the list; the next part begins after it."""

    changed_at: datetime
    id: str


async def one(database: Database, keys: Sequence[str], project: str) -> ProjectRow | None:
    """The project with this id or code, where one of the keys opens it."""
    row = await database.fetchrow(ONE, project, list(keys))
    return None if row is None else ProjectRow(*row)


async def listed(
    database: Database,
    keys: Sequence[str],
    limit: int,
    after: Cursor | None = None,
    stage: str | None = None,
    person: str | None = None,
) -> tuple[list[ProjectRow], Cursor | None]:
    """Up to `limit` projects, the latest changed first, and the cursor of the next part (None: that was all).

    Those that are open, or that one of the keys opens (domain/sight.py).
    `person` narrows to those in which the person holds a role.
    """
    at, last = (None, None) if after is None else (after.changed_at, after.id)
    found = [ProjectRow(*row) for row in await database.fetch(LIST, at, last, stage, person, limit + 1, list(keys))]
    rows = found[:limit]
    return rows, Cursor(rows[-1].changed_at, rows[-1].id) if rows and len(found) > limit else None


async def several(database: Database, ids: Sequence[str]) -> dict[str, ProjectRow]:
    """The projects with these ids, as far as they exist."""
    sql = f"SELECT {COLUMNS} FROM tandem.project p WHERE p.id = ANY ($1)"  # noqa: S608
    return {row[0]: ProjectRow(*row) for row in await database.fetch(sql, ids)}


def row_of(folded: Folded) -> ProjectRow:
    """The row of a project in an earlier state, as the page of that version had it. The project exists."""
    project = folded.project
    assert project.started_at is not None
    assert project.changed_at is not None
    return ProjectRow(
        id=project.id,
        stream=stream_of(project.id),
        code=project.code,
        title=project.title,
        stage=project.stage.value,
        held=project.held,
        ended=project.ended,
        next_due=next_due(project),
        version=project.version,
        position=folded.position,
        people={role.value: held for role in Role if (held := project.team.holders(role))},
        started_at=project.started_at,
        changed_at=project.changed_at,
    )


async def roles(database: Database, project_id: str, person: str) -> list[str]:
    """The roles that the person holds in the project, in order."""
    sql = "SELECT role FROM tandem.membership WHERE project_id = $1 AND person = $2 ORDER BY role"
    return [row[0] for row in await database.fetch(sql, project_id, person)]


async def rebuild(database: Database, stream: str, version: int, page: Page) -> None:
    """Write the page as of `version` of its stream, as the append of that version did; give it all its duties.

    In its own transaction, beside a system that runs: a page that is newer already stays. The version must exist.
    """
    await database.execute("SELECT tandem.show($1, $2, $3)", [stream], [version], [page_document(page)])
