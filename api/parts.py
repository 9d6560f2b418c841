"""What the routes stand on, joined by the entry point."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, cast

from starlette.requests import HTTPConnection

from activities.cloud import Cloud
from activities.decide import Step
from activities.keeping import Erasing, Keeping
from activities.past import Past
from activities.roster import Roster
from activities.sight import Sight
from activities.vault import NoKeys, Vault
from activities.watch import Watch
from api.dispatch import Door
from api.limits import Limits
from api.metrics import Metrics
from api.newest import Newest
from api.problems import Problem
from auth.administration import Administration
from auth.identity import Authenticator, Identity, Unauthenticated
from domain.checkpoint import Key
from domain.directory.record import OrganisationRole
from projections.past import Archive
from projections.people import is_officer
from store.feeds import Consumers, log_id
from store.lockbox import Lockbox
from store.packing import Packer
from store.postgres import PostgresStore
from store.tree import Tree
from store.vault import PostgresVault
from store.webhooks import Webhooks


@dataclass(frozen=True)
class Installation:
    """What /version tells."""

    version: str
    instance: str
    name: str = "tandem"


@dataclass(frozen=True)
class Parts:
    """Everything behind the routes, once the database was reached."""

    store: PostgresStore
    step: Step
    door: Door
    newest: Newest
    schema_is_current: Callable[[], Coroutine[Any, Any, bool]]
    engine_is_reachable: Callable[[], Coroutine[Any, Any, bool]]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    past_cache: int = 5000
    """How many earlier states are kept."""
    vault: Vault = field(default_factory=lambda: Vault(NoKeys()))
    """Seals and opens what speaks of people."""
    keys: PostgresVault | None = None
    """Where the keys of persons are; None: in the store's own database, and locked."""

    private_addresses: bool = False
    """Whether webhooks may lead into our own network."""
    private_chats: bool = False
    """Whether chat addresses may."""
    webhook_key: str | None = None
    """What their secrets are sealed with."""
    scim_roles: Mapping[str, OrganisationRole] = field(default_factory=dict)
    """The organisation roles that groups of an identity provider give, by the group's name in lower case."""
    witnesses: tuple[Key, ...] = ()
    """Whose cosignatures under checkpoints are kept."""

    @property
    def sight(self) -> Sight:
        """Which projects exist for whom."""
        return self.door.sight

    @property
    def roster(self) -> Roster:
        """Who belongs to the organisation."""
        return self.door.sight.roster

    @cached_property
    def cloud(self) -> Cloud:
        """Events as programs outside get them."""
        return Cloud(self.step.states, lambda: log_id(self.store.pool))

    @cached_property
    def consumers(self) -> Consumers:
        """Programs that ask for events."""
        return Consumers(self.store.pool)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Endpoints that are sent events."""
        return Webhooks(self.store.pool, Lockbox(self.webhook_key))

    @cached_property
    def tree(self) -> Tree:
        """The seal over the log."""
        return Tree(self.store.pool)

    @cached_property
    def watch(self) -> Watch:
        """What walks the log again and again."""
        return Watch(Packer(self.store.pool), self.tree, self.store)

    @cached_property
    def archive(self) -> Archive:
        """Looking back over all projects."""
        return Archive(self.store.pool)

    @cached_property
    def past(self) -> Past:
        """Earlier states of projects."""
        return Past(self.archive, self.past_cache)

    @cached_property
    def keeping(self) -> Keeping:
        """The step for what is beside the projects."""
        return Keeping(self.store, now=self.now)

    @cached_property
    def administration(self) -> Administration:
        """Changing the directory, with the accounts that follow it."""
        return Administration(self.keeping, self.roster, self.store.pool)

    @cached_property
    def people(self) -> Erasing:
        """What is kept of people, and erasing it."""
        keys = self.keys or PostgresVault("", self.store.pool, None)
        return Erasing(self.keeping, keys, self.vault, self.is_officer)

    async def is_officer(self, person: str) -> bool:
        """Whether the person has a say over what is kept of people, and of messages to them."""
        return await is_officer(self.store.pool, await self.roster.directory(), person)


@dataclass
class Surroundings:
    """What is there from the start; `parts` comes when the database was reached."""

    authenticator: Authenticator
    installation: Installation
    parts: Parts | None = None
    metrics: Metrics = field(default_factory=Metrics)
    limits: Limits = field(default_factory=Limits)
    """How much one person may ask for; as much as they like where nothing is said."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server is about to stop: live feeds end."""

    async def known(self, headers: Mapping[str, str]) -> Identity:
        """Who asks, where they have not left. Raises Unauthenticated, and StoreUnavailable where it cannot be told."""
        identity = await self.authenticator.authenticate(headers)
        if self.parts is not None and (await self.parts.roster.directory()).left(identity.principal):
            raise Unauthenticated("This person was deactivated: ask an administrator.")
        return identity


def surroundings(request: HTTPConnection) -> Surroundings:
    """What this application was built with."""
    return cast(Surroundings, request.app.state.surroundings)


def parts(request: HTTPConnection) -> Parts:
    """The parts. Raises Problem where the database was not reached yet."""
    if (found := surroundings(request).parts) is None:
        raise Problem("StoreUnavailable")
    return found


def asker(request: HTTPConnection) -> Identity:
    """Who asks; the edge has made sure that somebody does."""
    return cast(Identity, request.scope["state"]["identity"])
