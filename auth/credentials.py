"""Who asks, by what they bring: a token in a header, or a browser's session in a cookie."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from http.cookies import CookieError, SimpleCookie

from auth.development import DevelopmentAuthenticator
from auth.identity import EVERY_SCOPE, Authenticator, Identity, Unauthenticated
from auth.secret import digest
from auth.sessions import Sessions
from auth.tokens import PREFIXES, Tokens

COOKIE = "tandem_session"
FRESH_SECONDS = 5.0
"""How long an answer is believed: what is ended elsewhere ends here that much later."""
REMEMBERED = 10_000
LONGEST = 200
_Ask = Callable[[str], Awaitable[Identity]]


class Credentials:
    """Knows tokens and sessions; what it does not know it leaves to `others`, such as the development names."""

    def __init__(self, tokens: Tokens, sessions: Sessions, others: Authenticator | None = None) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._others = others
        self._known: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    async def authenticate(self, headers: Mapping[str, str]) -> Identity:
        """Raises Unauthenticated, and StoreUnavailable where the database cannot be asked."""
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        secret = secret.strip()
        if scheme.lower() == "bearer" and secret.startswith(tuple(PREFIXES.values())):
            return await self._remembered(secret, self._by_token)
        if scheme:
            return await self._elsewhere(headers)
        if cookie := session_cookie(headers):
            return await self._remembered(cookie, self._by_session)
        return await self._elsewhere(headers)

    def forget(self) -> None:
        """Ask the database again for everybody: something was ended."""
        self._known.clear()

    async def _elsewhere(self, headers: Mapping[str, str]) -> Identity:
        if self._others is None:
            raise Unauthenticated("Sign in, or send Authorization: Bearer with a token of yours.")
        return await self._others.authenticate(headers)

    async def _remembered(self, secret: str, ask: _Ask) -> Identity:
        if len(secret) > LONGEST:
            raise Unauthenticated("This is no credential of this installation.")
        mark, now = digest(secret), time.monotonic()
        known = self._known.get(mark)
        if known is not None and known[0] > now:
            return known[1]
        identity = await ask(secret)
        self._known[mark] = (now + FRESH_SECONDS, identity)
        self._known.move_to_end(mark)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return identity

    async def _by_token(self, secret: str) -> Identity:
        token = await self._tokens.find(secret)
        if token is None:
            raise Unauthenticated("This token is not known, has expired or was ended.")
        scopes = frozenset(token.scopes)
        return Identity(token.principal, client=f"token:{token.kind}", scopes=scopes, in_person=False)

    async def _by_session(self, secret: str) -> Identity:
        session = await self._sessions.find(secret)
        if session is None:
            raise Unauthenticated("The session has ended: sign in again.")
        return Identity(
            session.person,
            client="web",
            scopes=EVERY_SCOPE,
            session=session.id,
            confirmed_at=session.confirmed_at,
            ambient=True,
        )


def trusts_names(authenticator: Authenticator) -> bool:
    """Whether it takes names on trust, as on a development machine."""
    known = authenticator._others if isinstance(authenticator, Credentials) else authenticator
    return isinstance(known, DevelopmentAuthenticator)


def session_cookie(headers: Mapping[str, str]) -> str | None:
    """The secret of the session in the headers, if there is one."""
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return jar[COOKIE].value if COOKIE in jar else None
