"""Signing in through an OpenID provider: authorization code flow with PKCE.

Everything that a journey needs follows from one secret in the browser's cookie, so another browser cannot finish it,
and nothing that is stored here can either. Source: docs/governance.md, A1 and A5.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError

from auth.discovery import Discovery, Key, ProviderTrouble, Registration
from domain.directory.record import OrganisationRole

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Signatures with a key pair alone: `none` is no signature, and an HMAC could be made with the public key."""
LEEWAY = timedelta(seconds=60)
"""How far the provider's clock and ours may be apart."""
OLDEST = timedelta(minutes=10)
"""An ID token that was issued earlier is none of this journey's."""
LONGEST_TOKEN = 64 * 1024
MOST_GROUPS = 2000
PERSON = re.compile(r"[a-z][a-z0-9._-]{0,63}")
_ERROR = re.compile(r"[a-z_]{1,60}")


@dataclass(frozen=True, slots=True)
class Terms:
    """What an operator has agreed with a provider."""

    issuer: str
    client: Registration
    redirect: str
    """Where the provider sends people back to, registered there."""
    name: str = "OpenID"
    person_claim: str = "preferred_username"
    groups_claim: str = "groups"
    domains: frozenset[str] = frozenset()
    """Whose addresses are people here, in lower case: a guest's address must not pass for a colleague's name."""
    scopes: str = "openid profile email"
    roles: Mapping[str, OrganisationRole] = field(default_factory=dict)
    """By group, in lower case."""
    join: bool = False
    """Whether people whom nobody has added are added when they come."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the provider says of whoever came back."""

    subject: str
    """Its own name for the person, which never changes."""
    called: str
    """What it calls the person; not checked."""
    groups: frozenset[str]
    """In lower case."""
    proved_at: datetime | None
    """When the person proved to be there; None where it does not say."""


class OpenIdProvider:
    """One provider, asked over HTTP. Satisfied by whatever speaks OpenID Connect Core 1.0 with discovery."""

    def __init__(self, terms: Terms, discovery: Discovery | None = None) -> None:
        self.terms = terms
        self._discovery = discovery or Discovery(terms.issuer, terms.client)

    async def begin(self, secret: str, *, anew: bool = False) -> str:
        """Where to send the browser that has the secret; `anew`: to sign in again, whoever is signed in there.

        Raises ProviderTrouble.
        """
        where = (await self._discovery.endpoints()).authorization
        asked = {
            "response_type": "code",
            "client_id": self.terms.client.id,
            "redirect_uri": self.terms.redirect,
            "scope": self.terms.scopes,
            "state": derived(secret, "state"),
            "nonce": derived(secret, "nonce"),
            "code_challenge": create_s256_code_challenge(derived(secret, "verifier")),
            "code_challenge_method": "S256",
            **({"prompt": "login", "max_age": "0"} if anew else {}),
        }
        return f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}"

    async def finish(self, secret: str, told: Mapping[str, str], proved_after: datetime | None = None) -> Proof:
        """Who has come back, from the parameters of the address; `proved_after`: who has signed in since then.

        Raises ProviderTrouble.
        """
        check_state(secret, told)
        where = await self._discovery.endpoints()
        if told.get("iss", None if where.names_itself else self.terms.issuer) != self.terms.issuer:
            raise ProviderTrouble("ProviderMixedUp", "the answer names another issuer, or none")
        if "error" in told:
            word = told["error"] if _ERROR.fullmatch(told["error"]) else "unreadable"
            raise ProviderTrouble("ProviderRefused", f"the provider said {word}")
        if not told.get("code"):
            raise ProviderTrouble("HandshakeLost", "the answer has no code")
        tokens = await self._discovery.tokens(
            {
                "grant_type": "authorization_code",
                "code": told["code"],
                "redirect_uri": self.terms.redirect,
                "code_verifier": derived(secret, "verifier"),
            }
        )
        claims = await self._claims(str(tokens.get("id_token", "")))
        check_claims(claims, self.terms, derived(secret, "nonce"), datetime.now(UTC))
        return _proof(claims, self.terms, proved_after)

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a token that one of the provider's keys has signed; it may have changed them just now."""
        if len(token) > LONGEST_TOKEN:
            raise ProviderTrouble("TokenRefused", "the ID token is too long")
        found = decoded(token, await self._discovery.keys())
        if found is None:
            found = decoded(token, await self._discovery.keys(again=True))
        if found is None:
            raise ProviderTrouble("TokenRefused", "no key of the provider's has signed the ID token")
        return found


def derived(secret: str, what: str) -> str:
    """`state`, `nonce` or `verifier` of the journey whose browser has the secret."""
    made = hmac.digest(secret.encode(), f"tandem sign-in v1 {what}".encode(), sha256)
    return urlsafe_b64encode(made).decode().rstrip("=")


def check_state(secret: str, told: Mapping[str, str]) -> None:
    """Raises ProviderTrouble where the answer is not to this browser's question."""
    if not hmac.compare_digest(told.get("state", "").encode(), derived(secret, "state").encode()):
        raise ProviderTrouble("HandshakeLost", "the state is not this browser's")


def decoded(token: str, keys: Sequence[Key]) -> Mapping[str, Any] | None:
    """The claims; None where none of the keys has signed them in a way that is allowed."""
    for key in keys:
        try:
            return dict(jwt.decode(token, key, algorithms=ALGORITHMS).claims)
        except (JoseError, ValueError, TypeError):
            continue
    return None


def check_claims(claims: Mapping[str, Any], terms: Terms, nonce: str, now: datetime) -> None:
    """Raises ProviderTrouble where the token is another's, for another, of another journey, or of another time."""
    audience = claims.get("aud")
    meant = [audience] if isinstance(audience, str) else audience
    issued, expires = _instant(claims.get("iat")), _instant(claims.get("exp"))
    checks = {
        "iss": claims.get("iss") == terms.issuer,
        "aud": isinstance(meant, list) and terms.client.id in meant,
        "azp": claims.get("azp", terms.client.id if meant == [terms.client.id] else None) == terms.client.id,
        "exp": expires is not None and now - LEEWAY < expires,
        "iat": issued is not None and now - OLDEST < issued < now + LEEWAY,
        "nonce": hmac.compare_digest(str(claims.get("nonce", "")).encode("utf-8", "replace"), nonce.encode()),
        "sub": isinstance(claims.get("sub"), str) and 0 < len(claims["sub"]) <= 255 and "\0" not in claims["sub"],
    }
    if wrong := [name for name, good in checks.items() if not good]:
        raise ProviderTrouble("TokenRefused", f"the ID token is not good: {', '.join(wrong)}")


def person_of(called: str, domains: Collection[str] = ()) -> str:
    """`Li.Wei@example.com` → `li.wei`, of these domains alone. Raises ProviderTrouble where that is no name."""
    person, at, domain = called.lower().rpartition("@") if "@" in called else (called.lower(), "", "")
    if at and domain not in domains:
        raise ProviderTrouble("NameUnfit", f"{domain[:100]!r} is none of the domains whose addresses are people here")
    if not PERSON.fullmatch(person):
        raise ProviderTrouble("NameUnfit", "the person's claim is missing or is no name here")
    return person


def _proof(claims: Mapping[str, Any], terms: Terms, proved_after: datetime | None) -> Proof:
    proved_at = _instant(claims.get("auth_time"))
    if proved_after is not None and (proved_at is None or proved_at < proved_after - LEEWAY):
        raise ProviderTrouble("NotAnew", "the provider did not ask the person to sign in again")
    called, groups = claims.get(terms.person_claim), claims.get(terms.groups_claim)
    if terms.person_claim == "email" and claims.get("email_verified") is False:
        raise ProviderTrouble("NameUnfit", "the provider has not verified the address")
    listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    named = frozenset(one.lower() for one in listed[:MOST_GROUPS] if isinstance(one, str))
    return Proof(claims["sub"], called if isinstance(called, str) else "", named, proved_at)


def _instant(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
