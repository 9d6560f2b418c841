"""decide: may this be done now, and what happens then. fold: what all that happened amounts to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from domain.messages import COMMANDS, EVENTS, Command, Envelope, Event, Happened, read_command
from domain.project.aggregate import Project
from domain.project.catalog import UPCASTERS
from domain.refusals import Refused, malformed, not_allowed, not_found, wrong_state
from domain.story import Story, evolve
from domain.template import Policy
from domain.values import Role

__all__ = ["COMMANDS", "EVENTS", "decide", "event_from", "evolve", "fold", "may", "read_strictly"]


def decide(
    envelope: Envelope, command: Command, project: Project, templates: Mapping[str, Policy], code: str = ""
) -> tuple[list[Event], Project]:
    """The events that the command leads to, and the project after them.

    Raises Refused; then nothing has happened. `code` names a project that is about to start.
    """
    may(envelope, command, project)
    story = Story(project, envelope.actor, envelope.at, templates, code)
    command.decide(story)
    return story.events, story.project


def may(envelope: Envelope, command: Command, project: Project) -> None:
    """Whether the command makes sense now and this actor may ask for it; raises Refused if not."""
    kind = type(command)
    starting = kind.__name__ == "StartProject"
    if not project.exists and not starting:
        raise not_found("Project", envelope.project_id)
    if refusal := hindrance(kind, project, envelope.actor.person, system=envelope.actor.system):
        raise refusal


def hindrance(kind: type[Command], project: Project, person: str, *, system: bool = False) -> Refused | None:
    """Why this person may not ask for this kind of command now, as far as role, stage and hold tell."""
    if Role.SYSTEM in kind.roles:
        return None if system else not_allowed("The lifecycle alone does this.", code="SystemOnly")
    if project.exists and not project.team.roles(person) & kind.roles:
        return not_allowed(
            f"This is for {', '.join(sorted(kind.roles))} of the project; {person} is none of them.",
            code="WrongRole",
            next_step="Ask somebody in that role.",
        )
    if project.ended:
        return wrong_state("ProjectEnded", "The project is closed.")
    if project.held and not kind.while_held:
        return wrong_state("OnHold", "The project is on hold.", rule="P5", next_step="Resume it first.")
    if project.exists and project.stage not in kind.stages:
        return wrong_state(
            "WrongStage",
            f"This belongs to {', '.join(sorted(kind.stages))}; the project is in {project.stage}.",
            rule="P1",
        )
    return None


@cache
def _reader(kind: type[Event]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def event_from(name: str, schema_version: int, data: Mapping[str, Any]) -> Event:
    """A stored event as today's class, brought up to date by its upcasters. Raises KeyError if unknown."""
    for version in range(schema_version, EVENTS[name].schema_version):
        data = UPCASTERS[name, version](data)
    event: Event = _reader(EVENTS[name]).validate_python(data, strict=False)
    return event


def fold(project: Project, events: Iterable[tuple[Event, Happened]]) -> Project:
    """The project after these events, oldest first."""
    for event, happened in events:
        project = evolve(project, event, happened)
    return project


def read_strictly(name: str, data: Mapping[str, Any]) -> Command:
    """A command from already decoded JSON values. Raises Refused (Malformed)."""
    try:
        encoded = orjson.dumps(data)
    except TypeError:
        raise malformed("The command's data is not JSON.") from None
    return read_command(name, encoded)
