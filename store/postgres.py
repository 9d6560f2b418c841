"""The store on PostgreSQL: what the steps ask of the world, and what the doors and the sweep ask beside it."""

from typing import Self

from activities.ports import Append, RefusalLine, Reservation, Verdict
from store.appender import Appender
from store.bell import Bell
from store.connect import Pool, connect
from store.reading import Reader
from store.rows import storable, storable_text

_APPENDING = {
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "application_name": "tandem appender",
}


class PostgresStore(Reader):
    """Satisfies `activities.ports.Store`. One per process; open it inside the event loop that uses it."""

    def __init__(self, dsn: str, pool: Pool, patience: float = 5.0) -> None:
        super().__init__(dsn, pool)
        self._bell = Bell(pool)
        self._appender = Appender(lambda: connect(dsn, server_settings=_APPENDING), self._bell.ring, patience)

    @classmethod
    async def open(cls, dsn: str, *, pool_size: int = 8, patience: float = 5.0) -> Self:
        """Connect. `pool_size` bounds the connections for reading; appending has one of its own.

        `patience` (seconds) bounds how long an append waits for the database. Raises StoreUnavailable.
        """
        return cls(dsn, await Pool.open(dsn, pool_size), patience)

    async def close(self) -> None:
        """Finish the appends that wait, then disconnect. Harmless when done twice."""
        await self._appender.close()
        await self._bell.close()
        self.pool.terminate()

    async def append(self, append: Append) -> Verdict:
        """Store in one transaction with pages, command table and wake mark. Never raises for a conflict.

        Raises UnfitAppend or NotCanonical where it can never be stored, StreamRewound where the stream is
        shorter than expected, ChainBroken where the stored stream has another last hash, and StoreUnavailable:
        the outcome is then unknown and the same command may be sent again.
        """
        return await self._appender.append(append)

    async def refuse(self, line: RefusalLine) -> None:
        """Append to the refusal log. What JSONB cannot hold in the refused input is replaced by U+FFFD."""
        texts = (line.stream, line.command_id, line.type, line.code)
        await self.pool.execute(
            "SELECT tandem.refuse($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            line.at,
            *(storable_text(text) for text in texts),
            line.rule,
            storable_text(line.detail),
            line.channel,
            storable(line.actor),
            storable(line.data),
        )

    async def reserve(self, principal: str, key: str, fresh_id: str) -> Reservation:
        """The project id and number for this principal and idempotency key; the first call decides."""
        rows = await self.pool.fetch("SELECT * FROM tandem.reserve($1, $2, $3)", principal, key, fresh_id)
        return Reservation(*rows[0])

    async def mark_seen(self, stream: str, version: int) -> None:
        """The lifecycle has acted on everything up to `version`. Never goes backwards, never beyond the head."""
        await self.pool.execute("SELECT tandem.mark_seen($1, $2)", stream, version)
