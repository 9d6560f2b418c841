"""The `tandem` command. Data goes to stdout, talk to stderr.

Exit codes: 0 done · 1 failed or refused by a rule · 2 wrongly asked · 3 not found · 4 not allowed ·
5 conflict (somebody was first) · 6 not reachable, try again.
"""

# What a verb needs is imported inside it: `tandem --help` must not wait for Temporal or the rules to load.
import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dev.verbs import archive, audit, directory, feeds, keeping, people, privacy, proof, providers, seal, travel
from dev.verbs.asked import (
    HomeOption,
    JsonOption,
    LimitOption,
    OnceOption,
    PortOption,
    TokenOption,
    UrlOption,
    api,
    asking,
    database_trouble,
    home_of,
    print_lines,
    segment,
)

if TYPE_CHECKING:
    from rich.console import Console

    from dev.doctor import Patient
    from dev.home import Home

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
project = typer.Typer(help="Look at projects.", no_args_is_help=True)
settings = typer.Typer(help="Look at the settings.", no_args_is_help=True)
app.add_typer(project, name="project")
app.add_typer(settings, name="config")
app.add_typer(audit.audit, name="audit")
app.add_typer(feeds.webhook, name="webhook")
app.add_typer(seal.seal, name="seal")
app.add_typer(seal.witness, name="witness")
app.add_typer(feeds.consumer, name="consumer")
app.add_typer(archive.archive, name="archive")
app.add_typer(privacy.privacy, name="privacy")
app.add_typer(directory.directory, name="directory")
app.add_typer(directory.people, name="people")
app.add_typer(directory.team, name="team")
app.add_typer(directory.role, name="role")
project.command("diff")(travel.diff)
app.command("sign-in")(people.sign_in)
app.command("connect-provider")(providers.connect_provider)
app.command("export")(proof.export)
app.command("verify")(proof.verify)
app.command("import")(proof.import_pack)
for _verb in (keeping.backup, keeping.restore, keeping.rebuild):
    app.command()(_verb)


def main() -> None:
    """The entry point of the `tandem` script."""
    app()


@app.command()
def up(
    demo: Annotated[bool, typer.Option("--demo", help="Then play a project from kickoff to its end.")] = False,
    once: OnceOption = False,
    home: HomeOption = None,
    port: PortOption = 8400,
) -> None:
    """Start everything on this machine: PostgreSQL, Temporal, worker and server."""
    from dev.launcher import Wishes
    from dev.launcher import up as launch

    raise typer.Exit(launch(Wishes(home_of(home), port, demo, once), _console()))


@app.command()
def demo(once: OnceOption = False, home: HomeOption = None, port: PortOption = 8400) -> None:
    """The same as `up --demo`."""
    up(demo=True, once=once, home=home, port=port)


@app.command()
def doctor(home: HomeOption = None, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Look for what is wrong, and say what to do about it. Exit code 1 if something is."""
    import json
    from dataclasses import asdict

    from dev.doctor import State, examine
    from dev.screen import Screen

    found = asyncio.run(examine(_patient(home_of(home), url)))
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], ensure_ascii=False))
    else:
        Screen(_console()).findings(found)
    raise typer.Exit(1 if any(finding.state is State.WRONG for finding in found) else 0)


@app.command()
def migrate(
    status: Annotated[bool, typer.Option("--status", help="Change nothing; exit code 1 if some are missing.")] = False,
) -> None:
    """Bring the database's schema up to date."""
    from config import Settings

    known = Settings()
    dsn = (known.migration_url or known.database_url).get_secret_value()
    with database_trouble():
        if status:
            raise typer.Exit(asyncio.run(_migration_status(dsn)))
        asyncio.run(_migrate(dsn))


@app.command()
def version(as_json: JsonOption = False) -> None:
    """The versions of Tandem and of this Python."""
    import json
    import platform

    told = {"tandem": _own_version(), "python": platform.python_version()}
    print(json.dumps(told) if as_json else f"tandem {told['tandem']} (Python {told['python']})")


@settings.command("show")
def show_settings(as_json: JsonOption = False) -> None:
    """Every setting as it is in force here; secrets are masked. What keeps server or worker from starting is told."""
    import json

    from config import Settings, faults
    from dev.masking import masked

    known = Settings()
    shown = masked(known)
    for fault in dict.fromkeys((*faults(known, "server"), *faults(known, "worker"))):
        print(fault, file=sys.stderr)
    if as_json:
        print(json.dumps(shown, ensure_ascii=False))
        return
    for name, value in shown.items():
        print(f"TANDEM_{name.upper()}={'' if value is None else value}")


@project.command("list")
def list_projects(
    limit: LimitOption = 50, as_json: JsonOption = False, url: UrlOption = None, token: TokenOption = ""
) -> None:
    """The projects that you may see."""
    import json

    from dev.asking import table

    with asking(as_json):
        items = list(api(url, token).items("/v1/projects", cursor="cursor", limit=limit))
    if as_json:
        print(json.dumps(items, ensure_ascii=False))
        return
    rows = [[str(item.get(name, "")) for name in ("code", "stage", "title", "id")] for item in items]
    print_lines(table([["CODE", "STAGE", "TITLE", "ID"], *rows]))


@project.command("show")
def show_project(
    project_id: Annotated[str, typer.Argument(metavar="ID")],
    as_of: Annotated[str | None, typer.Option(help="As it was at this version or time.")] = None,
    effective_at: Annotated[str | None, typer.Option(help="As it was true at this time, told late or not.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """One project: stage, decisions, and what you may do now."""
    import json

    from dev.asking import outline

    with asking(as_json):
        state = api(url, token).get(f"/v1/projects/{segment(project_id)}", as_of=as_of, effective_at=effective_at)
    if as_json:
        print(json.dumps(state, ensure_ascii=False))
    else:
        print_lines(outline(state))


@project.command("events")
def list_events(
    project_id: Annotated[str, typer.Argument(metavar="ID")],
    after: Annotated[int, typer.Option(min=0, help="Only versions greater than this.")] = 0,
    kind: Annotated[str | None, typer.Option("--type", help="Only events of this type.")] = None,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """What happened, oldest first; with --json one event a line."""
    import json

    from dev.asking import table

    path = f"/v1/projects/{segment(project_id)}/events"
    with asking(as_json):
        events = list(api(url, token).items(path, cursor="after", limit=limit, after=after, type=kind))
    if as_json:
        print_lines(json.dumps(event, ensure_ascii=False) for event in events)
        return
    rows = [[str(event["version"]), str(event["recorded_at"]), event["type"], _by(event)] for event in events]
    print_lines(table([["VERSION", "RECORDED", "TYPE", "BY"], *rows]))


@app.command("do")
def do_command(
    name: Annotated[str, typer.Argument(metavar="COMMAND", help="Such as vote or withdraw-change.")] = "",
    project_id: Annotated[str, typer.Option("--project", help="Not needed to start one.")] = "",
    fields: Annotated[list[str] | None, typer.Option("--field", help="key=value, as often as needed.")] = None,
    whole: Annotated[str | None, typer.Option("--json", help="The whole body as JSON; - reads it from stdin.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key counts once.")] = None,
    if_version: Annotated[int | None, typer.Option(help="Only if the project is at this version.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show every command.")] = False,
    described: Annotated[bool, typer.Option("--describe", help="Show the command's fields and an example.")] = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Ask for something to be done to a project. The answer is JSON on stdout."""
    import json

    from dev.asking import table
    from dev.wording import body, description, find, listing

    if listed or not name:
        print_lines(table([list(pair) for pair in listing()]))
        return
    with _understood():
        command = find(name)
        if described:
            print(json.dumps(description(command), ensure_ascii=False, indent=2))
            return
        data = body(command, fields or [], sys.stdin.read() if whole == "-" else whole)
        path = _command_path(name, project_id)
    with asking(as_json=False):
        print(json.dumps(api(url, token).command(path, data, key, if_version), ensure_ascii=False))


def _command_path(name: str, project_id: str) -> str:
    from dev.wording import Unreadable

    if name == "start-project":
        return "/v1/projects"
    if not project_id:
        raise Unreadable(f"{name} needs --project; tandem project list shows them.")
    return f"/v1/projects/{segment(project_id)}/{name}"


def _by(event: dict[str, Any]) -> str:
    actor = event.get("actor") or event.get("metadata", {}).get("actor") or {}
    return str(actor if isinstance(actor, str) else actor.get("on_behalf_of") or actor.get("principal", ""))


@contextmanager
def _understood() -> Iterator[None]:
    from dev.wording import Unreadable

    try:
        yield
    except Unreadable as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(2) from None


async def _migrate(dsn: str) -> None:
    from store.migrate import migrate as apply
    from store.migrate import migrations

    fresh = await apply(dsn)
    for migration in fresh:
        typer.echo(f"applied {migration.number:04} {migration.name}", err=True)
    print(f"{len(migrations())} migrations, {len(fresh)} new, checksums ok")


async def _migration_status(dsn: str) -> int:
    from dev.asking import table
    from store.migrate import status

    found = await status(dsn)
    rows = [[f"{item.migration.number:04}", item.migration.name, str(item.applied_at or "missing")] for item in found]
    print_lines(table([["NUMBER", "NAME", "APPLIED"], *rows]))
    return 0 if all(item.applied_at for item in found) else 1


def _patient(home: "Home", url: str | None) -> "Patient":
    """What runs on this data folder, else what the settings name."""
    from config import Settings, faults
    from dev.doctor import Patient

    known, running = Settings(), home.running()
    # Where the launcher runs it has set everything itself, and where nothing is set there is nothing to be wrong.
    asked = running is None and bool(known.model_fields_set)
    return Patient(
        home=home,
        url=url or (running.url if running else f"http://127.0.0.1:{known.port}"),
        database_url=running.database_url if running else known.database_url.get_secret_value(),
        temporal_address=running.temporal_address if running else known.temporal_address,
        temporal_namespace=running.temporal_namespace if running else known.temporal_namespace,
        task_queue=known.task_queue,
        faults=tuple(dict.fromkeys((*faults(known, "server"), *faults(known, "worker")))) if asked else (),
    )


def _own_version() -> str:
    """As installed; in a checkout that was not installed, as written in its pyproject.toml."""
    import tomllib
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("tandem")
    except PackageNotFoundError:
        text = (Path(__file__).parent / "pyproject.toml").read_text()
        return str(tomllib.loads(text)["project"]["version"])


def _console() -> "Console":
    from rich.console import Console

    return Console()


if __name__ == "__main__":
    main()
