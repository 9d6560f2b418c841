"""How apprise's plugins reach the network: bounded in time and size, nowhere else than asked, and seen.

Apprise posts with `requests` and tells only whether it worked; WeCom and DingTalk say no with status 200, which it
takes for yes. So the few plugins that are used get what is here in the place of `requests`.
"""

import time
from contextvars import ContextVar
from typing import Any

import orjson
import requests

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 4.0, 10.0, 15.0
MOST_BYTES = 64 * 1024
"""Of an answer: more is not read."""
SAID_NO = ("errcode", "code", "StatusCode")
"""Where services say in an answer of status 200 that they did not take the message."""
FINAL = frozenset({400, 401, 403, 404, 405, 410})
"""The address leads nowhere, or is not ours to use: trying again is of no use."""
FINAL_CODES = frozenset({93000, 40035, 300001, 310000, 19001, 19002, 19021, 19024})
"""Wrong key, revoked robot, missing signature or key word: by the documentation of WeCom, DingTalk and Feishu."""


class Watched:
    """Stands for the module `requests`: the same calls, without redirects, within bounds; remembers the answer."""

    def __init__(self) -> None:
        self._answer: ContextVar[requests.Response | None] = ContextVar("answer", default=None)

    def __getattr__(self, name: str) -> Any:
        """Everything else is as it was: codes, exceptions."""
        return getattr(requests, name)

    def post(self, url: str, **asked: Any) -> requests.Response:
        """Raises requests.RequestException."""
        return self.request("POST", url, **asked)

    def get(self, url: str, **asked: Any) -> requests.Response:
        """Raises requests.RequestException."""
        return self.request("GET", url, **asked)

    def request(self, method: str, url: str, **asked: Any) -> requests.Response:
        """Raises requests.RequestException, also for an answer that does not end in time."""
        self._answer.set(None)
        bounds = {"timeout": (CONNECT_SECONDS, READ_SECONDS), "allow_redirects": False, "verify": True, "stream": True}
        with requests.Session() as session:
            # Proxies and passwords of the machine's environment are none of a person's chat address.
            session.trust_env = False
            answer = session.request(method, url, **(asked | bounds))
            answer._content = _read(answer)
        self._answer.set(answer)
        return answer

    def forget(self) -> None:
        """Before something is sent."""
        self._answer.set(None)

    @property
    def refusal(self) -> tuple[str, bool] | None:
        """What the service said, and whether that is final; None where it took the message."""
        answer = self._answer.get()
        if answer is None:
            return "the chat service did not answer", False
        if answer.status_code >= 300 or answer.status_code < 200:
            return f"the chat service says {answer.status_code}", answer.status_code in FINAL
        if code := _code(answer.content):
            return f"the chat service says no with code {code}", code in FINAL_CODES
        return None


def _read(answer: requests.Response) -> bytes:
    ends, body = time.monotonic() + WHOLE_SECONDS, b""
    for chunk in answer.iter_content(8192):
        body += chunk
        if time.monotonic() > ends:
            raise requests.Timeout("the answer does not end")
        if len(body) > MOST_BYTES:
            break
    return body[:MOST_BYTES]


def _code(body: bytes) -> int | None:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    codes = [said.get(name) for name in SAID_NO] if isinstance(said, dict) else []
    return next((code for code in codes if isinstance(code, int) and code), None)


WATCHED = Watched()


def watch(plugin: Any) -> None:
    """From now on the requests of the plugin's module are made here; tests post through each."""
    plugin.requests = WATCHED
