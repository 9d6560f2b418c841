"""Accounts: who may sign in at all. What they may do is a rule and lives in `domain`."""

from collections.abc import Sequence

from store.connect import Pool

MAKE = "INSERT INTO tandem.account (person) VALUES ($1) ON CONFLICT (person) DO NOTHING RETURNING person"
OWNER = "SELECT person FROM tandem.account ORDER BY created_at, person LIMIT 1"
LIVING = "SELECT EXISTS (SELECT FROM tandem.account WHERE person = $1 AND disabled_at IS NULL)"
DISABLE = "UPDATE tandem.account SET disabled_at = now() WHERE person = ANY($1) AND disabled_at IS NULL"
ENABLE = "UPDATE tandem.account SET disabled_at = NULL WHERE person = ANY($1) AND disabled_at IS NOT NULL"
DISABLED = "SELECT person FROM tandem.account WHERE disabled_at IS NOT NULL"
USED = """
    SELECT EXISTS (SELECT FROM tandem.account WHERE person = $1 AND password_hash IS NOT NULL)
        OR EXISTS (SELECT FROM tandem.session WHERE person = $1)
        OR EXISTS (SELECT FROM tandem.token WHERE principal = $1)
        OR EXISTS (SELECT FROM tandem.link WHERE person = $1 AND used_at IS NOT NULL)
"""


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

    async def used(self, person: str) -> bool:
        """Whether somebody has ever signed in as this person, or has what to sign in with."""
        return bool(await self._database.fetchval(USED, person))

    async def disabled(self) -> list[str]:
        """Everybody whose account is disabled."""
        return [row[0] for row in await self._database.fetch(DISABLED)]

    async def disable(self, people: Sequence[str]) -> None:
        """From now on they cannot sign in. May run twice."""
        await self._database.execute(DISABLE, list(people))

    async def enable(self, people: Sequence[str]) -> None:
        """They can sign in again. May run twice."""
        await self._database.execute(ENABLE, list(people))
