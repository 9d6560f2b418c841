"""The caller's own password: set or changed by somebody who has just proved to be there, or knows the old one."""

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api import asking
from api.operation import Operation
from api.parts import asker, parts, surroundings
from api.problems import Problem
from auth.credentials import Credentials
from auth.identity import Identity
from auth.passwords import LONGEST, SHORTEST, Locked, Passwords, Weak
from auth.sessions import Sessions
from domain.messages import wrong_fields
from domain.values import Value

RECENT = timedelta(minutes=5)
"""How long ago somebody may have proved to be there who does not give the old password."""


class NewPassword(Value):
    """A new password, with the old one unless the session has proved in the last five minutes that you are there."""

    model_config = ConfigDict(title="NewPassword")

    old: Annotated[SecretStr | None, Field(max_length=LONGEST)] = None
    new: Annotated[SecretStr, Field(min_length=SHORTEST, max_length=LONGEST)]


async def change_password(request: Request) -> Response:
    """Set or change the caller's password. Every other session of theirs ends; tokens live on."""
    asking.no_query(request)
    try:
        wanted = NewPassword.model_validate_json(await asking.body(request) or b"{}")
    except ValidationError as error:
        raise Problem("Invalid", errors=list(wrong_fields(error))) from None
    await changed(request, asker(request), wanted)
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


async def changed(request: Request, who: Identity, wanted: NewPassword) -> None:
    """Set it, and end every session of theirs but this one. Raises Problem."""
    database = parts(request).store.pool
    await check_presence(request, who, wanted.old.get_secret_value() if wanted.old else None)
    try:
        await Passwords(database).set(who.principal, wanted.new.get_secret_value())
    except Weak as weak:
        raise Problem("WeakPassword", weak.detail) from None
    await Sessions(database).end_others(who.principal, who.session)
    forget(request)


async def check_presence(request: Request, who: Identity, password: str | None) -> None:
    """Whether this is the person: by their password, or by a proof that is fresh. Raises Problem."""
    if password is None:
        if who.confirmed_at is None or datetime.now(UTC) - who.confirmed_at > RECENT:
            raise Problem("PresenceNeeded")
        return
    address = request.client.host if request.client else ""
    try:
        fits = await Passwords(parts(request).store.pool).matches(who.principal, password, address)
    except Locked as locked:
        left = max(1, math.ceil((locked.until - datetime.now(UTC)).total_seconds()))
        raise Problem("TooManyAttempts", headers={"Retry-After": str(left)}) from None
    if not fits:
        raise Problem("WrongPassword")


def forget(request: Request) -> None:
    """Something was ended or confirmed: ask the database again for everybody."""
    known = surroundings(request).authenticator
    if isinstance(known, Credentials):
        known.forget()


OPERATIONS = (
    Operation(
        "POST",
        "/v1/me/password",
        "changePassword",
        "account",
        change_password,
        None,
        204,
        problems=(401, 403, 413, 415, 422, 503),
        body=NewPassword,
    ),
)
