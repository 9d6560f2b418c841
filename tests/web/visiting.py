"""A client that behaves as a browser without scripts: follows links, fills in forms, keeps cookies."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

import httpx2


@dataclass
class Form:
    """A form of a page, with what it would send untouched."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Reader(HTMLParser):
    """The links and forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(given["href"])
        elif tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif tag in {"input", "textarea", "select", "button"} and given.get("name"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")


@dataclass
class Visitor:
    """Whoever looks at pages."""

    client: httpx2.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.client.get(path, headers=headers)

    async def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> httpx2.Response:
        sent = {"content-type": "application/x-www-form-urlencoded", **headers}
        return await self.client.post(path, content=urlencode(fields or {}), headers=sent)

    async def submit(self, path: str, form: Form, **fields: str) -> httpx2.Response:
        """Send a form of the page at `path`."""
        return await self.post(form.action or path, form.fields | fields)
