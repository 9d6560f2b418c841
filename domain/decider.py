"""decide: may this be done now, and what happens then. fold: what all that happened amounts to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from domain.messages import COMMANDS, EVENTS, Command, Envelope, Event, Happened, read_command
from domain.permissions import START, Bar, bar
from domain.project.aggregate import Project
from domain.project.catalog import UPCASTERS
from domain.project.delegation import authority
from domain.refusals import Refused, malformed, no_project, not_allowed, wrong_state
from domain.story import Story, evolve
from domain.template import Policy
from domain.values import Role, Stage

__all__ = ["COMMANDS", "EVENTS", "decide", "event_from", "evolve", "fold", "may", "read_strictly", "represented"]


def decide(
    envelope: Envelope, command: Command, project: Project, templates: Mapping[str, Policy], code: str = ""
) -> tuple[list[Event], Project]:
    """The events that the command leads to, and the project after them.

    Raises Refused; then nothing has happened. `code` names a project that is about to start.
    """
    envelope = represented(envelope, command, project)
    may(envelope, command, project)
    story = Story(project, envelope.actor, envelope.at, templates, code)
    command.decide(story)
    return story.events, story.project


def represented(envelope: Envelope, command: Command, project: Project) -> Envelope:
    """The envelope with the delegation under which its actor acts for another; raises Refused where there is none."""
    actor = envelope.actor
    person = command.represents or actor.on_behalf_of
    if person is None or person == actor.principal:
        return envelope
    held = authority(project, actor.principal, person, envelope.at) if command.delegable else None
    if held is None:
        raise not_allowed(
            f"{actor.principal} holds no delegation of {person} for this.",
            code="NoDelegation",
            rule="DR7",
            next_step=f"Act in your own name, or let {person} delegate (grant-delegation) or hand the seat over.",
        )
    return replace(envelope, actor=replace(actor, on_behalf_of=person, delegation=held.id))


def may(envelope: Envelope, command: Command, project: Project) -> None:
    """Whether the command makes sense now and this actor may ask for it; raises Refused if not."""
    kind, actor = type(command), envelope.actor
    if not project.exists and kind.__name__ != START:
        raise no_project(envelope.project_id)
    if refusal := hindrance(kind, project, actor.person, system=actor.system):
        raise refusal


def hindrance(kind: type[Command], project: Project, person: str, *, system: bool = False) -> Refused | None:
    """Why this person may not ask for this kind of command now, as far as role, stage and hold tell."""
    if not project.exists:
        return None
    roles = frozenset({Role.SYSTEM}) if system else project.team.roles(person)
    found = bar(kind, roles, project.stage, held=project.held)
    return _refusal(found, kind, project, person) if found else None


def _refusal(found: Bar, kind: type[Command], project: Project, person: str) -> Refused:
    """What the table of rights says, in words."""
    match found:
        case Bar.SYSTEM_ONLY:
            return not_allowed(
                "The lifecycle alone does this.",
                code="SystemOnly",
                next_step="Nothing is to be done: it happens by itself when it is due.",
            )
        case Bar.ENDED:
            return wrong_state(
                "ProjectEnded",
                f"{project.code} is closed ({project.lifecycle.ending}); nothing more happens in it.",
                next_step="Start another project for what is still to do.",
            )
        case Bar.ON_HOLD:
            return wrong_state(
                "OnHold",
                f"{project.code} is on hold: {project.lifecycle.hold_reason}",
                rule="P5",
                next_step="Resume it first: resume-project.",
            )
        case Bar.WRONG_STAGE:
            stages = ", ".join(stage for stage in Stage if stage in kind.stages)
            return wrong_state(
                "WrongStage",
                f"This belongs to {stages}; {project.code} is in {project.stage}.",
                rule="P1",
                next_step="See which commands the present stage allows.",
            )
        case _:
            return not_allowed(
                f"This is for {', '.join(sorted(kind.roles))} of the project; {person} is none of them.",
                code="WrongRole",
                next_step="Ask somebody in that role.",
            )


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
