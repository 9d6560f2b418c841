"""Which projects everybody may hear of."""

from collections.abc import Collection

from projections.database import Database


class OpenProjects:
    """Satisfies `notifications.rooms.Openness`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_to_all(self, project_ids: Collection[str]) -> frozenset[str]:
        """Those among them that are locked for nobody. Raises StoreUnavailable."""
        sql = "SELECT id FROM tandem.project WHERE locks IS NULL AND id = ANY ($1)"
        return frozenset(row[0] for row in await self._database.fetch(sql, list(project_ids)))
