"""A step that is tried again after its worker died."""

from dataclasses import replace
from uuid import uuid4

import pytest
from temporalio.testing import ActivityEnvironment

from activities.messages import Delivery, NoticeMessage
from activities.notify import NotifySteps
from notifications.letters import Writer
from notifications.mail import CHANNEL, Mail, MailServer
from projections.deliveries import Deliveries
from projections.outbox import Outbox
from projections.preferences import Preferences
from projections.profiles import Profiles
from store.postgres import PostgresStore
from tests.mailing import mailing
from tests.vaults import keys_of, vault_of

SENDER, READER, ADDRESS = "tandem@tandem.example", "pan.mei", "pan.mei@mail.example"


class NoEngine:
    """Nothing is begun here."""

    async def send(self, notice: NoticeMessage) -> None:
        raise AssertionError("a step that delivers starts nothing")


@pytest.mark.parametrize("noted", [True, False])
async def test_what_was_noted_as_delivered_is_not_sent_again(store: PostgresStore, noted: bool) -> None:
    told = {"kind": "DecisionOpened", "recipient": READER, "en": "Please decide", "zh": "请表决"}
    notice = NoticeMessage(event_id=str(uuid4()), project_id="p", code="P-1", **told)
    ledger, profiles = Deliveries(store.pool), Profiles(keys_of(store))
    await profiles.set_mailbox(READER, ADDRESS)
    async with mailing() as postman:
        server, outbox = MailServer.read(postman.url, SENDER), Outbox(store.pool, vault_of(store))
        mail = Mail(Writer("", SENDER), Preferences(store.pool), profiles, outbox, server)
        steps, again = NotifySteps({CHANNEL: mail}, ledger, NoEngine()), ActivityEnvironment()
        again.info = replace(again.info, attempt=2)
        if noted:
            await ledger.record(notice, CHANNEL, "delivered", 1, "")
        assert await again.run(steps.deliver, Delivery(notice=notice, channel=CHANNEL)) == "delivered"
        assert len(postman.mails) == (0 if noted else 1)
    (row,) = await ledger.of_event(notice.event_id)
    assert (row.state, row.attempts) == ("delivered", 1 if noted else 2)
