"""Everything that can be asked of the API, asked by somebody who must learn nothing of one project."""

import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import quote
from zipfile import ZipFile, is_zipfile

import httpx2

from tests.api.asking import Api
from tests.api.hiding import Hidden

ENDLESS = "text/event-stream"
NOISE = {"x-request-id", "content-length", "retry-after"}
PROBLEM = "application/problem+json"
COSTLY = {"application/pdf", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
"""Forms that take long to make: asked for last, and not of everything."""


@dataclass
class Walk:
    """One walk through the contract; `leaks` says where something was told."""

    api: Api
    document: dict[str, Any]
    hidden: Hidden
    asked: int = 0
    leaks: list[str] = field(default_factory=list)

    async def lists(self, who: str, *, costly: bool = True) -> None:
        """Every GET that needs no parameter, in every form."""
        for path, operation in self._operations("get"):
            if "{" not in path:
                for media in forms(operation):
                    if costly or media not in COSTLY:
                        await self._ask(who, "GET", path, media)

    async def looks(self, who: str) -> None:
        """Every GET with what fits the hidden project, and with what fits none: the same answers."""
        for path, operation in self._operations("get"):
            for one, other in self._addresses(path, operation):
                for media in forms(operation)[:2]:
                    pair = [await self._ask(who, "GET", address, media) for address in (one, other)]
                    self._compare(who, one, *pair)

    async def commands(self, who: str, variants: dict[str, dict[str, Any]], only: str = "") -> None:
        """Every POST below the project, in every variant, there and nowhere: the same answers."""
        for path, operation in self._operations("post"):
            if not path.startswith(f"/v1/projects/{{id}}/{only}"):
                continue
            example = operation["requestBody"]["content"]["application/json"].get("example", {})
            for name, variant in variants.items():
                asked = {"json": example} | {key: value for key, value in variant.items() if key != "query"}
                addresses = [path.replace("{id}", one) for one in (self.hidden.id, self.hidden.absent)]
                query = variant.get("query", "")
                pair = [await self._ask(who, "POST", address + query, None, **asked) for address in addresses]
                self._compare(who, f"{name} {path}", *pair)

    def _operations(self, method: str) -> Iterator[tuple[str, dict[str, Any]]]:
        return ((path, found[method]) for path, found in self.document["paths"].items() if method in found)

    def _addresses(self, path: str, operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """The path with parameters of its own, and each query parameter by itself, as pairs."""
        known = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
        named = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"]
        choices = [[(name, pair) for pair in self.hidden.values(name)] for name in named]
        for chosen in product(*choices):
            one = other = path
            for name, (mine, nobodys) in chosen:
                one, other = one.replace(f"{{{name}}}", mine), other.replace(f"{{{name}}}", nobodys)
            required = "?from=1" if path.endswith("/diff") else ""
            if named:
                yield one + required, other + required
            for name in known:
                for mine, nobodys in self.hidden.values(name):
                    yield f"{one}?{name}={quote(mine)}", f"{other}?{name}={quote(nobodys)}"

    async def _ask(self, who: str, method: str, address: str, media: str | None, **rest: Any) -> httpx2.Response:
        headers = rest.pop("headers", {}) | ({"Accept": media} if media else {})
        ask = self.api.get if method == "GET" else self.api.post
        if "json" in rest:
            rest["data"] = rest.pop("json")
        answer = await ask(address, who=who, headers=headers, **rest)
        self.asked += 1
        if answer.status_code >= 500:
            self.leaks.append(f"{who} {method} {address}: {answer.status_code}")
        told, asked = told_by(answer), f"{address} {rest} {headers}"
        for mark in self.hidden.marks:
            if mark.encode() in told and mark not in asked:
                self.leaks.append(f"{who} {method} {address} as {media}: {mark}")
        return answer

    def _compare(self, who: str, where: str, one: httpx2.Response, other: httpx2.Response) -> None:
        pairs = zip(self._plain(one), self._plain(other), strict=True)
        for first, second in ((first, second) for first, second in pairs if first != second):
            self.leaks.append(f"{who} {where}: {str(first)[:500]} is not {str(second)[:500]}")

    def _plain(self, answer: httpx2.Response) -> tuple[int, list[tuple[str, str]], bytes]:
        """What is told, without what was said by whoever asked and what is new with every request."""
        content = told_by(answer) if answer.headers["content-type"] != "application/pdf" else b""
        request_id = answer.headers["x-request-id"]
        for said in {part for name in NAMED for pair in self.hidden.values(name) for part in pair} | {request_id}:
            content = content.replace(said.encode(), b"*")
        headers = [(name, value) for name, value in answer.headers.items() if name not in NOISE]
        return answer.status_code, sorted(headers), content


OF_THE_LOG = {"/v1/audit/reads", "/v1/audit/checkpoints"}
"""Lists that grow with every look, and with the whole log."""
NAMED = ("id", "project", "person", "event_id", "correlation", "command_id", "request", "text")


def forms(operation: dict[str, Any]) -> list[str]:
    """The media types in which an operation answers that ends."""
    answers = operation["responses"].get("200", {}).get("content", {"application/json": {}})
    return sorted((media for media in answers if media not in {ENDLESS, PROBLEM}), key=COSTLY.__contains__)


def told_by(answer: httpx2.Response) -> bytes:
    """Everything in an answer, headers too, files in files unpacked."""
    content = answer.content
    if is_zipfile(io.BytesIO(content)):
        with ZipFile(io.BytesIO(content)) as packed:
            content = b"\n".join(packed.read(name) for name in packed.namelist())
    return content


async def counted(walk: Walk, who: str) -> dict[str, int]:
    """How many items each list has, by its path."""
    found = {}
    async for path, answer in _json(walk, who):
        if isinstance(answer.get("items"), list) and path not in OF_THE_LOG:
            found[path] = len(answer["items"])
    return found


async def _json(walk: Walk, who: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    for path, operation in walk._operations("get"):
        if "{" not in path and "application/json" in forms(operation):
            answer = await walk.api.get(path, who)
            if answer.status_code == 200 and answer.headers["content-type"] == "application/json":
                yield path, answer.json()
