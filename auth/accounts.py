"""Accounts: who may sign in at all. What they may do is a rule and lives in `domain`."""

from store.connect import Pool

MAKE = "INSERT INTO tandem.account (person) VALUES ($1) ON CONFLICT (person) DO NOTHING RETURNING person"
OWNER = "SELECT person FROM tandem.account ORDER BY created_at, person LIMIT 1"
LIVING = "SELECT EXISTS (SELECT FROM tandem.account WHERE person = $1 AND disabled_at IS NULL)"


class Accounts:
    """The table of accounts. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, database: Pool) -> None:
        self._database = database

    async def make(self, person: str) -> bool:
        """Whether the account is new; one that exists stays as it is, disabled or not."""
        return await self._database.fetchval(MAKE, person) is not None

    async def owner(self) -> str | None:
        """The person of the first account; None before the first run."""
        found: str | None = await self._database.fetchval(OWNER)
        return found

    async def living(self, person: str) -> bool:
        """Whether the person has an account that is not disabled."""
        return bool(await self._database.fetchval(LIVING, person))
