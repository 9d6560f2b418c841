"""What is known of people over all projects: who is a PMO officer, who was erased."""

import asyncio
import logging
from datetime import datetime
from typing import Protocol

import asyncpg

from activities.ports import StoreUnavailable
from domain.directory.record import Directory, OrganisationRole
from projections.database import Database

log = logging.getLogger("tandem.people")
SECONDS = 60.0

# The streams of persons lie together in the index: `.` follows on `-`.
ERASED = """
    SELECT e.data ->> 'person', e.recorded_at FROM tandem.event e
    WHERE e.stream >= 'person-' AND e.stream < 'person.' AND e.type = 'PersonErased'
    ORDER BY e.recorded_at, e.stream
"""


async def is_officer(database: Database, directory: Directory, person: str) -> bool:
    """Whether the person is PMO of the organisation; PMO of any project, as long as the organisation has none."""
    if office := directory.holders(OrganisationRole.PMO):
        return person in office
    sql = "SELECT EXISTS (SELECT FROM tandem.membership WHERE person = $1 AND role = 'PMO')"
    return bool(await database.fetchval(sql, person))


async def erased(database: Database) -> list[tuple[str, datetime]]:
    """Everybody whose erasure the log holds, oldest first."""
    return [tuple(row) for row in await database.fetch(ERASED)]


class Forgetting(Protocol):
    """The vault, as far as erasing goes."""

    async def replay(self, erased: list[tuple[str, datetime]]) -> list[str]: ...


async def erase_again(database: Database, vault: Forgetting) -> list[str]:
    """Whose key had come back, with an older copy of the vault or after a fault half-way, and is gone again."""
    back = await vault.replay(await erased(database))
    if back:
        log.warning(
            "erased again, since the vault is older than their erasure or it was cut short: %s", ", ".join(back)
        )
    return back


async def keep_erased(database: Database, vault: Forgetting) -> None:
    """Do so again and again, until cancelled."""
    while True:
        try:
            await erase_again(database, vault)
        except (StoreUnavailable, asyncpg.PostgresError) as outage:
            log.warning("whether the erased stay erased is looked at later: %s", outage)
        await asyncio.sleep(SECONDS)
