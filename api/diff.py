"""What changed between two versions of a project: in words, in figures, and as a JSON Patch."""

from collections.abc import Sequence
from typing import Annotated, Any

import jsonpatch
import orjson
from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from activities.folding import stream_of
from activities.ports import Recorded
from api import looks
from api.figures import differing
from api.happenings import Eyes
from api.language import language_of
from api.opening import opened_state
from api.operation import Operation
from api.parts import Parts, asker, parts
from api.past import HOW, Parameters, version_of
from api.plain import moment
from api.problems import invalid
from api.projects import PRIVATE
from api.showing import state
from api.sight import seen_project
from domain.project.aggregate import Project

MOST_EVENTS = 200
"""So many events are told one by one; the history has all."""


class DiffParameters(Parameters):
    """Between which two moments."""

    since: Annotated[str, Field(alias="from", max_length=40, description=HOW)]
    to: Annotated[str | None, Field(max_length=40, description=f"{HOW} Now, if left out.")] = None


async def read_diff(request: Request, id: str, asked: Annotated[DiffParameters, Query()]) -> Response:
    """What changed between two versions: what happened in words, figures before and after, and a JSON Patch.

    The patch (RFC 6902) leads from the state as it is shown to the caller as of `from` to the one as of `to`, both
    without `_actions`. What is still sealed for the caller stays sealed here.
    """
    behind, reader = parts(request), asker(request).principal
    current = await seen_project(request, id)
    first, _ = await version_of(behind, current, asked.since, "from")
    last = current.version if asked.to is None else (await version_of(behind, current, asked.to, "to"))[0]
    if first > last:
        raise invalid("/query/to", "It is before `from`: ask the other way round.")
    before = (await behind.past.as_of(current.id, first)).project
    after = (await behind.past.as_of(current.id, last)).project
    limit = min(MOST_EVENTS, last - first)
    facts = await behind.store.read(stream_of(current.id), after=first, limit=limit) if limit else []
    shown = {
        "project": current.id,
        "before": _end(before),
        "after": _end(after),
        "events": await _told(behind, reader, facts),
        "left_out": last - first - len(facts),
        "figures": differing(before, after),
        "patch": patch(*[await _shown(request, one, current) for one in (before, after)]),
    }
    return Response(orjson.dumps(shown), headers=PRIVATE, media_type="application/json")


def patch(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations that lead from one JSON value to the other."""
    operations: list[dict[str, Any]] = jsonpatch.make_patch(before, after).patch
    return operations


async def _shown(request: Request, project: Project, current: Project) -> dict[str, Any]:
    """The state as the caller is shown it, at the moment when its last event was recorded."""
    assert project.changed_at is not None
    behind, reader = parts(request), asker(request).principal
    shown = state(project, reader, project.changed_at, revealed=current.retrospective.revealed)
    del shown["_actions"]
    return await opened_state(behind, project, reader, shown, language_of(request))


def _end(project: Project) -> dict[str, Any]:
    assert project.changed_at is not None
    return {"version": project.version, "at": moment(project.changed_at)}


async def _told(behind: Parts, reader: str, facts: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Each event in words, in both languages, as far as the reader may see it."""
    english = await Eyes(behind, reader, "en").see(facts)
    chinese = await Eyes(behind, reader, "zh").see(facts)
    kept = ("version", "type", "recorded_at", "sealed")
    return [
        {**{name: en[name] for name in kept}, "en": en["sentence"], "zh": zh["sentence"]}
        for en, zh in zip(english, chinese, strict=True)
    ]


OPERATIONS = (Operation("GET", "/v1/projects/{id}/diff", "readDiff", "projects", read_diff, looks.Diff),)
