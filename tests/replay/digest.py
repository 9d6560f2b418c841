"""Record the histories of a digest anew: `python -m tests.replay.digest`. See record.py for when.

It sleeps until the reader's hour, is woken meanwhile by one more notice, sends, begins anew and ends.
"""

import asyncio
from pathlib import Path
from uuid import uuid4

from dev.embedded import EmbeddedPostgres
from projections.profiles import Profiles
from tests.mailing import mailing
from tests.replay.keeping import keep, on_own_postgres
from tests.replay.record import chain, quick, set_up
from tests.vaults import keys_of
from tests.workflows.test_digest import digested, notice, tell, wants
from tests.workflows.test_notification import ADDRESS
from tests.workflows.world import PRODUCT

HISTORIES = Path(__file__).parent / "digest_histories"


async def record(postgres: EmbeddedPostgres) -> None:
    """Play it, and keep every run."""
    async with mailing() as postman, set_up(f"digest_{uuid4().hex[:8]}", postgres) as stage:
        world = stage.world
        world.settings = {"smtp_url": postman.url, "mail_from": "tandem@tandem.example"}
        await Profiles(keys_of(world.store)).set_mailbox(PRODUCT, ADDRESS)
        await wants(world, "daily")
        async with world.working():
            await tell(world, notice("First"))
            await asyncio.sleep(1)
            await tell(world, notice("Second"))
            await asyncio.sleep(1)
            await digested(world, postman, 1)
            await asyncio.sleep(1)
            keep(HISTORIES, "daily", await chain(world.client, f"digest-{PRODUCT}"))


if __name__ == "__main__":
    asyncio.run(on_own_postgres(quick, record))
