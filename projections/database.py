"""What the pages' tables need of a database: a pool that tells outages as StoreUnavailable, or a connection."""

from typing import Any, Protocol


class Database(Protocol):
    """The few calls of asyncpg that are used here. Rows give their columns by place and by name."""

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        """All rows."""
        ...

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        """The first row or None."""
        ...

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """The first column of the first row or None."""
        ...

    async def execute(self, sql: str, *arguments: Any) -> Any:
        """PostgreSQL's word on what was done, such as `UPDATE 1`."""
        ...
