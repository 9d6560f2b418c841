"""Sealed texts on their way to a reader: in clear for the people of the project, else words that say why not."""

from typing import Any

from activities.folding import PREFIX, stream_of
from api.parts import Parts
from domain.personal import sealed_for
from domain.project.aggregate import Project


async def opened(behind: Parts, stream: str, reader: str, value: Any, language: str, event_id: object = None) -> Any:
    """A JSON value with its sealed texts opened where the reader holds a role in the project, or is spoken of."""
    persons = sealed_for(value)
    if not persons:
        return value
    allowed = reader in persons or await _belongs(behind, stream, reader)
    return await behind.vault.open(stream, value, language, allowed=allowed, event_id=event_id)


async def opened_state(
    behind: Parts, project: Project, reader: str, shown: dict[str, Any], language: str
) -> dict[str, Any]:
    """The shown state of a project with its evaluations opened: nothing else in it is sealed."""
    if not project.retrospective.evaluations:
        return shown
    name = "retrospective"
    return {**shown, name: await opened(behind, stream_of(project.id), reader, shown[name], language)}


async def _belongs(behind: Parts, stream: str, reader: str) -> bool:
    folded = await behind.step.states.current(stream.removeprefix(PREFIX))
    return bool(folded.project.team.roles(reader))
