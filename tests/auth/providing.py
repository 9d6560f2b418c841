"""Starting the provider of tests/auth/provider.py, and a browser's way through it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx2
import pytest

from dev import ports
from tests.auth.provider import PASSWORD

ROOT = Path(__file__).parents[2]


class Provider:
    """The provider as people's browsers and this test see it."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def told(self, **different: Any) -> None:
        """From now on it does this differently, and everything else well."""
        httpx2.post(f"{self.issuer}/control", json=different).raise_for_status()

    async def through(self, url: str, name: str, browser: httpx2.AsyncClient | None = None) -> str:
        """Sign in there, where it asks: the address to which it sends the browser back."""
        async with httpx2.AsyncClient(cookies=browser.cookies if browser else None) as client:
            asked = await client.get(url)
            if asked.status_code == 200:
                hidden = unescape(asked.text.partition('name="asked" value="')[2].partition('"')[0])
                sent = urlencode({"asked": hidden, "name": name, "password": PASSWORD})
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
                asked = await client.post(urljoin(url, "/login"), content=sent, headers=headers)
            assert asked.status_code == 303, asked.text
            if browser:
                browser.cookies.update(client.cookies)
            return asked.headers["location"]


@contextmanager
def running() -> Iterator[Provider]:
    """The process, until the end."""
    issuer = f"http://127.0.0.1:{(port := ports.any_port())}"
    process = Popen([sys.executable, "-m", "tests.auth.provider", str(port)], cwd=ROOT)
    try:
        until = time.monotonic() + 60
        while not _answers(issuer):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield Provider(issuer)
    finally:
        process.terminate()
        process.wait(10)


def _answers(issuer: str) -> bool:
    try:
        return httpx2.get(f"{issuer}/keys").status_code == 200
    except httpx2.HTTPError:
        return False


@pytest.fixture(scope="session")
def process() -> Iterator[Provider]:
    """One process for every test that needs it."""
    with running() as found:
        yield found


@pytest.fixture
def provider(process: Provider) -> Provider:
    """The provider, as good as new."""
    process.told()
    return process


def parameters(url: str) -> dict[str, str]:
    """What the address says after its question mark."""
    return dict(parse_qsl(urlsplit(url).query))
