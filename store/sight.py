"""What of the log exists for a reader, as conditions of the statements that read it.

A condition is asked in the statement itself: between two statements a project may close itself to the reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from store.connect import Pool

UNSEEN = "SELECT s FROM unnest($2::text[]) AS s WHERE s IN (SELECT tandem.unseen($1::text[]))"
SEEN = "SELECT id FROM tandem.project WHERE id = ANY ($2) AND (locks IS NULL OR locks ?| $1::text[])"
NO_PROJECT = "NoProject"
"""The code of refusals for want of a project. They tell of whoever asked, and nothing of any project."""


class Unseen:
    """Satisfies `activities.sight.Rows`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def unseen(self, keys: Sequence[str], streams: Sequence[str]) -> set[str]:
        """Those of the streams that are of a project which none of the keys opens. Raises StoreUnavailable."""
        return {row[0] for row in await self._pool.fetch(UNSEEN, list(keys), list(streams))}

    async def seen(self, keys: Sequence[str], project_ids: Sequence[str]) -> set[str]:
        """Those of the ids that are of a project which is open, or which one of the keys opens."""
        return {row[0] for row in await self._pool.fetch(SEEN, list(keys), list(project_ids))}


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose record the audit view shows: of every project that the keys open, or of the person's own alone."""

    keys: Sequence[str]
    person: str | None = None
    """None: of every project."""

    def condition(self, arguments: list[Any], *, refusals: bool = False) -> str:
        """In SQL, over rows that have a stream; its values are put behind `arguments`."""
        arguments.append(list(self.keys) if self.person is None else self.person)
        number = len(arguments)
        if self.person is not None:
            return f"stream IN (SELECT tandem.auditable(${number}))"
        seen = f"stream NOT IN (SELECT tandem.unseen(${number}::text[]))"
        # What was refused for want of a project looks the same whether there is one or not.
        return f"({seen} OR code = '{NO_PROJECT}')" if refusals else seen
