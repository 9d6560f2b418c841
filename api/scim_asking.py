"""Who asks by SCIM, and how what the provider wants becomes a command on the directory."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import uuid4

from starlette.requests import Request

from api.parts import Parts, asker, parts, surroundings
from api.problems import Problem
from api.scim_errors import ScimError
from auth.credentials import Credentials
from domain.directory.asking import PROVIDER, is_provider
from domain.directory.record import Directory
from domain.keeping.record import KeepingCommand
from domain.messages import Actor
from projections.profiles import Profiles
from store.scim import Kind, Resources
from store.vault import PostgresVault


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider that an operator has connected, and what is behind the request."""

    name: str
    request: Request
    behind: Parts

    @classmethod
    def of(cls, request: Request) -> "Provider":
        """Raises ScimError for whoever is no provider."""
        who = asker(request)
        if not is_provider(who.principal):
            raise ScimError(403, f"A service token of an identity provider ({PROVIDER}…) is needed here.")
        return cls(who.principal, request, parts(request))

    @property
    def _vault(self) -> PostgresVault:
        return self.behind.keys or PostgresVault("", self.behind.store.pool, None)

    async def profiles(self, people: Collection[str]) -> dict[str, dict[str, str]]:
        """What the vault has of these people; nothing of those who have no profile. Raises VaultLocked."""
        return await self._vault.profiles(people) if people else {}

    async def keep_profile(self, person: str, changes: Mapping[str, str | None]) -> None:
        """Keep or take away what is named. Raises VaultLocked, and Problem where the person was erased."""
        if not await Profiles(self._vault).change(person, changes):
            raise Problem("PersonErased")

    def resources(self, kind: Kind) -> Resources:
        """How providers know people or groups."""
        return Resources(self.behind.store.pool, kind)

    async def directory(self) -> Directory:
        """As this process knows it; what was changed through it is in it."""
        return await self.behind.roster.directory()

    async def submit(self, command: KeepingCommand) -> Directory:
        """The directory after the command. Each says what is to be so: sent again it changes nothing, and needs no key.

        Raises Refused, Contended, StoreUnavailable.
        """
        actor = Actor(self.name, client=asker(self.request).client)
        kept = await self.behind.administration.submit(command, actor, f"scim:{uuid4()}")
        known = surroundings(self.request).authenticator
        if isinstance(known, Credentials):
            known.forget()
        record: Directory = kept.record
        return record
