"""Any command of a project as a page with its form, and what is done with what was typed."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from activities.decide import Outcome
from api.commands import routed
from api.dispatch import Asked
from api.ids import uuid7
from api.problems import Problem, refusal_fields, refusal_status
from domain.decider import COMMANDS, hindrance
from domain.messages import Command
from domain.permissions import START
from domain.project.aggregate import Project
from domain.refusals import Refused
from web import step_up
from web.forms import Filling, fields_of, homeless, read
from web.offers import beginning, offers_of
from web.page import Page
from web.reading import project_of
from web.wording import purpose_of, why_not

LONGEST_KEY = 100
REFERENCES = {"decision", "change", "slot", "question", "grant", "delegation", "kpi"} | {
    *("milestone", "lesson", "check_in", "person", "role", "side")
}
"""Fields that a link to a form may fill in: what is named, never what is said about it."""
RETURNS = frozenset({"/", "/delegations"})
"""Pages that have a button of their own for a command, and are shown again."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


async def show(page: Page) -> Response:
    """The form of a command; what the link names is filled in."""
    project, command = await project_of(page), _command(page)
    if command.__name__ == "Vote":
        return page.go(_about(project, {"decision": page.request.query_params.get("decision", "")}))
    named = {k: v for k, v in page.request.query_params.items() if k in REFERENCES & set(command.model_fields)}
    content = beginning(command, project) | {k: v for k, v in named.items() if _NAME.fullmatch(v)}
    if kept := await step_up.typed(page):
        content |= read(command, kept)
    return _form(page, project, command, Filling(content))


async def act(page: Page) -> Response:
    """Do it; or one row more; or the form again with what was refused, beside its fields."""
    project, command = await project_of(page), _command(page)
    data = read(command, page.fields)
    if more := page.field("more"):
        return _form(page, project, command, Filling(data, more=more))
    try:
        outcome = await submit(page, project.id, command.__name__, data)
    except Refused as refusal:
        if refusal.code == step_up.NEEDED:
            return await step_up.ask(page)
        return _form(page, project, command, Filling(data, errors=refusal.errors), refusal)
    if page.field("next") in RETURNS:
        return page.go(page.field("next"))
    return page.go(_about(project, data) + done(outcome))


async def submit(page: Page, project_id: str, command: str, data: Mapping[str, Any]) -> Outcome:
    """The way of every page to a command of a project. Raises Refused."""
    asked = Asked(command, data, key_of(page))
    return await page.behind.door.submit(page.who, project_id, asked)


def key_of(page: Page) -> str | None:
    """The form's own key: sent twice, it counts once."""
    key = page.field("key")[:LONGEST_KEY]
    return key if key and key.isascii() and key.isprintable() else None


def done(outcome: Outcome) -> str:
    """A query that lets the next page say what has happened."""
    versions = [int(event["version"]) for event in outcome.events]
    return f"?done={min(versions)}-{max(versions)}" if versions else ""


def _about(project: Project, data: Mapping[str, Any]) -> str:
    """The page of what the command was about."""
    decision = str(data.get("decision", ""))
    return f"/projects/{project.id}" + (f"/decisions/{decision}" if decision in project.decisions else "")


def _command(page: Page) -> type[Command]:
    """The command of the address. Raises Problem."""
    route = page.request.path_params["command"]
    for kind in routed().values():
        if kind.route() == route:
            return kind
    raise Problem("NotFound")


async def begin(page: Page) -> Response:
    """The form that starts a project."""
    return _form(page, None, COMMANDS[START], Filling())


async def start(page: Page) -> Response:
    """Start it, and on to its page."""
    command = COMMANDS[START]
    data = read(command, page.fields)
    if more := page.field("more"):
        return _form(page, None, command, Filling(data, more=more))
    try:
        outcome = await page.behind.door.start(page.who, Asked(START, data, key_of(page)))
    except Refused as refusal:
        return _form(page, None, command, Filling(data, errors=refusal.errors), refusal)
    return page.go(f"/projects/{outcome.project_id}{done(outcome)}")


def _form(
    page: Page, project: Project | None, command: type[Command], filling: Filling, refusal: Refused | None = None
) -> Response:
    hindered = None
    if project is not None:
        filling = replace(filling, offers=offers_of(project, page.language, str(filling.content.get("decision", ""))))
        found = hindrance(command, project, page.who.principal)
        hindered = None if found is None else why_not(found, command, project, page.language)
    fields = fields_of(command, filling)
    return page.show(
        "do.html",
        200 if refusal is None else refusal_status(refusal),
        project=project,
        back="/projects" if project is None else _about(project, filling.content),
        fields=fields,
        errors=homeless(fields, filling.errors),
        refusal=None if refusal is None else refusal_fields(refusal, page.language),
        hindered=hindered,
        command=command.__name__,
        purpose=purpose_of(command, page.language),
        key=str(uuid7()),
    )
