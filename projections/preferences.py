"""How people want to be told beyond the inbox. Addresses are in the vault, not here."""

from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass
from datetime import time
from zoneinfo import ZoneInfo

from domain.digest import Rhythm, Wish
from domain.quiet import QuietHours
from projections.database import Database

MAIL, CHAT = "mail", "chat"
COLUMNS = "language, time_zone, quiet_from, quiet_until, mail, chat, first_channel, digest, digest_at"
"""In the order of Preference's fields. Only this constant is put into SQL; whatever a caller gives is a parameter."""
READ = f"SELECT person, {COLUMNS} FROM tandem.preference WHERE person = ANY ($1)"  # noqa: S608  a constant of ours
KEEP = f"""
    INSERT INTO tandem.preference (person, {COLUMNS})
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (person) DO UPDATE SET
      ({COLUMNS}) = ROW ({", ".join(f"excluded.{name}" for name in COLUMNS.split(", "))}), changed_at = now()
"""  # noqa: S608  constants of ours


@dataclass(frozen=True, slots=True)
class Preference:
    """What one person wants; without a word of theirs nothing but the inbox."""

    person: str
    language: str = "en"
    time_zone: str = "UTC"
    quiet_from: time | None = None
    quiet_until: time | None = None
    mail: bool = False
    chat: bool = False
    first: str = MAIL
    """The channel that is tried before the other one."""
    digest: str = "none"
    digest_at: time = time(9)

    @property
    def quiet(self) -> QuietHours | None:
        """Their quiet hours."""
        if self.quiet_from is None or self.quiet_until is None:
            return None
        return QuietHours(self.quiet_from, self.quiet_until, ZoneInfo(self.time_zone))

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels beyond the inbox, in the order in which they are tried."""
        wanted = [name for name, want in ((MAIL, self.mail), (CHAT, self.chat)) if want]
        return tuple(sorted(wanted, key=lambda name: name != self.first))

    @property
    def wish(self) -> Wish | None:
        """Their digest; None where every notice comes by itself, or none at all."""
        if self.digest == "none" or not self.channels:
            return None
        return Wish(Rhythm(self.digest), self.digest_at, ZoneInfo(self.time_zone))


class Preferences:
    """Satisfies `activities.notify.Readers`. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, person: str) -> Preference:
        """What the person wants."""
        return (await self.of_all([person])).get(person, Preference(person))

    async def of_all(self, persons: Collection[str]) -> Mapping[str, Preference]:
        """What those want who have said anything."""
        return {row[0]: Preference(*row) for row in await self._database.fetch(READ, list(persons))}

    async def keep(self, wanted: Preference) -> None:
        """From now on. May run twice."""
        await self._database.execute(KEEP, *astuple(wanted))

    async def channels(self, persons: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """The channels beyond the inbox of those who want any, in the order in which they are tried."""
        return {person: wanted.channels for person, wanted in (await self.of_all(persons)).items() if wanted.channels}

    async def wishes(self, persons: Collection[str]) -> Mapping[str, Wish]:
        """The digests of those who want one."""
        return {person: wish for person, wanted in (await self.of_all(persons)).items() if (wish := wanted.wish)}

    async def quiet(self, person: str) -> QuietHours | None:
        """Their quiet hours."""
        return (await self.of(person)).quiet

    async def language(self, person: str) -> str:
        """`en` or `zh`."""
        return (await self.of(person)).language
