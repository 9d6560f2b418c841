"""The pages' routes, beside the API's."""

from functools import partial

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.problems import Problem
from web import (
    account,
    confirm,
    decision,
    delegations,
    doing,
    inbox,
    outbox,
    permissions,
    preferences,
    project,
    provider,
    signing,
    step_up,
)
from web.page import FILES, VERSION, Answers, Site, answering

OPEN: tuple[tuple[str, str, Answers], ...] = (
    ("GET", "/sign-in", signing.sign_in),
    ("POST", "/sign-in", signing.try_password),
    ("GET", "/sign-in/provider", provider.begin),
    ("GET", "/sign-in/provider/return", provider.finish),
    ("GET", "/sign-in/{secret}", partial(signing.look_at_link, purpose="sign-in")),
    ("POST", "/sign-in/{secret}", signing.use_link),
    ("GET", "/start/{secret}", partial(signing.look_at_link, purpose="first-run")),
    ("POST", "/start/{secret}", signing.begin),
    ("POST", "/sign-out", signing.sign_out),
)
"""What strangers get to."""
CLOSED: tuple[tuple[str, str, Answers], ...] = (
    ("GET", "/", inbox.inbox),
    ("POST", "/messages/read", inbox.mark_all_read),
    ("POST", "/messages/{message}/read", inbox.mark_read),
    ("GET", "/projects", project.listing),
    ("GET", "/projects/new", doing.begin),
    ("POST", "/projects/new", doing.start),
    ("GET", "/projects/{id}", project.show),
    ("GET", "/projects/{id}/do/{command}", doing.show),
    ("POST", "/projects/{id}/do/{command}", doing.act),
    ("GET", "/projects/{id}/decisions/{decision}", decision.show),
    ("POST", "/projects/{id}/decisions/{decision}", decision.vote),
    ("GET", "/confirm/{token}", confirm.show),
    ("POST", "/confirm/{token}", confirm.vote),
    ("GET", "/confirm/{id}/{decision}", confirm.old),
    ("GET", "/delegations", delegations.show),
    ("POST", "/delegations", delegations.grant),
    ("GET", "/preferences", preferences.show),
    ("POST", "/preferences", preferences.change),
    ("POST", "/preferences/confirm", preferences.confirm),
    ("GET", "/outbox", outbox.show),
    ("GET", "/outbox/{letter_id}.eml", outbox.letter),
    ("GET", "/permissions", permissions.show),
    ("GET", "/confirm-presence", step_up.show),
    ("POST", "/confirm-presence", step_up.confirm),
    ("GET", "/account", account.show),
    ("POST", "/account/password", account.change_password),
    ("POST", "/account/tokens", account.make_token),
    ("POST", "/account/tokens/{item}/end", account.end_token),
    ("POST", "/account/sessions/{item}/end", account.end_session),
)
"""What asks for somebody who is signed in."""


def add_pages(app: FastAPI, site: Site) -> None:
    """Every page, and the files that they need."""
    for rows, everybody in ((OPEN, True), (CLOSED, False)):
        for method, path, answers in rows:
            app.router.routes.append(Route(path, answering(answers, site, open_to_all=everybody), methods=[method]))
    app.router.routes.append(Route("/static/{version}/{name}", _file, methods=["GET"]))


async def _file(request: Request) -> Response:
    """A static file; its address has its version, so it may be kept."""
    found = FILES.get(request.path_params["name"])
    if found is None or request.path_params["version"] != VERSION:
        raise Problem("NotFound")
    return Response(found, headers={"Cache-Control": "public, max-age=31536000, immutable"}, media_type="text/css")
