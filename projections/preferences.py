"""How people want to be told beyond the inbox. Addresses are in the vault, not here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import time
from zoneinfo import ZoneInfo

from domain.quiet import QuietHours
from projections.database import Database

MAIL = "mail"
READ = """
    SELECT person, language, time_zone, quiet_from, quiet_until, mail FROM tandem.preference WHERE person = $1
"""
KEEP = """
    INSERT INTO tandem.preference (person, language, time_zone, quiet_from, quiet_until, mail)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (person) DO UPDATE SET
      language = excluded.language, time_zone = excluded.time_zone, quiet_from = excluded.quiet_from,
      quiet_until = excluded.quiet_until, mail = excluded.mail, changed_at = now()
"""


@dataclass(frozen=True, slots=True)
class Preference:
    """What one person wants; without a word of theirs nothing but the inbox."""

    person: str
    language: str = "en"
    time_zone: str = "UTC"
    quiet_from: time | None = None
    quiet_until: time | None = None
    mail: bool = False

    @property
    def quiet(self) -> QuietHours | None:
        """Their quiet hours."""
        if self.quiet_from is None or self.quiet_until is None:
            return None
        return QuietHours(self.quiet_from, self.quiet_until, ZoneInfo(self.time_zone))


class Preferences:
    """Satisfies `activities.notify.Readers`. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, person: str) -> Preference:
        """What the person wants."""
        row = await self._database.fetchrow(READ, person)
        return Preference(person) if row is None else Preference(*row)

    async def keep(self, wanted: Preference) -> None:
        """From now on. May run twice."""
        times = (wanted.quiet_from, wanted.quiet_until)
        await self._database.execute(KEEP, wanted.person, wanted.language, wanted.time_zone, *times, wanted.mail)

    async def channels(self, persons: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """The channels beyond the inbox of those who want any."""
        sql = "SELECT person FROM tandem.preference WHERE mail AND person = ANY ($1)"
        return {row[0]: (MAIL,) for row in await self._database.fetch(sql, list(persons))}

    async def quiet(self, person: str) -> QuietHours | None:
        """Their quiet hours."""
        return (await self.of(person)).quiet

    async def language(self, person: str) -> str:
        """`en` or `zh`."""
        return (await self.of(person)).language
