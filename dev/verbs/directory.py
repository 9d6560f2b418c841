"""People, teams and organisation roles on the command line: see docs/how-to/people.md."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dev.verbs.asked import (
    JsonOption,
    LimitOption,
    TokenOption,
    UrlOption,
    api,
    asking,
    print_json,
    print_lines,
    print_table,
)

directory = typer.Typer(help="Who belongs to the organisation, as a whole.", no_args_is_help=True)
people = typer.Typer(help="People of the organisation.", no_args_is_help=True)
team = typer.Typer(help="Teams of the organisation.", no_args_is_help=True)
role = typer.Typer(help="Roles beyond single projects: PMO, AUDITOR, ADMINISTRATOR.", no_args_is_help=True)
PersonArgument = Annotated[str, typer.Argument(help="A name such as li.wei.")]
PeopleArgument = Annotated[list[str], typer.Argument(help="Names, up to 200.")]
TeamArgument = Annotated[str, typer.Argument(help="The team's name, such as sales.")]
GrantArgument = Annotated[str, typer.Argument(help="As `role list` names it, such as R-2.")]


@directory.command("found")
def found(as_json: JsonOption = False, url: UrlOption = None, token: TokenOption = "") -> None:
    """Found the directory: you become its first administrator."""
    _done("found", {}, as_json, url, token)


@directory.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="Where to; an existing file is replaced.")],
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Write everybody who is active to a list that `people import` takes."""
    with asking(False), file.open("wb") as written:
        api(url, token).download("/v1/directory/export", written)


@people.command("list")
def list_people(
    active: Annotated[
        bool | None, typer.Option("--active/--left", help="Only those who are, or who have left.")
    ] = None,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Everybody in the directory."""
    with asking(as_json):
        items = list(api(url, token).items("/v1/directory/people", cursor="cursor", limit=limit, active=active))
    rows = [
        [i["person"], "active" if i["active"] else "left", ", ".join(i["teams"]), ", ".join(i["roles"])] for i in items
    ]
    print_table(items, ["PERSON", "STATE", "TEAMS", "ROLES"], rows, as_json)


@people.command("add")
def add_person(
    person: PersonArgument, as_json: JsonOption = False, url: UrlOption = None, token: TokenOption = ""
) -> None:
    """Add a person to the directory."""
    _done("add-person", {"person": person}, as_json, url, token)


@people.command("invite")
def invite(
    person: PersonArgument,
    language: Annotated[str | None, typer.Option(help="en or zh: how they are written to.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Let somebody in who never signed in: the link, printed this once, signs them in once."""
    made = _sent("invite", {"person": person, "language": language}, as_json, url, token)
    if as_json:
        print_json(made)
        return
    hours = made["expires_in_hours"]
    typer.echo(
        f"For {person} alone; whoever opens it first is {person}. It works once, within {hours} hours:", err=True
    )
    print(made["link"])


@people.command("deactivate")
def deactivate(
    person: PersonArgument,
    because: Annotated[
        str, typer.Option(help="left the organisation, long absence, account at risk.")
    ] = "left the organisation",
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Let a person no longer sign in or act, at once; their organisation roles end."""
    _done("deactivate-person", {"person": person, "basis": because}, as_json, url, token)


@people.command("reactivate")
def reactivate(
    person: PersonArgument, as_json: JsonOption = False, url: UrlOption = None, token: TokenOption = ""
) -> None:
    """Let a person who was deactivated sign in again; roles have to be granted anew."""
    _done("reactivate-person", {"person": person}, as_json, url, token)


@people.command("import")
def import_people(
    file: Annotated[
        Path, typer.Argument(help="UTF-8, comma-separated; the first line: person,team,role.", exists=True)
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would happen.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Add the people, teams and roles of a list: all of it, or nothing where a line is wrong (exit code 1, or 2)."""
    with asking(as_json):
        told = api(url, token).upload("/v1/directory/import", file.read_bytes(), "text/csv", dry_run=dry_run)
    if as_json:
        print_json(told)
    else:
        print_lines(_outcome(told))
    raise typer.Exit(1 if told["faults"] else 0)


@team.command("list")
def list_teams(
    limit: LimitOption = 200, as_json: JsonOption = False, url: UrlOption = None, token: TokenOption = ""
) -> None:
    """Teams and who is in them."""
    with asking(as_json):
        items = list(api(url, token).items("/v1/directory/teams", cursor="cursor", limit=limit))
    print_table(items, ["TEAM", "MEMBERS"], [[i["team"], ", ".join(i["members"])] for i in items], as_json)


@team.command("make")
def make_team(name: TeamArgument, as_json: JsonOption = False, url: UrlOption = None, token: TokenOption = "") -> None:
    """Make a team, with nobody in it."""
    _done("make-team", {"team": name}, as_json, url, token)


@team.command("add")
def add_to_team(
    name: TeamArgument,
    members: PeopleArgument,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Add people of the directory to a team."""
    _done("add-to-team", {"team": name, "people": members}, as_json, url, token)


@team.command("remove")
def remove_from_team(
    name: TeamArgument,
    members: PeopleArgument,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Remove people from a team."""
    _done("remove-from-team", {"team": name, "people": members}, as_json, url, token)


@team.command("dissolve")
def dissolve_team(
    name: TeamArgument, as_json: JsonOption = False, url: UrlOption = None, token: TokenOption = ""
) -> None:
    """End a team; its people stay in the directory."""
    _done("dissolve-team", {"team": name}, as_json, url, token)


@role.command("list")
def list_roles(
    ended: Annotated[bool, typer.Option("--ended", help="Those that have ended, too.")] = False,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Who has which role, and what a second administrator is still to confirm."""
    with asking(as_json):
        items = list(api(url, token).items("/v1/directory/roles", cursor="cursor", limit=limit, ended=ended))
    rows = [[i["grant"], i["person"], i["role"], _state(i), i["by"]] for i in items]
    print_table(items, ["GRANT", "PERSON", "ROLE", "STATE", "BY"], rows, as_json)


@role.command("grant")
def grant_role(
    person: PersonArgument,
    name: Annotated[str, typer.Argument(metavar="ROLE", help="PMO, AUDITOR or ADMINISTRATOR.")],
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Give somebody a role; from the second administrator on another one has to confirm it."""
    told = _sent("grant-organisation-role", {"person": person, "role": name.upper()}, as_json, url, token)
    if as_json:
        print_json(told)
        return
    given = told["grant"]
    print(given["grant"])
    if not given["in_force"]:
        typer.echo(f"Another administrator has to confirm it: tandem role confirm {given['grant']}", err=True)


@role.command("confirm")
def confirm_role(
    grant: GrantArgument, as_json: JsonOption = False, url: UrlOption = None, token: TokenOption = ""
) -> None:
    """Stand behind a role that another administrator gave: it is in force."""
    _done("confirm-organisation-role", {"grant": grant}, as_json, url, token)


@role.command("end")
def end_role(grant: GrantArgument, as_json: JsonOption = False, url: UrlOption = None, token: TokenOption = "") -> None:
    """End a role, in force or still to be confirmed."""
    _done("end-organisation-role", {"grant": grant}, as_json, url, token)


def _sent(command: str, body: dict[str, Any], as_json: bool, url: str | None, token: str) -> Any:
    with asking(as_json):
        return api(url, token).command(f"/v1/directory/{command}", body, None, None)


def _done(command: str, body: dict[str, Any], as_json: bool, url: str | None, token: str) -> None:
    told = _sent(command, body, as_json, url, token)
    if as_json:
        print_json(told)
    else:
        typer.echo(", ".join(told["events"]) or "Nothing was to be done.", err=True)


def _state(grant: dict[str, Any]) -> str:
    if grant["ended_at"]:
        return "ended"
    return "in force" if grant["in_force"] else "to confirm"


def _outcome(told: dict[str, Any]) -> list[str]:
    """What a list has led to or would, for reading."""
    counts = [f"{name}: {number}" for name, number in told["events"].items()] or ["Nothing was to be done."]
    lines = [f"line {c['line']}: {sentence}" for c in told["changes"] for sentence in c["sentences"]]
    faults = [f"line {f['line']} is wrong: {f['message']}" for f in told["faults"]]
    note = "Nothing was changed: this was a dry run."
    return [*lines, *faults, *counts, *([note] if told["dry_run"] else [])]
