"""How an identity provider knows what it keeps here: the table of SCIM resources.

Every method raises StoreUnavailable when the database is away.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import asyncpg

from store.connect import Pool

Kind = Literal["User", "Group"]
COLUMNS = "name, title, external_id, created_at, changed_at, removed_at"
# Only constants are put into SQL (S608 is excused for that); whatever a caller gives is a parameter.
FIND = f"SELECT {COLUMNS} FROM tandem.scim_resource WHERE kind = $1 AND name = ANY ($2)"  # noqa: S608
EVERY = f"SELECT {COLUMNS} FROM tandem.scim_resource WHERE kind = $1 ORDER BY name"  # noqa: S608
KEEP = """
    INSERT INTO tandem.scim_resource AS r (kind, name, title, external_id) VALUES ($1, $2, $3, $4)
    ON CONFLICT (kind, name) DO UPDATE SET
      title = excluded.title, external_id = excluded.external_id, changed_at = now(), removed_at = NULL
    WHERE (r.title, r.external_id) IS DISTINCT FROM (excluded.title, excluded.external_id) OR r.removed_at IS NOT NULL
"""
REMOVE = """
    INSERT INTO tandem.scim_resource AS r (kind, name, removed_at) VALUES ($1, $2, now())
    ON CONFLICT (kind, name) DO UPDATE SET removed_at = now(), changed_at = now() WHERE r.removed_at IS NULL
"""


class TitleTaken(Exception):
    """Another group has this name already."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What the provider was given the id `name` for."""

    name: str
    title: str | None
    external_id: str | None
    created_at: datetime
    changed_at: datetime
    removed_at: datetime | None
    """When the provider deleted it."""


class Resources:
    """The resources of one kind."""

    def __init__(self, database: Pool, kind: Kind) -> None:
        self._database = database
        self._kind = kind

    async def find(self, name: str) -> Resource | None:
        """The resource, removed or not; None where the provider never had one of this name."""
        return (await self.among([name])).get(name)

    async def among(self, names: Collection[str]) -> dict[str, Resource]:
        """Those of these names that the provider has or had."""
        return _by_name(await self._database.fetch(FIND, self._kind, list(names)))

    async def every(self) -> dict[str, Resource]:
        """All of them by name, those removed included."""
        return _by_name(await self._database.fetch(EVERY, self._kind))

    async def keep(self, name: str, title: str | None, external_id: str | None) -> None:
        """From now on the provider has it, by these names. May run twice. Raises TitleTaken."""
        try:
            await self._database.execute(KEEP, self._kind, name, title, external_id)
        except asyncpg.UniqueViolationError:
            raise TitleTaken(title) from None

    async def remove(self, name: str) -> None:
        """The provider has deleted it. May run twice."""
        await self._database.execute(REMOVE, self._kind, name)


def _by_name(rows: Any) -> dict[str, Resource]:
    return {row["name"]: Resource(**row) for row in rows}
