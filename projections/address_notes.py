"""What is to be told about mail addresses, until the worker has started it on its way."""

from uuid import UUID

from projections.database import Database

# Counted and added in one statement; who asks at the same moment twice may get one more.
ADD = """
    INSERT INTO tandem.address_note (person, kind)
    SELECT $1, kind FROM unnest($2::text[]) AS kind
    WHERE (SELECT count(*) FROM tandem.address_note
           WHERE person = $1 AND kind = 'AddressToConfirm' AND made_at > now() - interval '1 day') < $3
    RETURNING id
"""
OWED = "SELECT id, person, kind FROM tandem.address_note WHERE started_at IS NULL ORDER BY made_at LIMIT 100"
STARTED = "UPDATE tandem.address_note SET started_at = now() WHERE id = $1"


class AddressNotes:
    """Satisfies `activities.addresses.Owed`. Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, person: str, kinds: list[str], most: int) -> bool:
        """False where so many addresses were tried within a day already: nobody is to be flooded with codes."""
        return bool(await self._database.fetch(ADD, person, kinds, most))

    async def owed(self) -> list[tuple[UUID, str, str]]:
        """Id, person and kind of what was not started."""
        return [tuple(row) for row in await self._database.fetch(OWED)]

    async def started(self, note: UUID) -> None:
        """It is on its way. May run twice."""
        await self._database.execute(STARTED, note)
