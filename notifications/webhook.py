"""Sending events to webhooks: signed, to a checked address, never following where it points to."""

import asyncio
import ssl
import time
from collections.abc import Sequence
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

        def unanswered(problem: str, *, reached: bool) -> Answer:
            return Answer(None, time.perf_counter() - began, problem=problem, reached=reached)

        try:
            async with asyncio.timeout(self._seconds):
                return await self._sent(await resolved(url, private=self._private), parcel, secrets, began)
        except (AddressRefused, NotResolved) as refused:
            return unanswered(str(refused), reached=False)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, ssl.SSLError) as failed:
            return unanswered(f"no connection: {str(failed)[:200] or type(failed).__name__}", reached=False)
        except (TimeoutError, httpx2.TimeoutException):
            return unanswered(f"no answer within {self._seconds:g} seconds", reached=True)
        except (httpx2.HTTPError, OSError) as failed:
            return unanswered(f"{type(failed).__name__}: {str(failed)[:200]}", reached=True)

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
        headers = {"Host": url.netloc.decode(), "User-Agent": self._agent, **signed(parcel, secrets, datetime.now(UTC))}
        asked = self._client.build_request(
            "POST",
            url.copy_with(host=address),
            content=parcel.body,
            headers=headers,
            extensions={"sni_hostname": url.host},
        )
        response = await self._client.send(asked, stream=True)
        try:
            text = await _beginning(response)
        finally:
            await response.aclose()
        problem = "redirects are not followed" if response.is_redirect else ""
        return Answer(
            response.status_code,
            time.perf_counter() - began,
            text,
            problem,
            _seconds(response.headers.get("retry-after", "")),
        )


def signed(parcel: Parcel, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks: every live secret signs."""
    identity, text = str(parcel.event_id), parcel.body.decode()
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
    try:
        async for chunk in response.aiter_raw():
            read += chunk
            if len(read) >= KEPT_BYTES:
                break
    except (httpx2.HTTPError, TimeoutError):
        pass
    return read[:KEPT_BYTES].decode("utf-8", "replace")


def _seconds(retry_after: str) -> float | None:
    """Retry-After in seconds, whether it names a number or a date; None where it says nothing readable."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
