"""What the routes stand on, joined by the entry point."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.requests import HTTPConnection

from activities.decide import Step
from api.dispatch import Door
from api.metrics import Metrics
from api.newest import Newest
from api.problems import Problem
from auth.identity import Authenticator, Identity
from store.postgres import PostgresStore


@dataclass(frozen=True)
class Installation:
    """What /version tells."""

    version: str
    instance: str
    name: str = "tandem"


@dataclass(frozen=True)
class Parts:
    """Everything behind the routes, once the database was reached."""

    store: PostgresStore
    step: Step
    door: Door
    newest: Newest
    schema_is_current: Callable[[], Coroutine[Any, Any, bool]]
    engine_is_reachable: Callable[[], Coroutine[Any, Any, bool]]


@dataclass
class Surroundings:
    """What is there from the start; `parts` comes when the database was reached."""

    authenticator: Authenticator
    installation: Installation
    parts: Parts | None = None
    metrics: Metrics = field(default_factory=Metrics)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server is about to stop: live feeds end."""


def surroundings(request: HTTPConnection) -> Surroundings:
    """What this application was built with."""
    return cast(Surroundings, request.app.state.surroundings)


def parts(request: HTTPConnection) -> Parts:
    """The parts. Raises Problem where the database was not reached yet."""
    if (found := surroundings(request).parts) is None:
        raise Problem("StoreUnavailable")
    return found


def asker(request: HTTPConnection) -> Identity:
    """Who asks; the edge has made sure that somebody does."""
    return cast(Identity, request.scope["state"]["identity"])
