"""Who may: the table of rights as it is, what of it applies to the caller, and the question before every route."""

from typing import Annotated, Any

import orjson
from fastapi import Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.operation import Operation
from api.parts import asker, parts
from api.past import Parameters, PastParameters, view
from api.problems import Problem
from api.projects import PRIVATE
from api.shapes import Shape
from domain.decider import hindrance
from domain.permissions import RIGHTS, STRANGER, Standing, commands, holds
from domain.project.aggregate import Project
from domain.refusals import not_allowed
from domain.values import Role, Stage

ON_PROJECTS = frozenset(name[0].lower() + name[1:] for name, _ in commands())
"""The operations that the decider asks about."""


class CommandRow(Shape):
    """A command on a project: whom it is for, and when."""

    command: str
    route: str
    roles: list[Role]
    stages: list[Stage]
    while_held: bool
    delegable: bool
    allowed: Annotated[bool | None, Field(description="To the caller, now. Null where no project was named.")]
    why: Annotated[str | None, Field(description="The code of the refusal, where it is not.")]


class Words(Shape):
    """The same in both languages."""

    en: str
    zh: str


class OperationRow(Shape):
    """Any other operation, by the name it has in the contract."""

    operation: str
    whom: Annotated[Words, Field(description="Whom it is for.")]
    roles: Annotated[list[str] | None, Field(description="Organisation roles of which one is needed; null: none is.")]
    allowed: Annotated[bool, Field(description="To the caller, as far as roles tell: what is not theirs is not there.")]


class Permissions(Shape):
    """The table of rights."""

    commands: list[CommandRow]
    operations: list[OperationRow]


class PermissionParameters(Parameters):
    """For which project."""

    project: Annotated[str | None, Field(max_length=100, description="Say what the caller may do there now.")] = None


async def read_permissions(request: Request, asked: Annotated[PermissionParameters, Query()]) -> Response:
    """Who may: every command by role and stage, every other operation by its right, and what the caller may."""
    behind, who = parts(request), asker(request).principal
    project = None if asked.project is None else (await view(behind, asked.project, PastParameters(), who)).project
    shown = {"commands": command_rows(project, who), "operations": operation_rows(await standing(request))}
    return Response(orjson.dumps(shown), headers=PRIVATE, media_type="application/json")


def command_rows(project: Project | None, who: str) -> list[dict[str, Any]]:
    """The rows of commands; what applies to the person where a project is given."""
    rows = []
    for name, kind in commands():
        refusal = None if project is None else hindrance(kind, project, who)
        rows.append(
            {
                "command": name,
                "route": kind.route(),
                "roles": [role for role in Role if role in kind.roles],
                "stages": [stage for stage in Stage if stage in kind.stages],
                "while_held": kind.while_held,
                "delegable": kind.delegable,
                "allowed": None if project is None else refusal is None,
                "why": None if refusal is None else refusal.code,
            }
        )
    return rows


def operation_rows(standing: Standing) -> list[dict[str, Any]]:
    """The rows of all other operations, with what applies to somebody."""
    return [
        {
            "operation": name,
            "whom": {"en": right.en, "zh": right.zh},
            "roles": None if right.organisation is None else sorted(right.organisation),
            "allowed": holds(right, standing),
        }
        for name, right in RIGHTS.items()
    ]


async def standing(request: Request) -> Standing:
    """What the caller is in the organisation. Raises StoreUnavailable."""
    behind, who = parts(request), asker(request).principal
    directory = await behind.roster.directory()
    pmo = await behind.is_officer(who)
    return Standing(
        anywhere=frozenset({Role.PMO}) if pmo else frozenset(),
        organisation=directory.roles(who),
        themselves=request.path_params.get("person") == who,
    )


def questions(operation: str) -> list[Any]:
    """What is asked before the route of an operation: nothing where whoever gets there may, or its own rules ask."""
    right = RIGHTS.get(operation)
    if right is None:
        return [] if operation in ON_PROJECTS else [Depends(_deny)]
    if right.by_rule or holds(right, STRANGER):
        return []

    async def ask(request: Request) -> None:
        if not holds(right, await standing(request)):
            raise Problem(right.code)

    return [Depends(ask)]


async def _deny() -> None:
    raise not_allowed("This operation is not in the table of rights: it is denied to everybody.")


OPERATIONS = (Operation("GET", "/v1/permissions", "readPermissions", "service", read_permissions, Permissions),)
