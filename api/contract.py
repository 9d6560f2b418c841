"""Routes and their OpenAPI text, from one table; the document is docs/reference/openapi.json."""

from functools import cache
from inspect import cleandoc
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api import (
    asyncapi,
    audit,
    audit_reading,
    bulk,
    calendar,
    commands,
    consumers,
    diff,
    directory,
    directory_lists,
    events,
    inbox,
    me,
    outbox,
    packs,
    password,
    people,
    permissions,
    preferences,
    projects,
    service,
    shapes,
    views,
    webhooks,
)
from api.commands import routed
from api.operation import JSON, KEY, WRITING, Operation, header, path_parameter
from api.permissions import questions
from api.problems import MEDIA_TYPE
from domain.decider import COMMANDS
from domain.messages import Command
from domain.permissions import START

AREAS = (
    bulk,
    inbox,
    me,
    password,
    preferences,
    calendar,
    outbox,
    projects,
    views,
    diff,
    events,
    audit,
    audit_reading,
    packs,
    consumers,
    webhooks,
    people,
    directory,
    directory_lists,
    permissions,
    asyncapi,
    service,
)
"""Modules that list their routes as OPERATIONS, in the order of the document."""
PROTECTED = "/v1/"
REF = "#/components/schemas/{model}"
TAGS = [
    {"name": "projects", "description": "Projects as they are, and as they were."},
    {"name": "commands", "description": "What people may do. One route a command."},
    {"name": "events", "description": "What happened, for ever."},
    {"name": "audit", "description": "What auditors search, check and take away."},
    {"name": "inbox", "description": "What waits for the caller."},
    {"name": "account", "description": "The caller's own tokens and sessions."},
    {"name": "people", "description": "What is kept of people, and erasing it."},
    {"name": "directory", "description": "Who belongs to the organisation: people, teams, roles."},
    {"name": "feeds", "description": "Events for programs: consumers ask for them, webhooks are sent them."},
    {"name": "service", "description": "How this installation is."},
]
MEANINGS = {
    401: "The credentials are missing or not accepted.",
    403: "The caller may not do this.",
    404: "There is no such thing.",
    409: "Not in this state, or what was signed has changed.",
    412: "The version named in If-Match is no longer the project's.",
    413: "The body is larger than 256 KiB.",
    415: "The body is not application/json.",
    422: "The request cannot be read, or a rule says no.",
    429: "One person or address has asked too often: wait as long as Retry-After says.",
    503: "The database is away. Nothing is half done: send the same request again.",
}


SIGN = {
    "name": "sign",
    "in": "query",
    "required": False,
    "description": "`only`: do nothing, give the command signed, to be delivered by a Temporal signal within an hour.",
    "schema": {"type": "string", "enum": ["only"]},
}


def add_routes(app: FastAPI) -> None:
    """Every route of the table."""
    for operation in operations():
        good: dict[str, Any] = {"description": "Done."}
        if operation.shape is not None:
            good["model"] = operation.shape
        if operation.content:
            good["content"] = dict(operation.content)
        app.add_api_route(
            operation.path,
            operation.answers,
            methods=[operation.method],
            operation_id=operation.name,
            tags=[operation.tag],
            summary=operation.summary or _title(operation.name),
            description=operation.about or cleandoc(operation.answers.__doc__ or ""),
            status_code=operation.status,
            response_model=None,
            include_in_schema=operation.listed,
            responses=_problems(operation) | {operation.status: good} | dict(operation.others),
            openapi_extra=_extra(operation),
            dependencies=questions(operation.name),
        )


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version="1",
            summary="Project governance, durable and provable",
            description=app.description,
            routes=app.routes,
            tags=TAGS,
            license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
        )
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(_command_schemas())
        schemas["ProblemDetails"] = shapes.ProblemDetails.model_json_schema(ref_template=REF)
        schemas.update(schemas["ProblemDetails"].pop("$defs"))
        made["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        for path, methods in made["paths"].items():
            for operation in methods.values() if path.startswith("/v1") else ():
                operation["security"] = [{"bearer": []}]
        app.openapi_schema = made
    return app.openapi_schema


@cache
def operations() -> tuple[Operation, ...]:
    """The whole API."""
    by_name = (_command(name, kind) for name, kind in routed().items())
    return (_start(), *by_name, *(operation for area in AREAS for operation in area.OPERATIONS))


def _start() -> Operation:
    kind = COMMANDS[START]
    return Operation(
        "POST",
        "/v1/projects",
        "startProject",
        "commands",
        commands.start,
        shapes.Started,
        status=201,
        problems=WRITING,
        summary=_title(START),
        about=_text(kind),
        extra={"parameters": _command_headers(), "requestBody": _body(START, kind)},
    )


def _command(name: str, kind: type[Command]) -> Operation:
    path_id = path_parameter("id", "A project.")
    return Operation(
        "POST",
        f"/v1/projects/{{id}}/{kind.route()}",
        name[0].lower() + name[1:],
        "commands",
        commands.endpoint(name),
        shapes.Answer | shapes.SignedCommand,
        problems=WRITING,
        summary=_title(name),
        about=_text(kind),
        extra={"parameters": [path_id, SIGN, *_command_headers()], "requestBody": _body(name, kind)},
    )


def _text(kind: type[Command]) -> str:
    """The docstring, who may ask and when."""
    stages = [stage.value for stage in sorted(kind.stages, key=list(type(next(iter(kind.stages)))).index)]
    held = " Also while the project is on hold." if kind.while_held else ""
    return f"{cleandoc(kind.__doc__ or '')}\n\nFor: {', '.join(sorted(kind.roles))}. In: {', '.join(stages)}.{held}"


def _body(name: str, kind: type[Command]) -> dict[str, Any]:
    schema = {"$ref": REF.format(model=name)}
    required = any(f.is_required() for f in kind.model_fields.values())
    return {"required": required, "content": {JSON: {"schema": schema, "example": kind.example}}}


def _command_headers() -> list[dict[str, Any]]:
    return [
        KEY,
        header("If-Match", "Only if the project is at this version.", '"12"'),
        header("Prefer", "`wait=n`: answer when the workflow has followed, after n (at most 30) s at last.", "wait=5"),
    ]


def _extra(operation: Operation) -> dict[str, Any]:
    """What FastAPI cannot tell from the signature: headers, and bodies that are read by hand."""
    extra = dict(operation.extra)
    if operation.body is not None:
        schema = {"$ref": REF.format(model=operation.body.__name__)}
        extra["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    return extra


def _problems(operation: Operation) -> dict[int | str, dict[str, Any]]:
    statuses = (*operation.problems, *((429,) if operation.path.startswith(PROTECTED) else ()))
    content = {MEDIA_TYPE: {"schema": {"$ref": REF.format(model="ProblemDetails")}}}
    return {status: {"description": MEANINGS[status], "content": content} for status in statuses}


def _command_schemas() -> dict[str, Any]:
    bodies = [operation.body for operation in operations() if operation.body is not None]
    kinds: list[type[BaseModel]] = [COMMANDS[START], *routed().values(), *dict.fromkeys(bodies)]
    _, whole = models_json_schema([(kind, "validation") for kind in kinds], ref_template=REF)
    return dict(whole["$defs"])


def _title(name: str) -> str:
    """`WithdrawChange` and `withdrawChange` → `Withdraw change`."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return spaced[0].upper() + spaced[1:]
