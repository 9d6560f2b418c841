"""Connections to PostgreSQL: JSON as canonical bytes, and which errors mean that the database is away."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import asyncpg
import orjson

from activities.ports import StoreUnavailable

CONNECT_SECONDS = 5.0
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # Said when connecting: a database being created, a password being changed.
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    OSError,
    TimeoutError,
)


def is_away(error: BaseException) -> bool:
    """Whether the database is unreachable, shutting down or out of means: the same request may succeed later."""
    # asyncpg's complaint about an argument is an InterfaceError as well: that one stays wrong for ever.
    return isinstance(error, _AWAY) and not isinstance(error, ValueError)


@contextmanager
def reaching() -> Iterator[None]:
    """Turn a lost or refused connection into StoreUnavailable."""
    try:
        yield
    except _AWAY as error:
        if not is_away(error):
            raise
        raise StoreUnavailable(f"the database is away: {type(error).__name__}: {error}") from error


async def connect(dsn: str, **settings: Any) -> asyncpg.Connection:
    """One connection of its own, prepared as the pool's are. Raises what `is_away` knows."""
    connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, **settings)
    await prepare(connection)
    return connection


class Pool:
    """asyncpg's pool, telling outages as StoreUnavailable. What `store` and `projections` ask goes through here."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str, size: int) -> Self:
        """At most `size` connections, made when needed. Raises StoreUnavailable."""
        with reaching():
            # A floor of connections would be restored in the background, with a complaint for each failure.
            pool = await asyncpg.create_pool(
                dsn, min_size=0, max_size=size, init=prepare, timeout=CONNECT_SECONDS, command_timeout=30
            )
            await pool.execute("SELECT 1")
            return cls(pool)

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """All rows."""
        with reaching():
            rows: list[asyncpg.Record] = await self._pool.fetch(sql, *arguments)
            return rows

    async def fetchrow(self, sql: str, *arguments: Any) -> asyncpg.Record | None:
        """The first row, None where there is none."""
        with reaching():
            return await self._pool.fetchrow(sql, *arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """The first column of the first row, None where there is none."""
        with reaching():
            return await self._pool.fetchval(sql, *arguments)

    async def execute(self, sql: str, *arguments: Any) -> str:
        """PostgreSQL's word on what was done."""
        with reaching():
            return str(await self._pool.execute(sql, *arguments))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """One connection in one transaction."""
        with reaching():
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection

    def terminate(self) -> None:
        """Disconnect at once."""
        self._pool.terminate()


async def prepare(connection: asyncpg.Connection) -> None:
    """Teach the connection JSONB: values decode to Python; bytes pass as they are, anything else is encoded."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", format="binary", encoder=_jsonb, decoder=_from_jsonb)


def _jsonb(value: Any) -> bytes:
    # PostgreSQL's binary JSONB is its text behind one byte of version.
    return b"\x01" + (value if isinstance(value, bytes) else orjson.dumps(value))


def _from_jsonb(raw: bytes) -> Any:
    return orjson.loads(raw[1:])
