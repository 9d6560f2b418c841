"""Sending events to webhooks: signed, to a checked address, never following where it points to."""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
from standardwebhooks import Webhook

from activities.cloud import MEDIA_TYPE
from activities.endpoints import Answer, Parcel
from notifications.addresses import AddressRefused, NotResolved, Target, resolved

KEPT_BYTES = 1000
"""So much of an answer's body is read and kept."""
CONNECT_SECONDS = 5.0
FAILURES = (AddressRefused, NotResolved, httpx2.HTTPError, OSError)
"""What the other side, or the way to it, can do to us; a timeout is an OSError."""
MOST_ADDRESSES = 3
"""So many addresses of one name are tried."""


class WebhookSender:
    """Satisfies `activities.endpoints.Sender`. Keeps no connection open."""

    def __init__(self, *, seconds: float = 15.0, private: bool = False, agent: str = "tandem") -> None:
        self._seconds = seconds
        self._private = private
        self._agent = agent
        # A connection is never used for a second name: its certificate was checked for the first one.
        transport = httpx2.AsyncHTTPTransport(
            verify=ssl.create_default_context(),
            trust_env=False,
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=0),
        )
        patience = httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
        self._client = httpx2.AsyncClient(transport=transport, timeout=patience, trust_env=False)

    async def send(self, url: str, parcel: Parcel, secrets: Sequence[str]) -> Answer:
        """Never raises for what the other side does, or for an address that must not be asked."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._sent(await resolved(url, private=self._private), parcel, secrets, began)
        except FAILURES as failed:
            return self._unanswered(failed, time.perf_counter() - began)

    def _unanswered(self, failed: Exception, seconds: float) -> Answer:
        match failed:
            case AddressRefused() | NotResolved():
                return Answer(None, seconds, problem=str(failed), reached=False)
            case httpx2.ConnectError() | httpx2.ConnectTimeout() | ssl.SSLError():
                problem = f"no connection: {str(failed)[:200] or type(failed).__name__}"
                return Answer(None, seconds, problem=problem, reached=False)
            case TimeoutError() | httpx2.TimeoutException():
                return Answer(None, seconds, problem=f"no answer within {self._seconds:g} seconds")
            case _:
                return Answer(None, seconds, problem=f"{type(failed).__name__}: {str(failed)[:200]}")

    async def _sent(self, target: Target, parcel: Parcel, secrets: Sequence[str], began: float) -> Answer:
        """By the first address that can be connected to. Raises what httpx2 raises, and TimeoutError."""
        *others, last = target.addresses[:MOST_ADDRESSES]
        for address in others:
            try:
                return await self._asked(target.url, address, parcel, secrets, began)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._asked(target.url, last, parcel, secrets, began)

    async def _asked(
        self, url: httpx2.URL, address: str, parcel: Parcel, secrets: Sequence[str], began: float
    ) -> Answer:
        headers = {"Host": url.netloc.decode(), "User-Agent": self._agent, **signed(parcel, secrets)}
        named, target = {"sni_hostname": url.host}, url.copy_with(host=address)
        asked = self._client.build_request("POST", target, content=parcel.body, headers=headers, extensions=named)
        async with _answered(await self._client.send(asked, stream=True)) as response:
            return await _answer(response, began)


@asynccontextmanager
async def _answered(response: httpx2.Response) -> AsyncIterator[httpx2.Response]:
    """The connection is given back, however the answer ends."""
    try:
        yield response
    finally:
        await response.aclose()


async def _answer(response: httpx2.Response, began: float) -> Answer:
    text, seconds = await _beginning(response), time.perf_counter() - began
    problem = "redirects are not followed" if response.is_redirect else ""
    wish = _seconds(response.headers.get("retry-after", "").strip())
    return Answer(response.status_code, seconds, text, problem, wish)


def signed(parcel: Parcel, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of Standard Webhooks, as of now: every live secret signs."""
    identity, text, at = str(parcel.event_id), parcel.body.decode(), datetime.now(UTC)
    return {
        "Content-Type": MEDIA_TYPE,
        "Accept-Encoding": "identity",
        "webhook-id": identity,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(identity, at, text) for secret in secrets),
    }


async def _beginning(response: httpx2.Response) -> str:
    """As much of the body as is kept; the rest is not read. An answer that breaks off has still come."""
    read = b""
    with suppress(httpx2.HTTPError):
        async for chunk in response.aiter_raw():
            if len(read := read + chunk) >= KEPT_BYTES:
                break
    return read[:KEPT_BYTES].decode("utf-8", "replace")


def _seconds(retry_after: str) -> float | None:
    """Retry-After in seconds, whether it names a number or a date; None where it says nothing readable."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
