"""The server: joins API, store, rules and Temporal. `python -m server`."""

import asyncio
import logging
import signal
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType

import asyncpg
import uvicorn
from fastapi import FastAPI
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.decide import Step
from activities.ending import end
from activities.envelopes import EnvelopeSigner
from activities.ports import StoreUnavailable
from activities.vault import Vault
from api.app import build
from api.audit import witnesses_of
from api.dispatch import Door
from api.limits import Limits
from api.newest import Newest
from api.parts import Installation, Parts, Surroundings
from api.scim_groups import read_roles
from api.waker import TemporalWaker
from api.wakes import Wakes
from auth.confirmation import Confirmations
from auth.credentials import Credentials
from auth.development import DevelopmentAuthenticator
from auth.discovery import Registration
from auth.identity import Authenticator, NobodyKnown
from auth.oidc import OpenIdProvider, Terms
from auth.sessions import Sessions
from auth.tokens import Tokens
from config import Settings, checked, load_templates
from projections.people import keep_erased
from store.migrate import MigrationRefused, status
from store.postgres import PostgresStore
from store.vault import PostgresVault, load_master
from web.app import add_pages
from web.page import Site
from web.provider import RETURN

log = logging.getLogger("tandem.server")


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application with everything behind it; the database and Temporal may come later than it."""
    wanted = settings or Settings()
    limits = Limits(wanted.requests_per_minute, wanted.sign_in_attempts_per_minute)
    around = Surroundings(authenticator(wanted), Installation(package_version(), wanted.instance), limits=limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        waker = TemporalWaker(lambda: connect(wanted), wanted.task_queue)
        opening = asyncio.create_task(_open(wanted, around, waker), name="opening")
        minding = asyncio.create_task(_mind(around, opening), name="minding")
        await asyncio.wait([opening], timeout=2)
        if opening.done():
            opening.result()
        try:
            yield
        finally:
            around.closing.set()
            await end(minding, opening)
            if around.parts is not None:
                await _close(around.parts)

    app = build(around, lifespan)
    add_pages(app, site(wanted))
    return app


def site(settings: Settings) -> Site:
    """What the pages know of the installation. Raises WrongMasterKey."""
    confirmations = Confirmations(load_master(settings.vault_key, settings.vault_key_file))
    secure = settings.public_url.startswith("https://")
    return Site(secure=secure, confirmations=confirmations, provider=openid_provider(settings))


def openid_provider(settings: Settings) -> OpenIdProvider | None:
    """The provider through which people may sign in, if there is one. Raises OSError, and ValueError for bad roles."""
    if not settings.oidc_issuer:
        return None
    file, secret = settings.oidc_client_secret_file, settings.oidc_client_secret
    known = file.read_text(encoding="utf-8").strip() if file else secret.get_secret_value() if secret else ""
    here = (settings.public_url or f"http://127.0.0.1:{settings.port}").rstrip("/")
    terms = Terms(
        settings.oidc_issuer,
        Registration(settings.oidc_client_id, known),
        f"{here}{RETURN}",
        name=settings.oidc_name,
        person_claim=settings.oidc_person_claim,
        groups_claim=settings.oidc_groups_claim,
        domains=frozenset(d.strip().lower() for d in settings.oidc_domains.split(",") if d.strip()),
        scopes=settings.oidc_scopes,
        roles=read_roles(settings.oidc_roles, "oidc_roles"),
        join=settings.oidc_join,
    )
    return OpenIdProvider(terms)


def authenticator(settings: Settings) -> Authenticator:
    """Names on trust on a laptop; in production nobody is known until a real authenticator is set up."""
    return DevelopmentAuthenticator() if settings.mode == "development" else NobodyKnown()


def credentials(settings: Settings, store: PostgresStore) -> Credentials:
    """Tokens and sessions; on a laptop also names on trust."""
    trusting = DevelopmentAuthenticator() if settings.mode == "development" else None
    return Credentials(Tokens(store.pool), Sessions(store.pool), trusting)


def envelope_signer(settings: Settings) -> EnvelopeSigner | None:
    """What signs commands that travel as signals. Raises BadKey."""
    if settings.envelope_key is not None:
        return EnvelopeSigner.read(settings.envelope_key.get_secret_value())
    file = settings.envelope_key_file
    return EnvelopeSigner.read(file.read_text()) if file else None


async def connect(settings: Settings) -> Client:
    """Temporal. Raises RuntimeError where it cannot be reached."""
    return await Client.connect(
        settings.temporal_address, namespace=settings.temporal_namespace, data_converter=pydantic_data_converter
    )


def package_version() -> str:
    """The version of the installed package, or of the checkout that this file is in."""
    try:
        return version("tandem")
    except PackageNotFoundError:
        project = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text())
        return str(project["project"]["version"])


async def _open(settings: Settings, around: Surroundings, waker: TemporalWaker) -> None:
    """Fill in the parts, waiting for the database as long as it takes. Raises ValueError for a bad template,
    WrongMasterKey for a bad key.
    """
    dsn, templates = settings.database_url.get_secret_value(), load_templates(settings.templates)
    master = load_master(settings.vault_key, settings.vault_key_file)
    keys: PostgresVault | None = None
    witnesses, scim_roles = witnesses_of(settings.witness_keys), read_roles(settings.scim_roles)
    while True:
        try:
            keys = keys or await PostgresVault.open(settings.vault_dsn, master)
            store = await PostgresStore.open(dsn, pool_size=settings.pool_size)
        except (StoreUnavailable, OSError, asyncpg.PostgresError) as outage:
            log.warning("waiting for PostgreSQL: %s", str(outage)[:200])
            await asyncio.sleep(0.5)
        else:
            vault = Vault(keys)
            step = Step(store, templates, cache=settings.state_cache, vault=vault)
            door = Door(step, store, Wakes(waker), signer=envelope_signer(settings))
            around.authenticator = credentials(settings, store)
            around.parts = Parts(
                store,
                step,
                door,
                Newest(store),
                Schema(dsn),
                waker.reachable,
                past_cache=settings.past_cache,
                private_addresses=settings.webhook_private_addresses,
                private_chats=settings.chat_private_addresses,
                webhook_key=settings.webhook_secret_key,
                witnesses=witnesses,
                scim_roles=scim_roles,
                vault=vault,
                keys=keys,
            )
            return


async def _mind(around: Surroundings, opening: asyncio.Task[None]) -> None:
    """Once the database was reached: forget keys of whom others erase, see that nobody's comes back, watch the log."""
    await asyncio.wait([opening])
    if not opening.cancelled() and (failed := opening.exception()) is not None:
        log.critical("this server cannot do its work: %s", failed)
    if (parts := around.parts) is not None and parts.keys is not None:
        minding = (parts.keys.listen(parts.vault.forget), keep_erased(parts.store.pool, parts.keys))
        await asyncio.gather(*minding, parts.watch.run(), parts.administration.mind())


class Schema:
    """Whether every migration is applied; asked until it is."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._current = False

    async def __call__(self) -> bool:
        if not self._current:
            try:
                self._current = all(s.applied_at for s in await status(self._dsn))
            except MigrationRefused as refused:
                log.warning("schema: %s", refused)
        return self._current


async def _close(parts: Parts) -> None:
    await parts.newest.close()
    await parts.door.wakes.close()
    await parts.store.close()
    if parts.keys is not None:
        parts.keys.close()


class Server(uvicorn.Server):
    """Ends live feeds as soon as it is asked to stop: they would keep it waiting."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        self._closing.set()
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=max(1, int(settings.graceful_seconds)),
        h11_max_incomplete_event_size=64 * 1024,
    )
    # uvicorn raises the signal again when it has stopped in order; by then it has done its work.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    Server(config, app.state.surroundings.closing).run()


if __name__ == "__main__":
    import os

    serve(checked("server"))
    # The engine's client can crash while the interpreter is torn down; nothing is left to do by then.
    logging.shutdown()
    os._exit(0)
