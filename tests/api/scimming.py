"""An identity provider as tests play it: the requests that Okta and Entra ID send, word for word where it matters."""

from dataclasses import dataclass
from typing import Any

import httpx2

from api.scim_errors import ERROR, MEDIA_TYPE
from api.scim_reading import GROUP, PATCH, USER
from tests.api.asking import named

PROVIDER = "provider.scim"


@dataclass
class Scim:
    """SCIM, asked as the provider unless said otherwise."""

    client: httpx2.AsyncClient

    async def ask(self, method: str, path: str, data: Any = None, who: str | None = PROVIDER, **rest: Any) -> Any:
        headers = named(who) | {"Content-Type": MEDIA_TYPE} | rest.pop("headers", {})
        content = rest.pop("content", None)
        body = {"content": content} if content is not None else {"json": data} if data is not None else {}
        return await self.client.request(method, f"/scim/v2{path}", headers=headers, **body, **rest)

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        """What must be there."""
        return done(await self.ask("GET", path, params=query))

    async def found(self, path: str, condition: str) -> list[dict[str, Any]]:
        """What a filter finds."""
        listed = await self.get(path, filter=condition)
        assert listed["totalResults"] == len(listed["Resources"])
        return list(listed["Resources"])

    async def user(self, user_name: str, **more: Any) -> dict[str, Any]:
        """A new person."""
        body = {"schemas": [USER], "userName": user_name, "active": True, **more}
        return done(await self.ask("POST", "/Users", body), 201)

    async def group(self, title: str, *members: str, **more: Any) -> dict[str, Any]:
        """A new group."""
        people = [{"value": member} for member in members]
        body = {"schemas": [GROUP], "displayName": title, "members": people, **more}
        return done(await self.ask("POST", "/Groups", body), 201)

    async def patch(self, path: str, *operations: dict[str, Any]) -> dict[str, Any]:
        """The resource after these operations."""
        return done(await self.ask("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}))


def at(person: str) -> str:
    """Where a person is."""
    return f"/Users/{person}"


def done(answer: httpx2.Response, status: int = 200) -> dict[str, Any]:
    """The JSON of a good answer, checked for its form."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    assert answer.headers["content-type"] == MEDIA_TYPE
    shown: dict[str, Any] = answer.json()
    assert shown["schemas"]
    if "meta" in shown and "version" in shown["meta"]:
        assert answer.headers["etag"] == shown["meta"]["version"]
    return shown


def refused(answer: httpx2.Response, status: int, scim_type: str | None = None) -> str:
    """The detail of an error, checked for its form."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    assert answer.headers["content-type"] == MEDIA_TYPE
    shown = answer.json()
    assert shown["schemas"] == [ERROR]
    assert shown["status"] == str(status)
    assert shown.get("scimType") == scim_type, shown
    assert shown["detail"]
    return str(shown["detail"])
