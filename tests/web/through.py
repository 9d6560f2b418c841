"""The pages with a provider's process behind them, and a visitor's way through it."""

from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI

from api.app import build
from api.parts import Installation, Parts, Surroundings
from auth.credentials import Credentials
from auth.development import DevelopmentAuthenticator
from auth.discovery import Registration
from auth.oidc import OpenIdProvider, Terms
from auth.sessions import Sessions
from auth.tokens import Tokens
from domain.directory.record import OrganisationRole
from tests.auth.provider import CLIENT, SECRET
from tests.auth.providing import Provider, process, provider
from tests.web.conftest import CONFIRMATIONS
from tests.web.visiting import Visitor
from web.app import add_pages
from web.page import Site
from web.provider import RETURN

__all__ = ["app", "come_back", "come_in", "openid", "process", "provider"]
ROLES = {"tandem-pmo": OrganisationRole.PMO, "tandem-audit": OrganisationRole.AUDITOR}


@pytest.fixture
def openid(provider: Provider) -> OpenIdProvider:
    """The pages' side of the provider."""
    registered = Registration(CLIENT, SECRET)
    return OpenIdProvider(Terms(provider.issuer, registered, f"http://127.0.0.1:1{RETURN}", "Acme ID", roles=ROLES))


@pytest.fixture
def app(behind: Parts, openid: OpenIdProvider) -> FastAPI:
    """The pages, with the provider."""
    pool = behind.store.pool
    known = Credentials(Tokens(pool), Sessions(pool), DevelopmentAuthenticator())
    made = build(Surroundings(known, Installation("0.0.test", "inst-1"), behind))
    add_pages(made, Site(confirmations=CONFIRMATIONS, provider=openid))
    return made


async def come_back(
    visitor: Visitor, provider: Provider, name: str, begin: str, browser: httpx2.AsyncClient | None = None
) -> str:
    """Off to the provider by the link `begin`, and sign in there: the path by which it sends the visitor back."""
    begun = await visitor.get(begin)
    assert begun.status_code == 303, begun.text
    back = urlsplit(await provider.through(begun.headers["location"], name, browser))
    return f"{back.path}?{back.query}"


async def come_in(visitor: Visitor, provider: Provider, name: str, onwards: str = "/") -> httpx2.Response:
    """Sign in through the provider."""
    return await visitor.get(await come_back(visitor, provider, name, f"/sign-in/provider?next={onwards}"))
