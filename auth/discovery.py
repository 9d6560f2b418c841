"""What an OpenID provider says of itself and with which keys it signs: asked of the configured issuer alone."""

import asyncio
import base64
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

SECONDS = 8.0
"""How long one question to the provider may take."""
MOST_BYTES = 256 * 1024
FRESH_SECONDS = 3600.0
MOST_KEYS = 50
KINDS = ("RSA", "EC", "OKP")
Key = RSAKey | ECKey | OKPKey
"""What can only be checked with it, never signed: a shared secret is no key of a provider."""


class ProviderTrouble(Exception):
    """Nobody is signed in. `code` says why in one word, `detail` is for the log: it holds no secret and no text of
    the provider's.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the provider is asked what."""

    authorization: str
    token: str
    keys: str
    secret_in_form: bool
    """Whether the client's secret goes into the form: some know no other way."""
    names_itself: bool
    """Whether it says in every answer who it is (RFC 9207)."""


@dataclass(frozen=True, slots=True)
class Registration:
    """How the provider knows us."""

    id: str
    secret: str = ""


class Discovery:
    """Asks the issuer, and remembers its answers for an hour."""

    def __init__(self, issuer: str, client: Registration, seconds: float = SECONDS) -> None:
        self.issuer = issuer
        self._client = client
        self._seconds = seconds
        self._endpoints: tuple[float, Endpoints] | None = None
        self._keys: tuple[float, Sequence[Key]] | None = None

    async def endpoints(self) -> Endpoints:
        """Raises ProviderTrouble."""
        if self._endpoints is None or self._endpoints[0] < time.monotonic():
            found = await self._asked("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            self._endpoints = (time.monotonic() + FRESH_SECONDS, self._read(found))
        return self._endpoints[1]

    async def keys(self, *, again: bool = False) -> Sequence[Key]:
        """Its public keys; `again`: it may have changed them. Raises ProviderTrouble."""
        if again or self._keys is None or self._keys[0] < time.monotonic():
            found = await self._asked("GET", (await self.endpoints()).keys)
            self._keys = (time.monotonic() + FRESH_SECONDS, public_keys(found))
        return self._keys[1]

    async def tokens(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        """What a code is exchanged for. Raises ProviderTrouble."""
        where, sent, headers = await self.endpoints(), dict(form), dict[str, str]()
        if not self._client.secret or where.secret_in_form:
            sent |= {"client_id": self._client.id}
            sent |= {"client_secret": self._client.secret} if self._client.secret else {}
        else:
            named = f"{quote(self._client.id, safe='')}:{quote(self._client.secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(named.encode()).decode()}"
        return await self._asked("POST", where.token, sent, headers)

    def _read(self, found: Mapping[str, Any]) -> Endpoints:
        """Raises ProviderTrouble where it is another issuer's, or leads to another place."""
        if found.get("issuer") != self.issuer:
            raise ProviderTrouble("ProviderMixedUp", "the provider says that it is another issuer")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if not all(_origin(found.get(name)) == _origin(self.issuer) for name in names):
            raise ProviderTrouble("ProviderMixedUp", "the provider's addresses are not the issuer's")
        ways = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        in_form = "client_secret_basic" not in ways and "client_secret_post" in ways
        named = found.get("authorization_response_iss_parameter_supported") is True
        authorization, token, keys = (str(found[name]) for name in names)
        return Endpoints(authorization, token, keys, secret_in_form=in_form, names_itself=named)

    async def _asked(
        self, method: str, url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(self._seconds):
                status, read = await self._exchanged(method, url, form, headers or {})
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failed:
            raise ProviderTrouble("ProviderAway", f"{type(failed).__name__} at {urlsplit(url).path}") from None
        if status >= 500 or status == 429:
            raise ProviderTrouble("ProviderAway", f"status {status} at {urlsplit(url).path}")
        if status != 200:
            raise ProviderTrouble("ProviderRefused", f"status {status} at {urlsplit(url).path}")
        return read_object(read)

    async def _exchanged(
        self, method: str, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Status and body; no redirect is followed. Raises ProviderTrouble where there is no end to it."""
        told = {"Accept": "application/json", **headers}
        client = httpx2.AsyncClient(verify=_trusted(), timeout=self._seconds, trust_env=False, follow_redirects=False)
        async with client, client.stream(method, url, data=form, headers=told) as answer:
            read = b""
            async for chunk in answer.aiter_bytes():
                read += chunk
                if len(read) > MOST_BYTES:
                    raise ProviderTrouble("ProviderAway", "the provider's answer is too long")
            return answer.status_code, read


def public_keys(found: Mapping[str, Any]) -> Sequence[Key]:
    """The keys that signatures can be checked with; what is of another kind is passed over."""
    listed = found.get("keys")
    keys: list[Key] = []
    for one in listed[:MOST_KEYS] if isinstance(listed, list) else ():
        if not isinstance(one, dict) or one.get("kty") not in KINDS or one.get("use", "sig") != "sig":
            continue
        try:
            key = JWKRegistry.import_key(one)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        assert isinstance(key, Key)
        keys.append(key)
    return keys


def read_object(read: bytes) -> Mapping[str, Any]:
    """Raises ProviderTrouble where it is no JSON object."""
    try:
        found = orjson.loads(read)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ProviderTrouble("ProviderAway", "the provider's answer is no JSON object")
    return found


def _origin(url: object) -> tuple[str, str] | None:
    if not isinstance(url, str):
        return None
    try:
        return urlsplit(url).scheme, urlsplit(url).netloc.lower()
    except ValueError:
        return None


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()
