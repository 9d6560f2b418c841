"""How the command line asks the HTTP API, and how its answers become exit codes and words.

Only ever HTTP: the command line decides nothing and never speaks to Temporal or to the database.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import IO, Any
from urllib.parse import urlsplit

import httpx2

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Exit(IntEnum):
    """Exit codes: promises to scripts."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    CONFLICT = 5
    UNAVAILABLE = 6


_BY_STATUS = {
    400: Exit.USAGE,
    401: Exit.DENIED,
    403: Exit.DENIED,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    429: Exit.UNAVAILABLE,
    502: Exit.UNAVAILABLE,
    503: Exit.UNAVAILABLE,
    504: Exit.UNAVAILABLE,
}


class Unanswered(Exception):
    """No good answer: `code` for the shell, the words for the person, `problem` as the API sent it."""

    def __init__(self, code: Exit, words: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(words)
        self.code = code
        self.problem = problem or {"status": 0, "title": words}


@dataclass(frozen=True)
class Api:
    """The API at one address, as one person."""

    url: str
    token: str

    def get(self, path: str, **query: Any) -> Any:
        """The answer's JSON. Raises Unanswered."""
        wanted = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, params=wanted)

    def items(self, path: str, cursor: str, limit: int, **query: Any) -> Iterator[Any]:
        """Items of a list page by page, `limit` in all; `cursor` names the query that goes on. Raises Unanswered."""
        left = limit
        while left > 0:
            page = self.get(path, limit=min(left, 200), **query)
            yield from page["items"][:left]
            left -= len(page["items"])
            if not page.get("next") or not page["items"]:
                return
            query[cursor] = page["next"]

    def command(self, path: str, body: Mapping[str, Any], key: str | None, if_version: int | None) -> Any:
        """Send a command once; sending it again with the same key counts as the same. Raises Unanswered."""
        key = key or str(uuid.uuid4())
        headers = {"Idempotency-Key": key}
        if if_version is not None:
            headers["If-Match"] = f'"{if_version}"'
        try:
            return self._ask("POST", path, json=body, headers=headers)
        except Unanswered as failed:
            if failed.code is Exit.UNAVAILABLE:
                words = f"{failed}\nIt may have been done. Send it again with --key {key}: it counts once."
                raise Unanswered(failed.code, words, failed.problem) from None
            raise

    def upload(self, path: str, content: bytes, kind: str, **query: Any) -> Any:
        """Send a file as it is. Raises Unanswered."""
        return self._ask("POST", path, content=content, headers={"Content-Type": kind}, params=query)

    def download(self, path: str, file: IO[bytes], **query: Any) -> None:
        """Write what comes into a file, piece by piece. Raises Unanswered, also where it breaks off."""
        who = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        direct = urlsplit(self.url).hostname in LOOPBACK
        try:
            with (
                httpx2.Client(base_url=self.url, timeout=60, trust_env=not direct) as client,
                client.stream("GET", path, headers=who, params=query) as answer,
            ):
                if not answer.is_success:
                    answer.read()
                    raise _unanswered(answer, bool(self.token))
                for piece in answer.iter_bytes():
                    file.write(piece)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            words = f"{self.url} does not answer, or broke off ({error}). Is it running? Try: tandem doctor"
            raise Unanswered(Exit.UNAVAILABLE, words) from None

    def _ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **rest: Any) -> Any:
        who = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        direct = urlsplit(self.url).hostname in LOOPBACK
        try:
            with httpx2.Client(base_url=self.url, timeout=30, trust_env=not direct) as client:
                answer = client.request(method, path, headers={**who, **(headers or {})}, **rest)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            words = f"{self.url} does not answer ({error}). Is it running? Try: tandem doctor"
            raise Unanswered(Exit.UNAVAILABLE, words) from None
        if answer.is_success:
            return answer.json()
        raise _unanswered(answer, bool(self.token))


def _unanswered(answer: httpx2.Response, named: bool) -> Unanswered:
    try:
        problem = dict(answer.json())
    except ValueError:
        problem = {"status": answer.status_code, "title": f"HTTP {answer.status_code}", "detail": answer.text[:300]}
    code = _BY_STATUS.get(answer.status_code, Exit.FAILURE)
    if answer.status_code == 422 and problem.get("errors"):
        code = Exit.USAGE
    words = _problem_words(problem)
    if answer.status_code == 401 and not named:
        words += "\nSay who you are with TANDEM_TOKEN (on a laptop started by `tandem up`: dev:<person>)."
    return Unanswered(code, words, problem)


def _problem_words(problem: Mapping[str, Any]) -> str:
    rule = f" (rule {problem['rule']})" if problem.get("rule") else ""
    lines = [f"{problem.get('detail') or problem.get('title')}{rule}"]
    lines += [f"  {wrong.get('pointer', '')}: {wrong.get('message', '')}" for wrong in problem.get("errors") or ()]
    return "\n".join([*lines, *([problem["next_step"]] if problem.get("next_step") else [])])


def outline(value: Any, depth: int = 0) -> Iterator[str]:
    """Any JSON value as indented lines for reading; empty values are left out."""
    pad = "  " * depth
    pairs = value.items() if isinstance(value, dict) else (("-", item) for item in value)
    for name, item in pairs:
        label = name if name == "-" else f"{name}:"
        if isinstance(item, dict | list) and item:
            yield f"{pad}{label}"
            yield from outline(item, depth + 1)
        elif item not in (None, "", [], {}):
            yield f"{pad}{label} {item if isinstance(item, str) else json.dumps(item)}"


def table(rows: list[list[str]]) -> Iterator[str]:
    """Columns as wide as their widest cell."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
