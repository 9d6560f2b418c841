"""Around every request: an id, who asks, headers that protect, a count, and no fault that shows its inside.

Pure ASGI, because it is on the way of every command.
"""

import logging
import re
import time
from collections.abc import Iterable, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from activities.ports import StoreUnavailable
from api.ids import uuid7
from api.parts import Surroundings
from api.problems import Problem, problem_answer
from auth.guard import from_elsewhere, out_of_bounds, scope_needed
from auth.identity import Identity, Unauthenticated

log = logging.getLogger("tandem.api")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECRET = re.compile(r"[A-Za-z0-9._-]{40,}")
"""What may be the secret of a link or of a calendar; ids are shorter."""
PROTECTED = ("/v1", "/scim")
"""Nothing below them answers strangers, not even that there is nothing."""
PROTECTION = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
STRICT_CONTENT = "default-src 'none'; frame-ancestors 'none'"
_PROTECTION = [(name.lower().encode(), value.encode()) for name, value in PROTECTION.items()]
_REFERRER = b"referrer-policy"
"""Pages say themselves what their own forms may tell them."""
_OURS = {b"x-request-id", *(name for name, _ in _PROTECTION)} - {_REFERRER}


class Edge:
    """Outermost of what is ours."""

    def __init__(self, app: ASGIApp, surroundings: Surroundings) -> None:
        self._app = app
        self._around = surroundings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        answering = _Answering(scope, send)
        try:
            await self._answer(scope, receive, answering)
        except ClientDisconnect:
            log.debug("gone before it was answered: request %s", answering.request_id)
        except Exception:
            path = _SECRET.sub("…", scope["path"])
            log.exception("%s %r failed, request %s", scope["method"], path, answering.request_id)
            if answering.status:
                raise
            await problem_answer(HTTPConnection(scope), Problem("Broken"))(scope, receive, answering)
        finally:
            seconds = time.perf_counter() - began
            self._around.metrics.answered(scope["method"], _template(scope), answering.status, seconds)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if any(path == root or path.startswith(root + "/") for root in PROTECTED):
            try:
                scope["state"]["identity"] = await self._known(scope)
            except Problem as problem:
                await problem_answer(HTTPConnection(scope), problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _known(self, scope: Scope) -> Identity:
        """Who asks, with a credential that is good for it. Raises Problem."""
        headers = Headers(scope=scope)
        try:
            identity = await self._around.known(headers)
        except Unauthenticated as stranger:
            self._around.limits.stranger(scope, tried="authorization" in headers or "cookie" in headers)
            told = {"WWW-Authenticate": stranger.challenge}
            raise Problem("Unauthenticated", stranger.detail, headers=told) from None
        except StoreUnavailable as outage:
            log.warning("the store is away: %s", outage)
            raise Problem("StoreUnavailable") from None
        self._around.limits.person(identity)
        if identity.ambient and from_elsewhere(scope["method"], headers):
            raise Problem("ForeignPage")
        if out_of_bounds(identity.principal, scope["path"]):
            raise Problem("ScopeMissing", "The credential of an identity provider is for SCIM alone.")
        needed = scope_needed(scope["method"], scope["path"])
        if not identity.in_person if needed is None else needed not in identity.scopes:
            what = "Signing in in person is" if needed is None else f"A credential with the scope {needed} is"
            raise Problem("ScopeMissing", f"{what} needed for that.")
        return identity


class _Answering:
    """Adds headers to the start of the answer and remembers its status."""

    def __init__(self, scope: MutableMapping[str, Any], send: Send) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid7())
        self.status = 0
        self._send = send
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._headers(message.get("headers", ()))
        await self._send(message)

    def _headers(self, given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Written as bytes at once: these go with every answer."""
        headers = [pair for pair in given if pair[0] not in _OURS]
        if not any(name == b"content-security-policy" for name, _ in headers):
            headers.append((b"content-security-policy", STRICT_CONTENT.encode()))
        referring = any(name == _REFERRER for name, _ in headers)
        protection = [pair for pair in _PROTECTION if pair[0] != _REFERRER] if referring else _PROTECTION
        return [*headers, (b"x-request-id", self.request_id.encode()), *protection]


def _template(scope: Scope) -> str:
    """The route's template: a label that clients cannot invent."""
    return str(getattr(scope.get("route"), "path", "none"))
