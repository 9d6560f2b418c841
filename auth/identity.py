"""The seam between credentials and the rest: whatever proves who somebody is gives an Identity."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Scope(StrEnum):
    """What a credential is good for; a person's own rights bound it further."""

    READ = "read"
    ACT = "act"
    """Commands on projects."""
    AUDIT = "audit"
    """Read and export the audit view."""
    ADMINISTER = "administer"
    """Accounts, directory, webhooks."""


EVERY_SCOPE = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, through which kind of client, and what that credential is good for."""

    principal: str
    """The stable name of a person or program, e.g. `li.wei`."""
    client: str = "api"
    scopes: frozenset[Scope] = EVERY_SCOPE
    session: UUID | None = None
    """The browser's session, where there is one."""
    confirmed_at: datetime | None = None
    """When the person last proved to be there; None for a credential that cannot tell."""
    in_person: bool = True
    """Whether it is the person, not a token that acts for them: a token makes no further tokens."""
    ambient: bool = False
    """Whether a browser sends the credential by itself: then it matters which page made it ask."""


class Unauthenticated(Exception):
    """The credentials are missing or worthless. `detail` is for the one who sent them."""

    def __init__(self, detail: str, challenge: str = 'Bearer realm="tandem"') -> None:
        super().__init__(detail)
        self.detail = detail
        self.challenge = challenge
        """For the header WWW-Authenticate."""


class Authenticator(Protocol):
    """Tells who asks from the headers of a request, their names in lower case."""

    async def authenticate(self, headers: Mapping[str, str]) -> Identity:
        """Raises Unauthenticated."""
        ...


class NobodyKnown:
    """Before the database was reached: everybody is a stranger."""

    async def authenticate(self, headers: Mapping[str, str]) -> Identity:
        """Always raises Unauthenticated."""
        raise Unauthenticated("Nobody can be known before the database was reached: try again.")


def bearer_token(headers: Mapping[str, str]) -> str:
    """The token of `Authorization: Bearer <token>`. Raises Unauthenticated where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send the header Authorization: Bearer <token>.")
    return token
