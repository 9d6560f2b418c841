"""Reminders and escalation on their way to people's own channels, in working time."""

from uuid import UUID, uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.calendar import calendar
from domain.messages import COMMANDS
from projections.deliveries import Deliveries
from projections.preferences import Preference, Preferences
from projections.profiles import CHAT, Profiles
from store.postgres import PostgresStore
from tests.mailing import mailing
from tests.receiving import always, receiving
from tests.vaults import keys_of
from tests.workflows.test_notification import ADDRESS, SLACK
from tests.workflows.world import PMO, PRODUCT, SPONSOR, World


@pytest.fixture
async def world(skipping: WorkflowEnvironment, store: PostgresStore) -> World:
    return World(skipping, store, f"queue-{uuid4()}")


async def delivered(world: World, event: UUID, person: str, channel: str) -> bool:
    rows = await Deliveries(world.store.pool).of_event(event)
    return (person, channel, "delivered") in {(row.recipient, row.channel, row.state) for row in rows}


async def test_a_reminder_goes_out_in_its_working_window_and_escalation_reaches_the_next_in_the_chain(
    world: World,
) -> None:
    profiles, wants = Profiles(keys_of(world.store)), Preferences(world.store.pool)
    async with mailing() as postman, receiving(always(200)) as receiver:
        address = receiver.url.replace("http://", "mmost://").replace("/hook", "/abcdefghij0123456789abcdef")
        mail = {"smtp_url": postman.url, "mail_from": "tandem@tandem.example"}
        world.settings = {**mail, "chat_private_addresses": True}
        await profiles.set_mailbox(PRODUCT, ADDRESS)
        await wants.keep(Preference(PRODUCT, mail=True))
        await profiles.change(SPONSOR, {CHAT: address})
        async with world.working():
            project = await world.start()
            await world.through_kickoff(project)
            await wants.keep(Preference(SPONSOR, chat=True))
            await world.do(project, PMO, "ProposeAgreement", **COMMANDS["ProposeAgreement"].example)
            await world.pass_days(11)
            reminders = await world.recorded(project, "DecisionReminderDue", 3)
            escalated = (await world.recorded(project, "DecisionEscalated"))[0]
            for reminder in reminders:
                await world.until(lambda event=reminder.event_id: delivered(world, event, PRODUCT, "mail"))
            await world.until(lambda: delivered(world, escalated.event_id, SPONSOR, "chat"))
    days = calendar(world.policy.calendar)
    for reminder in reminders:
        told = await world.client.get_workflow_handle(f"notice-{reminder.event_id}-{PRODUCT}").describe()
        assert days.between(reminder.recorded_at - SLACK, reminder.recorded_at) > 0, "working time has just passed"
        assert told.start_time - reminder.recorded_at < SLACK
    assert {mail["To"] for mail in postman.mails} == {ADDRESS}
    assert len(receiver.got) >= 1
