"""The application: routes, errors, edge. Whoever builds it brings the parts."""

import logging
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from activities.archived import StreamArchived
from activities.decide import Contended
from activities.ports import StoreUnavailable, StreamRewound
from activities.vault import VaultLocked
from api.commands import count_refusal
from api.contract import TAGS, add_routes, document
from api.edge import Edge
from api.lookup import Commands
from api.parts import Surroundings
from api.problems import Problem, problem_answer, refusal_answer
from api.scim import ROUTES as SCIM
from api.scim_errors import ScimError, error_answer
from domain.refusals import Refused

log = logging.getLogger("tandem.api")
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
ABOUT = """Project governance that a PMO and a product manager ride together.

A project is one stream of events. A command is decided and stored in one transaction and answered with the version
and position of its last event. Send `Idempotency-Key` with every command: sent again, it counts once. `If-Match`
makes a command conditional on the version that you read. Errors are `application/problem+json`."""


def build(around: Surroundings, lifespan: Lifespan | None = None) -> FastAPI:
    """The application. With `around.parts` unset everything that needs the database answers 503."""
    app = FastAPI(
        title="Tandem",
        version=around.installation.version,
        description=ABOUT,
        openapi_tags=TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(Edge, surroundings=around)],
        exception_handlers=ANSWERS,
        lifespan=lifespan,
    )
    app.state.surroundings = around
    add_routes(app)
    app.router.routes.extend(SCIM)
    app.router.routes.insert(0, Commands(route for route in app.routes if isinstance(route, Route)))
    # FastAPI documents this assignment as the way to a document of one's own; the type checker sees a method.
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return app


async def _refused(request: Request, refusal: Refused) -> Response:
    count_refusal(request, refusal)
    return refusal_answer(request, refusal)


async def _problem(request: Request, problem: Problem) -> Response:
    return problem_answer(request, problem)


async def _scim(request: Request, error: ScimError) -> Response:
    return error_answer(error)


async def _away(request: Request, outage: StoreUnavailable) -> Response:
    log.warning("the store is away: %s", outage)
    return problem_answer(request, Problem("StoreUnavailable"))


async def _contended(request: Request, _: Contended) -> Response:
    return problem_answer(request, Problem("Contended"))


async def _rewound(request: Request, rewound: StreamRewound) -> Response:
    log.critical("THE DATABASE IS OLDER THAN WHAT WAS SEEN, look before anything is written: %s", rewound)
    return problem_answer(request, Problem("StreamRewound"))


async def _locked(request: Request, locked: VaultLocked) -> Response:
    log.error("the vault is locked: %s", locked)
    return problem_answer(request, Problem("VaultLocked"))


async def _archived(request: Request, archived: StreamArchived) -> Response:
    return problem_answer(request, Problem("ProjectArchived", str(archived)))


async def _unreadable(request: Request, unreadable: RequestValidationError) -> Response:
    errors = [
        {"pointer": "/" + "/".join(str(part) for part in error["loc"]), "code": error["type"], "message": error["msg"]}
        for error in unreadable.errors()[:50]
    ]
    return problem_answer(request, Problem("Invalid", errors=errors))


_BY_STATUS = {404: "NotFound", 405: "MethodNotAllowed", 413: "TooLarge", 415: "UnsupportedMediaType"}


async def _http(request: Request, error: HTTPException) -> Response:
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else dict(error.headers or {})
    return problem_answer(request, Problem(_BY_STATUS.get(error.status_code, "Invalid"), headers=headers))


def _allowed(request: Request) -> str:
    """The methods of every route at this address: a method is a route of its own."""
    at_address = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted({method for route in at_address for method in getattr(route, "methods", None) or ()}))


ANSWERS: dict[Any, Callable[[Any, Any], Coroutine[Any, Any, Response]]] = {
    Refused: _refused,
    Problem: _problem,
    ScimError: _scim,
    StoreUnavailable: _away,
    Contended: _contended,
    StreamRewound: _rewound,
    VaultLocked: _locked,
    StreamArchived: _archived,
    RequestValidationError: _unreadable,
    HTTPException: _http,
}
