"""The directory as a list of comma-separated values: looked at line by line, taken in, given out. And invitations."""

import asyncio
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

import orjson
from fastapi import Query
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api import asking
from api.directory import WRITING, actor_of, submitted, teams_by_person
from api.dispatch import command_id
from api.exports import safe
from api.language import language_of
from api.operation import KEY, READING, Operation
from api.parts import asker, parts
from api.past import Parameters
from api.people import PRIVATE
from api.problems import Problem
from api.shapes import Shape
from auth.accounts import Accounts
from auth.links import LIVES, Links
from domain.directory.asking import check_may_change, may_change
from domain.directory.importing import MOST_ROWS, ImportPeople, ImportRow, RowOutcome, outcomes
from domain.directory.people import InvitePerson
from domain.directory.record import Directory
from domain.messages import wrong_fields
from domain.values import Person, Value
from projections.preferences import Preference, Preferences

CSV = "text/csv"
COLUMNS = ("person", "team", "role")
MOST_LINES = 5_000
MOST_TOLD = 100
"""Faults named where a list is refused; a dry run names every one."""
BATCHES = UUID("0a4f7a80-4f0e-5c53-8d51-2f0c0a1d5c0e")
"""Command ids of the parts of a long list: the same key, the same ids."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line."""

    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A list as it was read: rows with their line numbers, and lines that could not be read."""

    rows: Sequence[tuple[int, ImportRow]]
    faults: Sequence[Fault]


class FaultShown(Shape):
    """What is wrong with a line of the list."""

    line: int
    code: str
    message: str


class LineShown(Shape):
    """What a line leads to; nothing where all of it is there already."""

    line: int
    person: str
    events: list[str]
    sentences: list[str]


class Imported(Shape):
    """What a list has led to, or would."""

    dry_run: bool
    lines: Annotated[int, Field(description="How many were read.")]
    events: Annotated[dict[str, int], Field(description="How many of each type happened, or would.")]
    faults: list[FaultShown]
    changes: Annotated[list[LineShown], Field(description="Lines that change something; of a dry run alone.")]


class ImportParameters(Parameters):
    """How to take the list."""

    dry_run: Annotated[bool, Field(description="Change nothing; say what would happen, line by line.")] = False


class Invitation(Value):
    """Whom to let in, and in which language they are written to."""

    person: Person
    language: Literal["en", "zh"] | None = None


class Invited(Shape):
    """The link to hand on. It signs the person in once, and is shown this once."""

    person: str
    link: str
    expires_in_hours: int


async def import_list(request: Request, asked: Annotated[ImportParameters, Query()]) -> Response:
    """Add the people, teams and roles of a list: UTF-8, the first line `person,team,role`, at most 5,000 lines.

    What is there already stays; the same list again changes nothing. Where a line is wrong nothing is taken.
    """
    key = asking.idempotency_key(request)
    reading = read_list(await asking.body(request, CSV))
    actor, administration = actor_of(request), parts(request).administration
    record = await administration.record()
    # Line by line, which takes its time, for whom it is told alone; others are served meanwhile.
    theirs = may_change(record, actor.person)
    found = await asyncio.to_thread(_looked_at, record, reading, actor.person) if theirs else ()
    if asked.dry_run or not reading.rows:
        check_may_change(record, actor.person)
    if asked.dry_run:
        return _answer(_told(reading, found, language_of(request), actor.person))
    # Whoever may not is refused by the command itself, which notes it; what is wrong with the list is not for them.
    if theirs and (faults := _faults(reading, found)):
        raise _refused(faults)
    done = await _taken(request, [row for _, row in reading.rows], command_id(key))
    return _answer(
        {"dry_run": False, "lines": len(reading.rows), "events": _counted(done), "faults": [], "changes": []}
    )


async def export_list(request: Request) -> Response:
    """Everybody who is active, with teams and roles in force, as the list that `import` takes."""
    asking.no_query(request)
    known, written = await parts(request).roster.directory(), io.StringIO()
    rows = csv.writer(written)
    rows.writerow(COLUMNS)
    teams = teams_by_person(known)
    for person in sorted(known.people):
        if not known.left(person):
            rows.writerows(
                map(safe, row) for row in _lines_of(person, teams.get(person, []), sorted(known.roles(person)))
            )
    headers = {**PRIVATE, "Content-Disposition": 'attachment; filename="directory.csv"'}
    return Response(written.getvalue(), 200, headers, CSV)


async def invite(request: Request) -> Response:
    """Let a person in who never signed in: adds them to the directory and answers with a link that signs them in once.

    Whoever has signed in before gets no link here: an administrator could otherwise act in anybody's name.
    """
    asking.no_query(request)
    wanted, behind = _invitation(await asking.body(request)), parts(request)
    pool, accounts = behind.store.pool, Accounts(behind.store.pool)
    known = await behind.administration.record()
    # Whoever may not invite is refused by the command, and learns nothing of accounts.
    if may_change(known, asker(request).principal) and await accounts.used(wanted.person):
        raise Problem("SignedInBefore")
    await submitted(request, InvitePerson(person=wanted.person))
    await accounts.make(wanted.person)
    if wanted.language is not None:
        await _speaks(Preferences(pool), wanted.person, wanted.language)
    secret = await Links(pool).make("sign-in", wanted.person, asker(request).principal)
    link = f"{str(request.base_url).rstrip('/')}/sign-in/{secret}"
    hours = int(LIVES["sign-in"].total_seconds() // 3600)
    shown = {"person": wanted.person, "link": link, "expires_in_hours": hours}
    return Response(orjson.dumps(shown), 201, {"Cache-Control": "no-store"}, "application/json")


def read_list(raw: bytes) -> Reading:
    """The rows of a list. Raises Problem where it is none at all."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem("NoList", f"The list is not UTF-8: see byte {error.start}.") from None
    lines = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip().lower() for name in lines.fieldnames or ()]
        if "person" not in names or set(names) - set(COLUMNS) or len(set(names)) != len(names):
            raise Problem("NoList", "The first line names the columns: person,team,role.")
        lines.fieldnames = names
        return _read(lines)
    except csv.Error as error:
        raise Problem("NoList", f"Line {lines.line_num + 1} cannot be read: {error}.") from None


def _read(lines: "csv.DictReader[str]") -> Reading:
    rows: list[tuple[int, ImportRow]] = []
    faults: list[Fault] = []
    for fields in lines:
        if len(rows) + len(faults) >= MOST_LINES:
            raise Problem("NoList", f"A list has at most {MOST_LINES} lines.")
        try:
            rows.append((lines.line_num, _row(fields)))
        except ValidationError as error:
            wrong = wrong_fields(error)[0]
            faults.append(Fault(lines.line_num, wrong["code"], f"{wrong['pointer'].lstrip('/')}: {wrong['message']}"))
        except ValueError as error:
            faults.append(Fault(lines.line_num, "columns", str(error)))
    return Reading(rows, faults)


def _row(fields: dict[str | Any, str | Any]) -> ImportRow:
    """Raises ValueError, and ValidationError, which is one."""
    if None in fields or None in fields.values():
        raise ValueError("The line has more or fewer columns than the first one.")
    given = {name: value.strip() for name, value in fields.items() if value.strip()}
    if "role" in given:
        given["role"] = given["role"].upper()
    return ImportRow.model_validate(given)


Looked = Sequence[tuple[int, ImportRow, RowOutcome]]


def _looked_at(record: Directory, reading: Reading, person: str) -> Looked:
    """What each line leads to, on top of those before it."""
    found = outcomes(record, [row for _, row in reading.rows], person)
    return [(line, row, outcome) for (line, row), outcome in zip(reading.rows, found, strict=True)]


def _faults(reading: Reading, found: Looked) -> list[Fault]:
    """Lines that cannot be read and lines that a rule refuses, in order."""
    refused = ((line, outcome.refusal) for line, _, outcome in found if outcome.refusal)
    by_rule = [Fault(line, refusal.code, refusal.detail) for line, refusal in refused]
    return sorted([*reading.faults, *by_rule], key=lambda fault: fault.line)


def _refused(faults: Sequence[Fault]) -> Problem:
    told = [
        {"pointer": f"/lines/{f.line}", "code": f.code, "message": f"Line {f.line}: {f.message}"}
        for f in faults[:MOST_TOLD]
    ]
    return Problem("LinesRefused", f"{len(faults)} lines are wrong, so none was taken.", errors=told)


def _told(reading: Reading, found: Looked, language: str, person: str) -> dict[str, Any]:
    """What would happen."""
    changes: list[dict[str, Any]] = [
        {
            "line": line,
            "person": row.person,
            "events": [type(event).__name__ for event in outcome.events],
            "sentences": [event.sentence(language, person) for event in outcome.events],
        }
        for line, row, outcome in found
        if outcome.events
    ]
    return {
        "dry_run": True,
        "lines": len(reading.rows) + len(reading.faults),
        "events": _counted([name for change in changes for name in change["events"]]),
        "faults": [{"line": f.line, "code": f.code, "message": f.message} for f in _faults(reading, found)],
        "changes": changes,
    }


async def _taken(request: Request, rows: Sequence[ImportRow], key: str) -> list[str]:
    """The names of what happened. Cut short, the same list makes up for the rest."""
    done: list[str] = []
    for start in range(0, len(rows), MOST_ROWS):
        part = ImportPeople(rows=tuple(rows[start : start + MOST_ROWS]))
        done += (await submitted(request, part, str(uuid5(BATCHES, f"{key}\n{start}")))).events
    return done


def _counted(names: Sequence[str]) -> dict[str, int]:
    return {name: names.count(name) for name in dict.fromkeys(names)}


def _lines_of(person: str, teams: Sequence[str], roles: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """As many lines as it takes for every team and every role."""
    for team, role in zip_longest(teams or [""], roles, fillvalue=""):
        yield person, team, role


def _invitation(raw: bytes) -> Invitation:
    try:
        return Invitation.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise Problem("Invalid", errors=list(wrong_fields(error))) from None


async def _speaks(preferences: Preferences, person: str, language: str) -> None:
    """The person is written to in this language, unless they have said what they want."""
    if person not in await preferences.of_all([person]):
        await preferences.keep(replace(Preference(person), language=language))


def _answer(shown: dict[str, Any]) -> Response:
    return Response(orjson.dumps(shown), headers=PRIVATE, media_type="application/json")


OPERATIONS = (
    Operation(
        "POST",
        "/v1/directory/import",
        "importDirectory",
        "directory",
        import_list,
        Imported,
        problems=WRITING,
        extra={
            "parameters": [KEY],
            "requestBody": {
                "required": True,
                "content": {CSV: {"schema": {"type": "string"}, "example": "person,team,role\r\nli.wei,sales,\r\n"}},
            },
        },
    ),
    Operation(
        "GET",
        "/v1/directory/export",
        "exportDirectory",
        "directory",
        export_list,
        None,
        problems=READING,
        content={CSV: {"schema": {"type": "string"}}},
    ),
    Operation(
        "POST",
        "/v1/directory/invite",
        "invitePerson",
        "directory",
        invite,
        Invited,
        201,
        problems=WRITING,
        extra={"parameters": [KEY]},
        body=Invitation,
    ),
)
