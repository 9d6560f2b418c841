"""Who the caller is taken for, by a token and by a browser's session; and what neither may do."""

from typing import Any

import pytest

from api.parts import Surroundings
from auth.credentials import COOKIE, Credentials
from auth.development import DevelopmentAuthenticator
from auth.sessions import Sessions
from auth.tokens import Tokens
from store.postgres import PostgresStore
from tests.api.asking import Api


@pytest.fixture(autouse=True)
def credentials(around: Surroundings, store: PostgresStore) -> Credentials:
    known = Credentials(Tokens(store.pool), Sessions(store.pool), DevelopmentAuthenticator())
    around.authenticator = known
    return known


async def make(api: Api, person: str = "li.wei", **wanted: Any) -> Any:
    answer = await api.client.post("/v1/me/tokens", json={"name": "script", **wanted}, headers=dev(person))
    assert answer.status_code == 201, answer.text
    return answer.json()


def dev(person: str) -> dict[str, str]:
    return {"Authorization": f"Bearer dev:{person}"}


def bearer(token: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token['secret']}"}


async def test_a_token_reads_but_acts_only_within_its_scopes(api: Api) -> None:
    token = await make(api)
    me = await api.client.get("/v1/me", headers=bearer(token))
    told = {"principal": "li.wei", "client": "token:personal", "scopes": ["read"], "roles": [], "teams": []}
    assert me.json() == told
    refused = await api.client.post("/v1/projects", json={}, headers=bearer(token))
    assert (refused.status_code, refused.json()["code"]) == (403, "ScopeMissing")
    refused = await api.client.get("/v1/audit/events", headers=bearer(token))
    assert (refused.status_code, refused.json()["code"]) == (403, "ScopeMissing")


async def test_no_token_makes_or_ends_a_token_however_wide_it_is(api: Api) -> None:
    token = await make(api, scopes=["read", "act", "audit", "administer"])
    for method, path in (("POST", "/v1/me/tokens"), ("DELETE", f"/v1/me/tokens/{token['id']}")):
        refused = await api.client.request(method, path, json={"name": "x"}, headers=bearer(token))
        assert (refused.status_code, refused.json()["code"]) == (403, "ScopeMissing")


async def test_a_tokens_secret_is_shown_once(api: Api) -> None:
    token = await make(api)
    listed = await api.client.get("/v1/me/tokens", headers=dev("li.wei"))
    assert token["secret"] not in listed.text
    assert [item["id"] for item in listed.json()["items"]] == [token["id"]]
    assert (await api.client.get("/v1/me/tokens", headers=dev("pan.mei"))).json()["items"] == []


async def test_an_ended_token_is_worth_nothing_at_once(api: Api) -> None:
    token = await make(api)
    assert (await api.client.get("/v1/me", headers=bearer(token))).status_code == 200
    path = f"/v1/me/tokens/{token['id']}"
    assert (await api.client.delete(path, headers=dev("pan.mei"))).status_code == 404
    assert (await api.client.delete(path, headers=dev("li.wei"))).status_code == 204
    assert (await api.client.get("/v1/me", headers=bearer(token))).status_code == 401


@pytest.mark.parametrize(
    "wanted",
    [{}, {"name": ""}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["all"]}, {"name": "x", "days": 0}],
)
async def test_what_cannot_be_a_token_is_refused(api: Api, wanted: dict[str, Any]) -> None:
    answer = await api.client.post("/v1/me/tokens", json=wanted, headers=dev("li.wei"))
    assert (answer.status_code, answer.json()["code"]) == (422, "Invalid")
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 204),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://tandem.test"}, 204),
        ({"origin": "http://elsewhere.test"}, 403),
        ({"origin": "null"}, 403),
        ({}, 204),
    ],
)
async def test_a_cookie_counts_only_for_our_own_pages(
    api: Api, store: PostgresStore, said: dict[str, str], status: int
) -> None:
    sessions = Sessions(store.pool)
    secret, _ = await sessions.open("li.wei", "link", "Firefox")
    _, other = await sessions.open("li.wei", "link", "Chromium")
    headers = {"Cookie": f"{COOKIE}={secret}", **said}
    answer = await api.client.delete(f"/v1/me/sessions/{other.id}", headers=headers)
    assert answer.status_code == status, answer.text
    listed = (await api.client.get("/v1/me/sessions", headers=headers)).json()["items"]
    assert len(listed) == (1 if status == 204 else 2)
    assert [item["device"] for item in listed if item["current"]] == ["Firefox"]


async def test_a_foreign_page_cannot_do_anything_with_a_token_it_does_not_have(api: Api) -> None:
    token = await make(api, scopes=["read", "act"])
    headers = bearer(token) | {"sec-fetch-site": "cross-site"}
    answer = await api.client.post("/v1/projects", json={}, headers=headers)
    assert answer.json()["code"] == "Malformed", "a script of the caller's own may run anywhere"
