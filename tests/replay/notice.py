"""Record the histories of notices anew: `python -m tests.replay.notice`. See record.py for when.

Those named `told` are of the time when a notice asked for its reader's hours in a step of its own.

A mail waits for the end of the reader's quiet hours and gets through; another is refused for good and given up. Where
the reader has a chat too, that takes what the mail server refuses; and where both are away, both are tried for days.
"""

import asyncio
from pathlib import Path
from uuid import uuid4

from temporalio.client import WorkflowHistory

from dev.embedded import EmbeddedPostgres
from projections.preferences import Preference, Preferences
from projections.profiles import CHAT, Profiles
from tests.mailing import mailing
from tests.receiving import always, receiving
from tests.replay.keeping import keep, on_own_postgres
from tests.replay.record import quick, set_up
from tests.vaults import keys_of
from tests.workflows.test_notification import ADDRESS, notice, quiet_for_ten_hours, through
from tests.workflows.world import PRODUCT, World

HISTORIES = Path(__file__).parent / "notice_histories"


async def history(world: World, channels: tuple[str, ...] = ("mail",)) -> WorkflowHistory:
    """Of one notice, from its start to its end."""
    told = notice(channels=channels)
    await through(world, told)
    return await world.client.get_workflow_handle(told.id).fetch_history()


async def record(postgres: EmbeddedPostgres) -> None:
    """Play both, and keep them."""
    async with mailing() as postman, set_up(f"notice_{uuid4().hex[:8]}", postgres) as stage:
        world = stage.world
        world.settings = {"smtp_url": postman.url, "mail_from": "tandem@tandem.example", "chat_private_addresses": True}
        await Profiles(keys_of(world.store)).set_mailbox(PRODUCT, ADDRESS)
        await Preferences(world.store.pool).keep(Preference(PRODUCT, mail=True))
        await quiet_for_ten_hours(world)
        async with world.working():
            waited = await history(world)
            postman.mailbox = "550 no such mailbox"
            keep(HISTORIES, "near", [waited, await history(world)])
            async with receiving(always(200)) as receiver:
                address = receiver.url.replace("http://", "mmost://").replace("/hook", "/abcdefghij0123456789abcdef")
                await Profiles(keys_of(world.store)).change(PRODUCT, {CHAT: address})
                taken = await history(world, ("mail", "chat"))
                postman.mailbox, receiver.script = "450 not now", always(503)
                keep(HISTORIES, "fallback", [taken, await history(world, ("mail", "chat"))])


if __name__ == "__main__":
    asyncio.run(on_own_postgres(quick, record))
