"""The caller's own: who Tandem takes them for, their tokens, their sessions."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api import asking
from api.operation import READING, Operation, path_parameter
from api.parts import asker, parts, surroundings
from api.plain import moment
from api.problems import Problem
from api.shapes import Shape
from auth.credentials import Credentials
from auth.identity import Identity, Scope
from auth.sessions import Session, Sessions
from auth.tokens import LONGEST, Token, Tokens, TooManyTokens
from domain.directory.record import OrganisationRole
from domain.messages import wrong_fields
from domain.values import Line, Value

NO_STORE = {"Cache-Control": "no-store"}
WRITING = (401, 403, 404, 409, 413, 415, 422, 503)


class Me(Shape):
    """Who the caller is."""

    principal: str
    client: str
    scopes: list[Scope]
    roles: Annotated[list[OrganisationRole], Field(description="What the directory says the caller is.")]
    teams: list[str]


class TokenState(Shape):
    """A token; its secret is told once, when it is made."""

    id: str
    name: str
    hint: Annotated[str, Field(description="Prefix and last four characters.")]
    scopes: list[Scope]
    made_at: str
    expires_at: str
    used_at: str | None
    ended_at: str | None


class TokenMade(TokenState):
    """A token that was just made."""

    secret: Annotated[str, Field(description="Shown this once.")]


class TokenList(Shape):
    """Living and ended tokens, the newest first."""

    items: list[TokenState]


class SessionState(Shape):
    """A browser that is signed in as the caller."""

    id: str
    device: str
    way: str
    opened_at: str
    seen_at: str
    current: bool


class SessionList(Shape):
    """Living sessions, the newest first."""

    items: list[SessionState]


class NewToken(Value):
    """What a token is for and how long it lives."""

    model_config = ConfigDict(title="NewToken")

    name: Line
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=len(Scope), strict=False)] = (Scope.READ,)
    days: Annotated[int, Field(ge=1, le=LONGEST.days, description="Until it expires.")] = 90


async def read_me(request: Request) -> Response:
    """Who Tandem takes the caller for, what the credential is good for, and what the directory says of them."""
    who, known = asker(request), await parts(request).roster.directory()
    shown = {"principal": who.principal, "client": who.client, "scopes": sorted(who.scopes)}
    return _told(shown | {"roles": sorted(known.roles(who.principal)), "teams": sorted(known.teams_of(who.principal))})


async def list_tokens(request: Request) -> Response:
    """The caller's tokens."""
    found = await Tokens(parts(request).store.pool).of(asker(request).principal)
    return _told({"items": [_token(token) for token in found]})


async def make_token(request: Request) -> Response:
    """Make a token that acts in the caller's name within its scopes. Its secret is shown this once."""
    asking.no_query(request)
    try:
        wanted = NewToken.model_validate_json(await asking.body(request) or b"{}")
    except ValidationError as error:
        raise Problem("Invalid", errors=list(wrong_fields(error))) from None
    who = asker(request).principal
    expires = datetime.now(UTC) + timedelta(days=wanted.days)
    tokens = Tokens(parts(request).store.pool)
    try:
        secret, token = await tokens.make(who, "personal", wanted.name, wanted.scopes, expires, who)
    except TooManyTokens:
        raise Problem("TooManyTokens") from None
    return _told({**_token(token), "secret": secret}, 201)


async def end_token(request: Request) -> Response:
    """End a token of the caller's at once."""
    asking.no_query(request)
    ended = await Tokens(parts(request).store.pool).end(asker(request).principal, _id(request, "token_id"))
    return _ended(request, ended)


async def list_sessions(request: Request) -> Response:
    """The browsers that are signed in as the caller."""
    who = asker(request)
    found = await Sessions(parts(request).store.pool).of(who.principal)
    return _told({"items": [_session(session, who) for session in found]})


async def end_session(request: Request) -> Response:
    """Sign a browser out."""
    asking.no_query(request)
    ended = await Sessions(parts(request).store.pool).end(asker(request).principal, _id(request, "session_id"))
    return _ended(request, ended)


def _id(request: Request, name: str) -> UUID:
    try:
        return UUID(request.path_params[name])
    except ValueError:
        raise Problem("NoCredential") from None


def _ended(request: Request, ended: bool) -> Response:
    if not ended:
        raise Problem("NoCredential")
    known = surroundings(request).authenticator
    if isinstance(known, Credentials):
        known.forget()
    return Response(status_code=204, headers=NO_STORE)


def _token(token: Token) -> dict[str, Any]:
    return {
        "id": str(token.id),
        "name": token.name,
        "hint": token.hint,
        "scopes": list(token.scopes),
        "made_at": moment(token.made_at),
        "expires_at": moment(token.expires_at),
        "used_at": token.used_at and moment(token.used_at),
        "ended_at": token.ended_at and moment(token.ended_at),
    }


def _session(session: Session, who: Identity) -> dict[str, Any]:
    return {
        "id": str(session.id),
        "device": session.device,
        "way": session.way,
        "opened_at": moment(session.opened_at),
        "seen_at": moment(session.seen_at),
        "current": session.id == who.session,
    }


def _told(shown: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(shown), status, NO_STORE, "application/json")


OPERATIONS = (
    Operation("GET", "/v1/me", "readMe", "account", read_me, Me, problems=READING),
    Operation("GET", "/v1/me/tokens", "listTokens", "account", list_tokens, TokenList, problems=READING),
    Operation(
        "POST", "/v1/me/tokens", "makeToken", "account", make_token, TokenMade, 201, problems=WRITING, body=NewToken
    ),
    Operation(
        "DELETE",
        "/v1/me/tokens/{token_id}",
        "endToken",
        "account",
        end_token,
        None,
        204,
        problems=WRITING,
        extra={"parameters": [path_parameter("token_id", "A token of the caller's.")]},
    ),
    Operation("GET", "/v1/me/sessions", "listSessions", "account", list_sessions, SessionList, problems=READING),
    Operation(
        "DELETE",
        "/v1/me/sessions/{session_id}",
        "endSession",
        "account",
        end_session,
        None,
        204,
        problems=WRITING,
        extra={"parameters": [path_parameter("session_id", "A session of the caller's.")]},
    ),
)
