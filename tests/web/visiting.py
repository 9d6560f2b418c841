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
    several: list[tuple[str, str]] = field(default_factory=list)
    """What is sent under a name that was used before: ticked boxes."""

    def take(self, name: str, value: str) -> None:
        """Send the value, too."""
        if name in self.fields:
            self.several.append((name, value))
        else:
            self.fields[name] = value

    def typed(self) -> dict[str, list[str]]:
        """As a server reads it."""
        found = {name: [value] for name, value in self.fields.items()}
        for name, value in self.several:
            found[name].append(value)
        return found


class Reader(HTMLParser):
    """The links and forms of a page; of buttons only those are pressed that have no name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._inside: tuple[str, str] | None = None
        """The name of the text area or list that is being read, and what it holds so far."""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "a":
            self.links.append(given["href"])
        elif tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif tag in {"textarea", "select"} and name:
            self._inside = (name, "")
        elif tag == "option" and self._inside and "selected" in given:
            self._inside = (self._inside[0], value)
        elif tag == "input" and name and (given.get("type") not in {"radio", "checkbox"} or "checked" in given):
            self.forms[-1].take(name, value)

    def handle_data(self, text: str) -> None:
        if self._inside and self.lasttag == "textarea":
            self._inside = (self._inside[0], self._inside[1] + text)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"textarea", "select"} and self._inside:
            self.forms[-1].take(self._inside[0], self._inside[1].removeprefix("\n"))
            self._inside = None


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
        sent = [*(form.fields | fields).items(), *form.several]
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await self.client.post(form.action or path, content=urlencode(sent), headers=headers)
