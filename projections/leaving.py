"""Where people have something in running projects: asked when somebody was deactivated or is back."""

from collections.abc import Collection

from activities.folding import PREFIX
from activities.leaving import Trace
from projections.database import Database

HOLDING = """
    SELECT m.project_id, m.person FROM tandem.membership m JOIN tandem.project p ON p.id = m.project_id
    WHERE m.person = ANY ($1) AND NOT p.ended
    GROUP BY m.project_id, m.person ORDER BY m.project_id, m.person
"""
# By the index that is written off the way of commits; in the log itself nothing is found by its type.
TRACES = """
    SELECT i.position, i.type, p.id, e.data ->> 'person', i.version
    FROM tandem.event_index i
    JOIN tandem.event e ON e.position = i.position
    JOIN tandem.project p ON p.id = substr(i.stream, $2)
    WHERE i.type IN ('RoleAssigned', 'HolderLeft', 'HolderReturned') AND i.position > $1 AND NOT p.ended
    ORDER BY i.position
"""


class KeptTraces:
    """Read from the pages' tables and the index of events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def holding(self, people: Collection[str]) -> list[tuple[str, str]]:
        """(project, person) wherever one of them holds a role in force, in projects that have not ended."""
        return [tuple(row) for row in await self._database.fetch(HOLDING, sorted(people))]

    async def since(self, position: int) -> list[Trace]:
        """Every role given, leaving and returning after the position, as far as the log is indexed, oldest first."""
        return [Trace(*row) for row in await self._database.fetch(TRACES, position, len(PREFIX) + 1)]
