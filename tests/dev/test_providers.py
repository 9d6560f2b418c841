"""The token of an identity provider: good for SCIM and for nothing else, until it is ended."""

from datetime import timedelta

import httpx2

from api.app import build
from api.parts import Installation, Parts, Surroundings
from auth.credentials import Credentials
from auth.sessions import Sessions
from auth.tokens import Tokens
from dev.verbs.providers import end_tokens, make_token
from domain.directory.people import FoundDirectory
from domain.messages import Actor
from store.postgres import PostgresStore
from tests.api.asking import Recorder
from tests.api.conftest import joined
from tests.conftest import Database


def signed_in(behind: Parts) -> Surroundings:
    known = Credentials(Tokens(behind.store.pool), Sessions(behind.store.pool))
    return Surroundings(known, Installation("0.0.test", "inst-1"), behind)


async def test_a_token_opens_scim_alone_until_it_is_ended(store: PostgresStore, database: Database) -> None:
    behind = joined(store, Recorder())
    await behind.administration.submit(FoundDirectory(), Actor("root.admin"), "found")
    secret = await make_token(database.app, "provider.scim", timedelta(days=1))
    around = signed_in(behind)
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=build(around)), base_url="http://t") as client:

        async def ask(method: str, path: str, body: object = None) -> int:
            return (await client.request(method, path, headers=headers, json=body)).status_code

        assert await ask("POST", "/scim/v2/Users", {"userName": "li.wei@example.com"}) == 201
        assert await ask("GET", "/scim/v2/Users") == 200
        assert await ask("GET", "/v1/projects") == 403
        assert await ask("POST", "/v1/directory/add-person", {"person": "li.na"}) == 403
        assert await ask("POST", "/v1/webhooks", {"url": "https://hooks.example.com/x"}) == 403
        await end_tokens(database.app, "provider.scim")
        assert isinstance(around.authenticator, Credentials)
        around.authenticator.forget()
        assert await ask("GET", "/scim/v2/Users") == 401
    await behind.newest.close()
    await behind.door.wakes.close()
