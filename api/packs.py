"""Packs to take away: a project, or the whole log, with everything that its verification needs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from activities.folding import event_of, stream_of
from api.operation import READING, Operation
from api.parts import Parts, asker, parts
from api.problems import Problem
from api.projects import Parameters
from api.sight import keys_of, seen_project
from domain.messages import Event
from domain.project.aggregate import Project
from store.packing import NotSealedYet, Packer

LOOKS, PAUSE = 50, 0.1
"""How often, and after how many seconds each, it is looked whether sealing has caught up."""
CHUNK = 500
ZIP = "application/zip"
HEADERS = {"Cache-Control": "private, no-store", "Vary": "Authorization"}
FILE = {ZIP: {"schema": {"type": "string", "format": "binary"}}}
BLIND = """
    SELECT p.id FROM tandem.project p JOIN tandem.membership m ON m.project_id = p.id
    WHERE m.person = $1 AND p.stage = 'RETROSPECTIVE' AND NOT p.ended ORDER BY p.id
"""


class PackParameters(Parameters):
    """Which proofs go along."""

    since: Annotated[
        int, Field(ge=0, le=2**53, description="Size of an older checkpoint; the pack then proves that the log grew.")
    ] = 0


class NoParameters(Parameters):
    """None."""


async def export_project(request: Request, id: str, asked: Annotated[PackParameters, Query()]) -> Response:
    """The project's events with a proof of each, for `tandem verify`, as a ZIP.

    It reaches up to the newest checkpoint, which is waited for; `beyond` in its manifest counts what came later.
    It ends before an evaluation that is closed to the caller still: nothing can be left out from the middle of it.
    """
    behind = parts(request)
    project = await seen_project(request, id)
    packer, stream = Packer(behind.store.pool, behind.now), stream_of(project.id)
    below = await _first_closed(behind, project, asker(request).principal)
    await _sealed(packer, stream)
    try:
        pack = await packer.stream(stream, asked.since, below)
    except NotSealedYet:
        raise Problem("NotSealedYet") from None
    return _file(pack, f"{project.code}.tandem.zip")


async def export_log(request: Request, asked: Annotated[NoParameters, Query()]) -> Response:
    """The whole log up to the newest checkpoint, for `tandem verify`, as a ZIP. For auditors of the organisation.

    Of events of projects that do not exist for the caller it holds the hashes alone: every other event is proven all
    the same. `tandem import` takes a pack that holds everything. Not for whoever still has to evaluate a project
    blind: it holds what the other side has said.
    """
    behind = parts(request)
    await _check_nothing_closed(behind, asker(request).principal)
    try:
        pack = await Packer(behind.store.pool, behind.now).log(await keys_of(request))
    except NotSealedYet:
        raise Problem("NotSealedYet") from None
    return _file(pack, "log.tandem.zip")


def _file(pack: AsyncIterator[bytes], name: str) -> Response:
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pack, headers=HEADERS | disposition, media_type=ZIP)


async def _sealed(packer: Packer, stream: str) -> None:
    """Wait until everything that has happened is sealed, or long enough."""
    for _ in range(LOOKS):
        if not await packer.unsealed(stream):
            return
        await asyncio.sleep(PAUSE)


async def _first_closed(behind: Parts, project: Project, reader: str) -> int:
    """The first version whose content is closed to the reader; beyond the last one where none is."""
    after = 0
    while not project.retrospective.revealed and project.retrospective.evaluations:
        facts = await behind.store.read(stream_of(project.id), after=after, limit=CHUNK)
        if not facts:
            break
        for fact in facts:
            event = event_of(fact)
            if type(event).seals is not Event.seals and event.seals(project, reader):
                return fact.version
        after = facts[-1].version
    return 2**53


async def _check_nothing_closed(behind: Parts, reader: str) -> None:
    """Raises Problem where the reader's own project holds what they may not see yet."""
    for row in await behind.store.pool.fetch(BLIND, reader):
        project = (await behind.step.states.current(row[0])).project
        if await _first_closed(behind, project, reader) <= project.version:
            raise Problem("StillBlind", f"{project.code} is being evaluated.")


PROBLEMS = tuple(sorted({*READING, 409}))
OPERATIONS = (
    Operation(
        "GET",
        "/v1/projects/{id}/export",
        "exportProject",
        "audit",
        export_project,
        None,
        problems=PROBLEMS,
        content=FILE,
    ),
    Operation(
        "GET",
        "/v1/audit/export",
        "exportLog",
        "audit",
        export_log,
        None,
        problems=tuple(sorted({*PROBLEMS, 403})),
        content=FILE,
    ),
)
