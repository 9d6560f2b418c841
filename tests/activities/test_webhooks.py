"""A round that broke off after events had got through, and before that was kept for good."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.cloud import Cloud
from activities.decide import Step
from activities.endpoints import Endpoint, Lane
from activities.webhooks import WebhookSteps
from config import Settings, load_templates
from domain.decider import COMMANDS
from domain.messages import Actor, Envelope
from notifications.webhook import WebhookSender
from store.lockbox import Lockbox
from store.owed import Owed
from store.postgres import PostgresStore
from store.webhooks import Webhook, Webhooks
from tests.receiving import receiving
from tests.vaults import vault_of

PMO, SECRET = "pei.min", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


class Brittle(Owed):
    """Breaks before the checkpoint moves, as often as told."""

    breaks = 1

    async def put_lanes(self, endpoint: Endpoint, checkpoint: int, lanes: Sequence[Lane]) -> None:
        if self.breaks:
            self.breaks -= 1
            raise ConnectionError("the worker is gone")
        await super().put_lanes(endpoint, checkpoint, lanes)


async def everybody(person: str, stream: str) -> bool:
    return True


@pytest.mark.parametrize(("attempt", "came"), [(1, 2), (2, 1)])
async def test_a_round_after_a_crash_sends_only_what_was_not_noted(
    store: PostgresStore, attempt: int, came: int
) -> None:
    step = Step(store, load_templates(Settings().templates), vault=vault_of(store))
    at, start = datetime.now(UTC), COMMANDS["StartProject"].example
    await step.submit(Envelope(str(uuid4()), str(uuid4()), "StartProject", Actor(PMO), at, start), code="P-1")
    async with receiving() as receiver:
        fresh = Webhook(uuid4(), PMO, receiver.url, "", None, None, True, None, -1, at, at, None, None, 0)
        assert await Webhooks(store.pool, Lockbox()).create(fresh, SECRET, 10)
        ledger, sender = Brittle(store.pool, Lockbox()), WebhookSender(seconds=5, private=True)
        steps = WebhookSteps(ledger, sender, Cloud(step.states, store_name), everybody)
        round_, environment = str(fresh.id), ActivityEnvironment()
        with pytest.raises(ApplicationError, match="the worker is gone"):
            await environment.run(steps.deliver_events, round_)
        environment.info = replace(environment.info, attempt=attempt)
        await environment.run(steps.deliver_events, round_)
        assert len(receiver.got) == came
        assert {got.id for got in receiver.got} == {receiver.got[0].id}


async def store_name() -> str:
    return "log"
