"""What is kept of a person: who asked that it be erased, whether a hold is in force, and when it was."""

from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from activities.keeping import Kept
from api import asking
from api.commands import Endpoint
from api.dispatch import command_id
from api.operation import KEY, Operation, path_parameter
from api.parts import asker, parts
from api.plain import plain
from api.problems import Problem
from api.shapes import Shape
from domain.keeping.person import (
    ConfirmErasure,
    HoldPerson,
    PersonRecord,
    ReleasePerson,
    RequestErasure,
    WithdrawErasure,
)
from domain.keeping.record import KeepingCommand
from domain.messages import Actor, wrong_fields
from domain.refusals import malformed
from domain.values import Person

_person = TypeAdapter(Person)
PRIVATE = {"Cache-Control": "private, no-store", "Vary": "Authorization, Accept-Language"}
WRITING = (401, 403, 404, 409, 413, 415, 422, 503)


class PersonState(Shape):
    """What is kept of a person."""

    person: str
    version: int
    held: str | None
    requested_by: str | None
    basis: str | None
    erased_at: str | None


class PersonAnswer(PersonState):
    """The same after a command, and what happened."""

    events: list[str]


async def read_person(request: Request) -> Response:
    """Whether the person's texts can still be read, who asks that they be erased, and whether a hold forbids it."""
    asking.no_query(request)
    name, people, reader = name_of(request), parts(request).people, asker(request).principal
    if reader != name:
        await people.check(reader)
    return _answer(_shown(await people.record(name)))


def endpoint(kind: type[KeepingCommand]) -> Endpoint:
    """What answers one of the commands about a person."""

    async def submit(request: Request) -> Response:
        asking.no_query(request)
        name, who = name_of(request), asker(request)
        key = command_id(asking.idempotency_key(request))
        command = read_keeping(kind, await asking.body(request))
        kept = await parts(request).people.submit(name, command, Actor(who.principal, client=who.client), key)
        return _answered(kept)

    submit.__doc__ = kind.__doc__
    return submit


def name_of(request: Request) -> str:
    """The person in the path. Raises Problem where it cannot be one."""
    try:
        return _person.validate_python(request.path_params["person"])
    except ValidationError:
        raise Problem("NotFound", "A person's name is like `li.wei`.") from None


def read_keeping(kind: type[KeepingCommand], raw: bytes) -> KeepingCommand:
    """The command in a body. Raises Refused with one entry per wrong field."""
    try:
        return kind.model_validate_json(orjson.dumps(asking.decoded(raw)))
    except asking.NotAnObject as error:
        raise malformed(str(error), ({"pointer": "", "code": error.code, "message": str(error)},)) from None
    except ValidationError as error:
        raise malformed("The command cannot be read.", wrong_fields(error)) from None


def _shown(record: PersonRecord) -> dict[str, Any]:
    return {
        "person": record.id,
        "version": record.version,
        "held": record.held,
        "requested_by": record.requested_by,
        "basis": record.basis,
        "erased_at": plain(record.erased_at),
    }


def _answered(kept: Kept) -> Response:
    answer = _answer({**_shown(kept.record), "events": list(kept.events)})
    if kept.repeated:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


def _answer(shown: dict[str, Any]) -> Response:
    return Response(orjson.dumps(shown), headers=PRIVATE, media_type="application/json")


def _command(path: str, name: str, kind: type[KeepingCommand]) -> Operation:
    has_fields = bool(kind.model_fields)
    return Operation(
        "POST",
        f"/v1/people/{{person}}/{path}",
        name,
        "people",
        endpoint(kind),
        PersonAnswer,
        problems=WRITING,
        extra={"parameters": [path_parameter("person", "A person, e.g. `li.wei`."), KEY]},
        body=kind if has_fields else None,
    )


OPERATIONS = (
    Operation(
        "GET",
        "/v1/people/{person}",
        "readPerson",
        "people",
        read_person,
        PersonState,
        problems=(401, 403, 404, 422, 503),
        extra={"parameters": [path_parameter("person", "A person, e.g. `li.wei`.")]},
    ),
    _command("erase", "requestErasure", RequestErasure),
    _command("confirm-erasure", "confirmErasure", ConfirmErasure),
    _command("withdraw-erasure", "withdrawErasure", WithdrawErasure),
    _command("hold", "holdPerson", HoldPerson),
    _command("release", "releasePerson", ReleasePerson),
)
