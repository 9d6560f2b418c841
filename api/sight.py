"""What whoever asks gets to see: every route that reads of projects begins here.

For whoever does not see a project there is none, and every answer says so in the same bytes (docs/governance.md, V4).
"""

from uuid import UUID

from starlette.requests import Request

from activities.ports import Recorded
from api.parts import Parts, asker, parts
from api.past import existing
from api.problems import Problem
from domain.project.aggregate import Project
from domain.sight import SEE_TEAMS, Reader
from store.sight import Scope


async def reader_of(request: Request) -> Reader:
    """Who asks, with what the directory says of them."""
    return await parts(request).sight.reader(asker(request).principal)


async def keys_of(request: Request) -> list[str]:
    """What opens projects to whoever asks; see domain/sight.py."""
    return (await reader_of(request)).keys


async def seen_project(request: Request, project_id: str) -> Project:
    """The project as the store has it now. Raises Problem (404) where there is none for whoever asks."""
    return await existing(parts(request), project_id, asker(request).principal)


async def seen_event(request: Request, event_id: UUID) -> Recorded:
    """The event. Raises Problem (404) where there is none for whoever asks."""
    behind = parts(request)
    fact = await behind.store.event_by_id(event_id)
    if fact is None or not await behind.sight.sees_stream(asker(request).principal, fact.stream):
        raise Problem("NoEvent")
    return fact


async def scope_of(behind: Parts, person: str) -> Scope:
    """Whose record the person may search: what they see, with an organisation role for that; else their projects'."""
    reader = await behind.sight.reader(person)
    return Scope(reader.keys, None if reader.roles & SEE_TEAMS else person)
