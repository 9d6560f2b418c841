"""Signing for one another: what the reader has given and was given, over all projects, and giving and ending it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.responses import Response

from api.dispatch import Asked
from api.ids import uuid7
from api.problems import refusal_fields, refusal_status
from api.waiting import projects_of
from domain.decider import COMMANDS, hindrance
from domain.project.aggregate import Project
from domain.project.delegation import Delegation
from domain.refusals import Refused
from domain.values import Role
from web.doing import key_of
from web.forms import Filling, fields_of, homeless, read
from web.offers import roles_of
from web.page import Page

GRANT = COMMANDS["GrantDelegation"]
MOST_AT_ONCE = 50


@dataclass(frozen=True)
class Shown:
    """One delegation of a project."""

    project: Project
    delegation: Delegation
    living: bool
    may_end: bool


async def show(page: Page) -> Response:
    """Delegations by the reader, to the reader, and of others where the reader is PMO; and the form for a new one."""
    return await _shown(page)


async def grant(page: Page) -> Response:
    """Give one in each project that was chosen. Where some refuse, what they say is shown; the others have it."""
    data = read(GRANT, page.fields)
    chosen = page.fields.get("projects", [])[:MOST_AT_ONCE]
    known = await projects_of(page.behind, page.who.principal, None)
    if not chosen or not set(chosen) <= set(known):
        return await _shown(page, data, chosen, missing=True)
    refused: list[tuple[Project, Refused]] = []
    for project_id in chosen:
        key = key_of(page)
        asked = Asked(GRANT.__name__, data, key and f"{key}-{project_id}")
        try:
            await page.behind.door.submit(page.who, project_id, asked)
        except Refused as refusal:
            refused.append((known[project_id], refusal))
    if refused:
        return await _shown(page, data, [project.id for project, _ in refused], refused)
    return page.go("/delegations?done=yes")


async def _shown(
    page: Page,
    data: dict[str, Any] | None = None,
    chosen: Sequence[str] = (),
    refused: Sequence[tuple[Project, Refused]] = (),
    *,
    missing: bool = False,
) -> Response:
    who, now = page.who.principal, page.behind.now()
    projects = (await projects_of(page.behind, who, None)).values()
    able = [project for project in projects if hindrance(GRANT, project, who) is None]
    errors = refused[0][1].errors if refused else ()
    fields = fields_of(GRANT, Filling(data or {}, errors=errors, offers=_people(able, page.language)))
    every = [_one(project, one, who, now) for project in projects for one in reversed(project.delegations)]
    return page.show(
        "delegations.html",
        refusal_status(refused[0][1]) if refused else 422 if missing else 200,
        given=[one for one in every if one.delegation.delegator == who],
        held=[one for one in every if one.delegation.delegate == who],
        others=[one for one in every if who not in (one.delegation.delegator, one.delegation.delegate) and one.may_end],
        able=able,
        chosen=chosen or [project.id for project in able if len(able) == 1],
        refused=[(project, refusal_fields(refusal, page.language)) for project, refusal in refused],
        errors=homeless(fields, errors),
        missing=missing,
        fields=fields,
        key=str(uuid7()),
    )


def _one(project: Project, one: Delegation, who: str, now: datetime) -> Shown:
    mine = who in (one.delegator, one.by) or Role.PMO in project.team.roles(who)
    return Shown(project, one, one.living(now), mine and one.living(now))


def _people(projects: Sequence[Project], language: str) -> dict[str, list[tuple[str, str]]]:
    """Everybody of these projects, each once."""
    people = {person: roles_of(project, person, language) for project in projects for person in project.team.members()}
    offered = sorted(people.items())
    return {"to": offered, "person": offered}
