"""What is known of people over all projects: who is a PMO officer, who was erased."""

from datetime import datetime

from projections.database import Database

# The streams of persons lie together in the index: `.` follows on `-`.
ERASED = """
    SELECT e.data ->> 'person', e.recorded_at FROM tandem.event e
    WHERE e.stream >= 'person-' AND e.stream < 'person.' AND e.type = 'PersonErased'
    ORDER BY e.recorded_at, e.stream
"""


async def is_officer(database: Database, person: str) -> bool:
    """Whether the person is PMO of any project."""
    sql = "SELECT EXISTS (SELECT FROM tandem.membership WHERE person = $1 AND role = 'PMO')"
    return bool(await database.fetchval(sql, person))


async def erased(database: Database) -> list[tuple[str, datetime]]:
    """Everybody whose erasure the log holds, oldest first."""
    return [tuple(row) for row in await database.fetch(ERASED)]
