"""The pages in this process, on a database of the test's own."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from api.app import build
from api.parts import Installation, Parts, Surroundings
from auth.confirmation import Confirmations
from auth.credentials import Credentials
from auth.development import DevelopmentAuthenticator
from auth.sessions import Sessions
from auth.tokens import Tokens
from store.postgres import PostgresStore
from tests.api.asking import Api, Recorder
from tests.api.conftest import joined
from tests.web.visiting import Visitor
from web.app import add_pages
from web.page import Site

ORIGIN = "http://tandem.test"
CONFIRMATIONS = Confirmations(b"k" * 32)


@pytest.fixture
async def behind(store: PostgresStore) -> AsyncIterator[Parts]:
    parts = joined(store, Recorder())
    yield parts
    await parts.newest.close()
    await parts.door.wakes.close()


@pytest.fixture
def app(behind: Parts, store: PostgresStore) -> FastAPI:
    known = Credentials(Tokens(store.pool), Sessions(store.pool), DevelopmentAuthenticator())
    made = build(Surroundings(known, Installation("0.0.test", "inst-1"), behind))
    add_pages(made, Site(confirmations=CONFIRMATIONS))
    return made


@pytest.fixture
async def visitor(app: FastAPI) -> AsyncIterator[Visitor]:
    """A browser without scripts, signed in as nobody."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN) as client:
        yield Visitor(client)


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[Api]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN) as client:
        yield Api(client)
