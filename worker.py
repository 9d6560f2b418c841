"""The worker: joins workflows, steps, store and channels, and sweeps. `python -m worker`."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities import addresses
from activities.cloud import Cloud
from activities.decide import Step
from activities.digests import DigestSteps
from activities.ending import end
from activities.engine import Engine, register_search_attributes
from activities.envelopes import EnvelopeCheck
from activities.follow import ProjectSteps
from activities.herald import Herald, WebhookEngine
from activities.indexing import Indexer
from activities.leaving import Leaving
from activities.notify import Channel, NotifySteps
from activities.ports import StoreUnavailable
from activities.roster import StoredRoster
from activities.seal import Anchor, SealSteps
from activities.seal_wake import SealWake
from activities.sight import Sight
from activities.sweep import Sweep
from activities.vault import Vault
from activities.webhooks import WebhookSteps
from auth.confirmation import Confirmations
from config import Settings, checked, load_templates, office_hours
from domain.calendar import calendar
from domain.checkpoint import BadNote, seed_of
from notifications.chat import CHANNEL as CHAT
from notifications.chat import ROOM, Chat, Poster, Room
from notifications.discretion import Discreet
from notifications.inbox import Inbox
from notifications.letters import Writer
from notifications.mail import CHANNEL as MAIL
from notifications.mail import Mail, MailServer
from notifications.rooms import ChatRooms, read_rooms
from notifications.webhook import WebhookSender
from projections.address_notes import AddressNotes
from projections.deliveries import Deliveries
from projections.digests import Digests
from projections.leaving import KeptTraces
from projections.messages import Messages
from projections.outbox import Outbox
from projections.people import keep_erased
from projections.preferences import Preferences
from projections.profiles import Profiles
from projections.rooms import OpenProjects
from store.anchors import FileAnchor, MailAnchor, WebAnchor
from store.feeds import log_id
from store.lockbox import Lockbox
from store.owed import Owed
from store.postgres import PostgresStore
from store.searching import Indexes
from store.sight import Unseen
from store.tree import Tree
from store.vault import PostgresVault, load_master
from workflows.digest import DigestWorkflow
from workflows.notification import NotificationWorkflow
from workflows.project import ProjectWorkflow
from workflows.sealing import SealingWorkflow
from workflows.webhook import WebhookWorkflow

log = logging.getLogger("tandem.worker")
REGISTER_SECONDS = 5.0
OWN_PACKAGES = ("domain", "activities", "orjson", "holidays", "pydantic", "pydantic_core", "annotated_types")
"""Passed through the sandbox: workflows import shapes and names from them and run none of their code."""


def sandbox() -> SandboxedWorkflowRunner:
    """The workflow sandbox with our own packages passed through."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*OWN_PACKAGES)
    return SandboxedWorkflowRunner(restrictions=restrictions)


async def connect(settings: Settings) -> Client:
    """The engine, waited for as long as it takes."""
    while True:
        try:
            client = await Client.connect(
                settings.temporal_address,
                namespace=settings.temporal_namespace,
                data_converter=pydantic_data_converter,
            )
            await register_search_attributes(client)
        except (RPCError, RuntimeError) as outage:
            log.warning("waiting for Temporal at %s: %s", settings.temporal_address, str(outage)[:200])
            await asyncio.sleep(1)
        else:
            return client


async def keep_registered(client: Client) -> None:
    """Register again and again: a Temporal that lost its database knows no search attributes, and workflows stall."""
    while True:
        await asyncio.sleep(REGISTER_SECONDS)
        with suppress(RPCError):
            await register_search_attributes(client)


async def keep_sealed(settings: Settings, client: Client, store: PostgresStore) -> None:
    """Wake the sealing whenever there is something to seal; without a key, say so for operators."""
    tree, key = Tree(store.pool), seal_seed(settings)
    while True:
        try:
            if key is None or (await tree.health()).state == "no_key":
                await tree.tell("sealing" if key else "no_key")
            break
        except StoreUnavailable:
            await asyncio.sleep(1)
    if key is not None:
        await SealWake(store, tree, Engine(client, settings.task_queue)).run()


async def open_store(settings: Settings) -> PostgresStore:
    """The store, waited for as long as it takes."""
    while True:
        try:
            return await PostgresStore.open(settings.database_url.get_secret_value(), pool_size=settings.pool_size)
        except (StoreUnavailable, OSError) as outage:
            log.warning("waiting for PostgreSQL: %s", str(outage)[:200])
            await asyncio.sleep(1)


async def open_keys(settings: Settings) -> PostgresVault:
    """The vault, waited for as long as it takes. Raises WrongMasterKey."""
    master = load_master(settings.vault_key, settings.vault_key_file)
    while True:
        try:
            return await PostgresVault.open(settings.vault_dsn, master)
        except (StoreUnavailable, OSError) as outage:
            log.warning("waiting for the vault: %s", str(outage)[:200])
            await asyncio.sleep(1)


def build(
    settings: Settings, client: Client, store: PostgresStore, step: Step, keys: PostgresVault | None = None
) -> Worker:
    """The worker with everything joined; without `keys` nobody's address can be read."""
    engine = Engine(client, settings.task_queue)
    projects = ProjectSteps(store, step, EnvelopeCheck(settings.envelope_public_keys.split()))
    sight = Sight(step.states, StoredRoster(store), Unseen(store.pool))
    digests = _digests(settings, store, engine, sight)
    notices = _notices(settings, store, engine, keys or PostgresVault("", store.pool, None), digests, sight)
    webhooks = _webhooks(settings, store, step, sight)
    seals = SealSteps(Tree(store.pool), seal_seed(settings), _anchors(settings))
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[ProjectWorkflow, NotificationWorkflow, DigestWorkflow, WebhookWorkflow, SealingWorkflow],
        activities=[
            projects.follow,
            projects.act,
            projects.submit,
            projects.mark_seen,
            notices.send_notices,
            notices.when_to_tell,
            notices.deliver,
            notices.give_up,
            digests.digest_due,
            digests.send_digest,
            webhooks.deliver_events,
            seals.seal,
            seals.anchor,
        ],
        workflow_runner=sandbox(),
        max_cached_workflows=1000,
        max_concurrent_workflow_tasks=8,
        max_concurrent_activities=settings.pool_size * 4,
        max_concurrent_local_activities=settings.pool_size * 4,
        # After kill -9 the next task of a project waits this long for the dead worker, not ten seconds.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
        # Said as often as steps say it: held back for longer, a busy worker is soon taken for a dead one.
        max_heartbeat_throttle_interval=timedelta(seconds=2),
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_seconds),
        deployment_config=_deployment(settings),
    )


def _telling(store: PostgresStore, engine: Engine, vault: Vault) -> tuple[Coroutine[Any, Any, None], ...]:
    """What goes on beside the steps so that notices are on their way, and those that are not lie sealed."""
    waiting = Digests(store.pool).waiting_for
    return addresses.run(AddressNotes(store.pool), engine, waiting), Outbox(store.pool, vault).keep_sealed()


def _digests(settings: Settings, store: PostgresStore, engine: Engine, sight: Sight) -> DigestSteps:
    days = calendar(office_hours(settings.templates))
    return DigestSteps(Digests(store.pool, sight.keys), Preferences(store.pool), engine, days.is_working_day)


def _notices(
    settings: Settings, store: PostgresStore, engine: Engine, keys: PostgresVault, digests: DigestSteps, sight: Sight
) -> NotifySteps:
    readers, letters = Preferences(store.pool), writer(settings)
    url = settings.smtp_url
    server = MailServer.read(url.get_secret_value(), settings.mail_from) if url else None
    profiles, outbox = Profiles(keys), Outbox(store.pool, Vault(keys))
    poster = Poster(private=settings.chat_private_addresses)
    mail = Mail(letters, readers, profiles, outbox, server)
    chat = Chat(letters, readers, profiles, outbox, poster)
    addresses = read_rooms(settings.chat_rooms.get_secret_value(), private=settings.chat_private_addresses)
    rooms = ChatRooms(addresses, OpenProjects(store.pool), settings.chat_room_language)
    room = Room(letters, rooms, poster, office_hours(settings.templates).timezone)
    beyond = {channel: Discreet(one, sight.sees_stream) for channel, one in ((MAIL, mail), (CHAT, chat))}
    channels: dict[str, Channel] = {"inbox": Inbox(Messages(store.pool)), **beyond, ROOM: room}
    return NotifySteps(channels, Deliveries(store.pool), engine, readers, {MAIL: mail, CHAT: chat}, digests, rooms)


def writer(settings: Settings) -> Writer:
    """Who writes letters; links to confirm on are in them where there is the vault's key. Raises WrongMasterKey."""
    confirmations = Confirmations(load_master(settings.vault_key, settings.vault_key_file))
    return Writer(settings.public_url, settings.mail_from, confirmations)


def _webhooks(settings: Settings, store: PostgresStore, step: Step, sight: Sight) -> WebhookSteps:
    sender = WebhookSender(seconds=settings.webhook_seconds, private=settings.webhook_private_addresses)
    owed = Owed(store.pool, Lockbox(settings.webhook_secret_key))
    return WebhookSteps(owed, sender, Cloud(step.states, lambda: log_id(store.pool)), sight.sees_stream)


def seal_seed(settings: Settings) -> bytes | None:
    """The key to seal with. People go on working without one; that it is missing or no key is said loudly."""
    try:
        if key := settings.seal_key and settings.seal_key.get_secret_value():
            return seed_of(key)
        return seed_of(settings.seal_key_file.read_text()) if settings.seal_key_file else None
    except (OSError, UnicodeDecodeError, BadNote) as unusable:
        log.error("nothing is sealed, the key cannot be used: %s", unusable)
        return None


def _anchors(settings: Settings) -> list[Anchor]:
    url, mail = settings.anchor_url, settings.anchor_mail
    hours = timedelta(hours=settings.anchor_mail_hours)
    return [
        *([FileAnchor(settings.anchor_file)] if settings.anchor_file else []),
        *([WebAnchor(url.get_secret_value())] if url else []),
        *([MailAnchor(mail.get_secret_value(), hours)] if mail else []),
    ]


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    """Pinned versioning where a build id is set; a long project moves on when it continues as new."""
    if settings.build_id is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion("tandem", settings.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set; running steps are let finish."""
    client = await connect(settings)
    async with AsyncExitStack() as stack:
        store = await open_store(settings)
        stack.push_async_callback(store.close)
        sweep = Sweep(store, Engine(client, settings.task_queue), settings.sweep_seconds)
        herald = Herald(store, Owed(store.pool, Lockbox()), WebhookEngine(client, settings.task_queue))
        keys = await open_keys(settings)
        stack.callback(keys.close)
        vault = Vault(keys)
        step = Step(store, load_templates(settings.templates), cache=settings.state_cache, vault=vault)
        async with build(settings, client, store, step, keys):
            log.info("working on %s", settings.task_queue)
            jobs = (sweep.run(), herald.run(), keep_registered(client), keep_sealed(settings, client, store))
            told = _telling(store, Engine(client, settings.task_queue), vault)
            minding = (keys.listen(vault.forget), keep_erased(store.pool, keys), *told)
            indexer = Indexer(Indexes(store.pool), store)
            engine = Engine(client, settings.task_queue)
            leaving = Leaving(KeptTraces(store.pool), store, StoredRoster(store), step, engine)
            beside = [asyncio.create_task(job) for job in (*jobs, *minding, indexer.run(), leaving.run(store))]
            await stop.wait()
            await end(*beside)


async def main() -> None:
    """Until SIGINT or SIGTERM."""
    settings = checked("worker")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    working = asyncio.create_task(run(settings, stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        await asyncio.wait({working}, timeout=settings.graceful_seconds + 1)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working


if __name__ == "__main__":
    import os

    asyncio.run(main())
    # The engine's client can crash while the interpreter is torn down; nothing is left to do by then.
    logging.shutdown()
    os._exit(0)
