"""Commands are found by name: one look into a table, where trying pattern after pattern would cost every request."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route, request_response
from starlette.types import Receive, Scope, Send

PREFIX = ["", "v1", "projects"]
"""How the path of every command begins, before the project's id and the command's name."""


class Commands(BaseRoute):
    """Stands before the routes of the table and answers for those of commands, which stay as they are for the document.

    What is not asked in the usual way (another method, below a root path) is left to them.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = {
            route.path.rpartition("/")[2]: (route, request_response(route.endpoint))
            for route in routes
            if route.path.split("/")[:-1] == [*PREFIX, "{id}"] and route.methods == {"POST"}
        }

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this is a command on a project."""
        if scope["type"] == "http" and scope["method"] == "POST" and not scope.get("root_path"):
            *prefix, project_id, name = scope["path"].split("/", 5)
            found = self._routes.get(name) if project_id and prefix == PREFIX else None
            if found:
                route, _ = found
                return Match.FULL, {"endpoint": route.endpoint, "path_params": {"id": project_id}, "route": route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Only a request in which there is nothing to inject and nothing to validate comes here."""
        _, answers = self._routes[scope["path"].rpartition("/")[2]]
        await answers(scope, receive, send)
