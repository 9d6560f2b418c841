"""The same server with nobody at the door: who asks is a constant, and nothing is asked before the rules are.

`python -m benchmarks.trusting PERSON`. Routes, step, store, headers and metrics are the server's own. It leaves out
credentials, who has left, limits, where a browser's request comes from, scopes, and whether the project can be seen.
"""

import sys

import uvicorn
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Scope

from activities.sight import Sight
from api.edge import Edge
from api.parts import Parts, Surroundings
from auth.identity import Identity
from config import Settings, configure_logging
from server import create_app


class Blind(Sight):
    """Takes every project for one that may be asked of."""

    async def may_ask(self, person: str, project_id: str) -> bool:
        """Always."""
        return True


class OpenEdge(Edge):
    """Knows everybody, without looking."""

    def __init__(self, app: ASGIApp, surroundings: Surroundings, person: str) -> None:
        super().__init__(app, surroundings)
        self._surroundings = surroundings
        self._who = Identity(person)
        self._opened: Parts | None = None

    async def _known(self, scope: Scope) -> Identity:
        if (parts := self._surroundings.parts) is not self._opened:
            assert parts is not None
            sight = parts.door.sight
            parts.door.sight = Blind(sight._states, sight.roster, sight._rows)
            self._opened = parts
        return self._who


def main(person: str) -> None:
    """Serve until SIGTERM, with the server's own options."""
    settings = Settings()
    configure_logging(settings)
    app = create_app(settings)
    around: Surroundings = app.state.surroundings
    app.user_middleware[:] = [Middleware(OpenEdge, surroundings=around, person=person)]
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=64 * 1024,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
