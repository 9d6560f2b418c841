"""Commands are found by their name; every other request is left to the table of routes."""

from starlette.routing import Match, Route

from api.app import build
from api.commands import routed
from api.parts import Surroundings

PROJECT = "0197a3c0-0000-7000-8000-000000000001"
ASKED = {"type": "http", "method": "POST", "root_path": ""}


def test_every_command_is_found_by_its_name_and_nothing_else_is(around: Surroundings) -> None:
    lookup, *routes = build(around).routes
    commands = {f"/v1/projects/{PROJECT}/{kind.route()}": kind for kind in routed().values()}
    found = {}
    for route in routes:
        assert isinstance(route, Route)
        path = route.path.replace("{id}", PROJECT)
        match, more = lookup.matches(ASKED | {"path": path})
        if match is Match.FULL:
            found[path] = route
            assert (more["route"], more["path_params"]) == (route, {"id": PROJECT})
    assert set(found) == set(commands)


def test_what_is_asked_in_another_way_is_left_to_the_routes(around: Surroundings) -> None:
    lookup = build(around).routes[0]
    path = f"/v1/projects/{PROJECT}/vote"
    assert lookup.matches(ASKED | {"path": path})[0] is Match.FULL
    for changed in (
        {"method": "GET"},
        {"root_path": "/tandem"},
        {"path": path + "/"},
        {"path": "/v1/projects//vote"},
        {"path": f"/v2/projects/{PROJECT}/vote"},
        {"path": f"/v1/projects/{PROJECT}/vote/again"},
        {"path": "/"},
    ):
        assert lookup.matches(ASKED | {"path": path} | changed)[0] is Match.NONE, changed
