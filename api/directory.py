"""The directory: who belongs to the organisation, in which teams, with which roles; a route for each command on it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from activities.keeping import Kept
from api import asking
from api.commands import Endpoint
from api.dispatch import command_id
from api.operation import KEY, READING, Operation, path_parameter
from api.parts import asker, parts, surroundings
from api.past import Parameters
from api.people import PRIVATE, name_of, read_keeping
from api.plain import moment, plain
from api.problems import Problem, invalid
from api.shapes import Shape
from auth.accounts import Accounts
from auth.credentials import Credentials, trusts_names
from domain.directory.asking import is_provider
from domain.directory.catalog import COMMANDS
from domain.directory.granting import GrantOrganisationRole
from domain.directory.people import FoundDirectory
from domain.directory.record import Directory, Entry, OrganisationGrant, OrganisationRole
from domain.keeping.record import KeepingCommand
from domain.messages import Actor, dashed
from domain.refusals import not_allowed

WRITING = (401, 403, 409, 413, 415, 422, 503)


class PersonShown(Shape):
    """A person of the organisation."""

    person: str
    active: bool
    since: str
    left_at: str | None
    teams: list[str]
    roles: list[OrganisationRole]


class TeamShown(Shape):
    """A team, with those of its members who are active."""

    team: str
    members: list[str]


class GrantShown(Shape):
    """An organisation role given to somebody."""

    grant: str
    person: str
    role: OrganisationRole
    by: str
    since: str
    in_force: Annotated[bool, Field(description="Whether a second person stands behind it.")]
    ended_at: str | None


class PersonList(Shape):
    """People by name; `next` goes into `cursor`."""

    items: list[PersonShown]
    next: str | None


class TeamList(Shape):
    """Teams by name; `next` goes into `cursor`."""

    items: list[TeamShown]
    next: str | None


class GrantList(Shape):
    """Grants in the order given; `next` goes into `cursor`."""

    items: list[GrantShown]
    next: str | None


class Changed(Shape):
    """The directory after a command."""

    version: int
    events: Annotated[list[str], Field(description="What happened; nothing where all was so already.")]
    grant: Annotated[GrantShown | None, Field(description="The grant, where the command gave one.")] = None


class ListParameters(Parameters):
    """Which page."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many on a page.")] = 50
    cursor: Annotated[str | None, Field(max_length=70, description="`next` of the page before.")] = None


class PersonParameters(ListParameters):
    """Which people."""

    active: Annotated[bool | None, Field(description="Only those who are, or who have left.")] = None


class GrantParameters(ListParameters):
    """Which grants."""

    ended: Annotated[bool, Field(description="Those that have ended, too.")] = False


async def list_people(request: Request, asked: Annotated[PersonParameters, Query()]) -> Response:
    """Everybody in the directory, by name."""
    known = await parts(request).roster.directory()
    wanted = (p for p, entry in known.people.items() if asked.active in {None, entry.left_at is None})
    names = sorted(name for name in wanted if asked.cursor is None or name > asked.cursor)[: asked.limit + 1]
    teams = teams_by_person(known)
    return _page([_person(known, name, teams) for name in names], asked.limit, "person")


async def read_entry(request: Request) -> Response:
    """One person of the directory."""
    asking.no_query(request)
    name, known = name_of(request), await parts(request).roster.directory()
    if name not in known.people:
        raise Problem("NotFound", "The directory does not know this person.")
    return _answer(_person(known, name, teams_by_person(known)))


async def list_teams(request: Request, asked: Annotated[ListParameters, Query()]) -> Response:
    """Teams with their active members, by name."""
    known = await parts(request).roster.directory()
    names = sorted(name for name in known.teams if asked.cursor is None or name > asked.cursor)[: asked.limit + 1]
    shown = [{"team": name, "members": sorted(_active(known, known.teams[name].members))} for name in names]
    return _page(shown, asked.limit, "team")


async def list_roles(request: Request, asked: Annotated[GrantParameters, Query()]) -> Response:
    """Who has which role of the organisation, and what a second administrator is still to confirm."""
    known = await parts(request).roster.directory()
    after = _number(asked.cursor)
    wanted = (g for g in known.grants[after:] if asked.ended or g.ended_at is None)
    shown = [_grant(grant) for grant, _ in zip(wanted, range(asked.limit + 1), strict=False)]
    return _page(shown, asked.limit, "grant")


async def found(request: Request) -> Response:
    """Found the directory: the caller is its first person and administrator.

    On a development machine for anybody; else the page of the first run does it, and here only the owner may.
    """
    asking.no_query(request)
    who = asker(request).principal
    command = read_keeping(FoundDirectory, await asking.body(request))
    if not trusts_names(surroundings(request).authenticator):
        owner = await Accounts(parts(request).store.pool).owner()
        if who != owner:
            raise not_allowed(
                "The directory is founded by the first run, and else by the owner alone.",
                code="NotOwner",
                rule="D1",
                next_step="Use the link that `tandem up` has printed.",
            )
    return answered(await submitted(request, command))


def endpoint(kind: type[KeepingCommand]) -> Endpoint:
    """What answers one of the commands on the directory."""

    async def submit(request: Request) -> Response:
        asking.no_query(request)
        command = read_keeping(kind, await asking.body(request))
        kept = await submitted(request, command)
        return answered(kept, _given(kept.record, command) if isinstance(command, GrantOrganisationRole) else None)

    submit.__doc__ = kind.__doc__
    return submit


async def submitted(request: Request, command: KeepingCommand, key: str | None = None) -> Kept:
    """The command, asked by the caller. Raises Refused, Problem, Contended, StoreUnavailable."""
    used = key or command_id(asking.idempotency_key(request))
    kept = await parts(request).administration.submit(command, actor_of(request), used)
    known = surroundings(request).authenticator
    if isinstance(known, Credentials):
        known.forget()
    return kept


def actor_of(request: Request) -> Actor:
    """The caller. Raises Refused where it has a provider's name: those come through their own doors."""
    who = asker(request)
    if is_provider(who.principal):
        raise not_allowed("Identity providers do not ask here.", code="NotAdministrator", rule="D1")
    return Actor(who.principal, client=who.client)


def answered(kept: Kept, grant: OrganisationGrant | None = None) -> Response:
    """What a command is answered with."""
    shown: dict[str, Any] = {"version": kept.record.version, "events": list(kept.events)}
    answer = _answer(shown | ({"grant": _grant(grant)} if grant else {}))
    answer.headers["ETag"] = f'"{kept.record.version}"'
    if kept.repeated:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


def _given(known: Directory, command: GrantOrganisationRole) -> OrganisationGrant:
    """The newest grant of this role to this person."""
    return next(g for g in reversed(known.grants) if (g.person, g.role) == (command.person, command.role))


def teams_by_person(known: Directory) -> Mapping[str, list[str]]:
    """The teams of each person, by name; those who left have none."""
    found: dict[str, list[str]] = {}
    for name, team in sorted(known.teams.items()):
        for person in _active(known, team.members):
            found.setdefault(person, []).append(name)
    return found


def _active(known: Directory, people: Iterable[str]) -> Iterator[str]:
    return (person for person in people if not known.left(person))


def _person(known: Directory, name: str, teams: Mapping[str, list[str]]) -> dict[str, Any]:
    entry: Entry = known.people[name]
    return {
        "person": name,
        "active": entry.left_at is None,
        "since": moment(entry.since),
        "left_at": plain(entry.left_at),
        "teams": teams.get(name, []),
        "roles": sorted(known.roles(name)),
    }


def _grant(grant: OrganisationGrant) -> dict[str, Any]:
    return {
        "grant": grant.id,
        "person": grant.person,
        "role": grant.role,
        "by": grant.by,
        "since": moment(grant.since),
        "in_force": grant.in_force,
        "ended_at": plain(grant.ended_at),
    }


def _number(cursor: str | None) -> int:
    """How many grants there are up to the one that the cursor names."""
    if cursor is None:
        return 0
    number = cursor.removeprefix("R-")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise invalid("/query/cursor", "Give `next` of the page before, unchanged.")
    return int(number)


def _page(shown: list[dict[str, Any]], limit: int, name: str) -> Response:
    more = len(shown) > limit
    return _answer({"items": shown[:limit], "next": shown[limit - 1][name] if more else None})


def _answer(shown: dict[str, Any]) -> Response:
    return Response(orjson.dumps(shown), headers=PRIVATE, media_type="application/json")


def _command(path: str, name: str, kind: type[KeepingCommand], answers: Endpoint) -> Operation:
    return Operation(
        "POST",
        f"/v1/directory/{path}",
        name,
        "directory",
        answers,
        Changed,
        problems=WRITING,
        extra={"parameters": [KEY]},
        body=kind if kind.model_fields else None,
    )


def _named(kind: type[KeepingCommand]) -> Operation:
    name = kind.__name__
    return _command(dashed(name), name[0].lower() + name[1:], kind, endpoint(kind))


OPERATIONS = (
    Operation("GET", "/v1/directory/people", "listPeople", "directory", list_people, PersonList, problems=READING),
    Operation(
        "GET",
        "/v1/directory/people/{person}",
        "readEntry",
        "directory",
        read_entry,
        PersonShown,
        problems=READING,
        extra={"parameters": [path_parameter("person", "A person, e.g. `li.wei`.")]},
    ),
    Operation("GET", "/v1/directory/teams", "listTeams", "directory", list_teams, TeamList, problems=READING),
    Operation("GET", "/v1/directory/roles", "listRoles", "directory", list_roles, GrantList, problems=READING),
    _command("found", "foundDirectory", FoundDirectory, found),
    *map(_named, COMMANDS),
)
