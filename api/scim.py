"""SCIM 2.0: an identity provider keeps people and teams of the directory. RFC 7643 and 7644, for Okta and Entra ID.

Not part of the contract: what is here is told by /Schemas and docs/how-to/scim.md.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import scim_groups, scim_users
from api.scim_asking import Provider
from api.scim_errors import missing, wrong
from api.scim_reading import BASE, listing, said
from api.scim_schemas import CONFIG, RESOURCE_TYPES, SCHEMAS

Answers = Callable[[Request], Awaitable[Response]]


async def read_config(request: Request) -> Response:
    """What this service can do."""
    Provider.of(request)
    return said(CONFIG)


def _all_of(known: Mapping[str, Mapping[str, Any]]) -> Answers:
    async def answer(request: Request) -> Response:
        """Every one of these descriptions."""
        Provider.of(request)
        if "filter" in request.query_params:
            raise wrong("There is no filter on these.", "invalidFilter")
        return listing(list(known.values()), len(known))

    return answer


def _one_of(kind: str, known: Mapping[str, Mapping[str, Any]]) -> Answers:
    async def answer(request: Request) -> Response:
        """One of these descriptions."""
        Provider.of(request)
        name = request.path_params["id"]
        if name not in known:
            raise missing(kind, name)
        return said(known[name])

    return answer


_ANSWERS: tuple[tuple[str, str, Answers], ...] = (
    ("GET", "/ServiceProviderConfig", read_config),
    ("GET", "/ResourceTypes", _all_of(RESOURCE_TYPES)),
    ("GET", "/ResourceTypes/{id}", _one_of("ResourceType", RESOURCE_TYPES)),
    ("GET", "/Schemas", _all_of(SCHEMAS)),
    ("GET", "/Schemas/{id}", _one_of("Schema", SCHEMAS)),
    ("GET", "/Users", scim_users.list_users),
    ("POST", "/Users", scim_users.create_user),
    ("GET", "/Users/{id}", scim_users.read_user),
    ("PUT", "/Users/{id}", scim_users.replace_user),
    ("PATCH", "/Users/{id}", scim_users.change_user),
    ("DELETE", "/Users/{id}", scim_users.delete_user),
    ("GET", "/Groups", scim_groups.list_groups),
    ("POST", "/Groups", scim_groups.create_group),
    ("GET", "/Groups/{id}", scim_groups.read_group),
    ("PUT", "/Groups/{id}", scim_groups.replace_group),
    ("PATCH", "/Groups/{id}", scim_groups.change_group),
    ("DELETE", "/Groups/{id}", scim_groups.delete_group),
)
ROUTES = [Route(BASE + path, answer, methods=[method], include_in_schema=False) for method, path, answer in _ANSWERS]
