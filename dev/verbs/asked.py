"""Options and ways to ask that verbs share. What a verb needs is imported inside it: `--help` must be quick."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dev.asking import Api
    from dev.home import Home

HomeOption = Annotated[
    Path | None, typer.Option("--home", envvar="TANDEM_HOME", help="Data folder. Default: .tandem in the checkout.")
]
PortOption = Annotated[
    int, typer.Option("--port", min=1, max=65535, help="The API's port; the next free one if taken.")
]
OnceOption = Annotated[bool, typer.Option("--once", help="Stop again once everything is up and done.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]
UrlOption = Annotated[
    str | None, typer.Option("--url", envvar="TANDEM_URL", help="Where the API is. Default: the one `up` started.")
]
TokenOption = Annotated[str, typer.Option("--token", envvar="TANDEM_TOKEN", help="Who is asking.", show_default=False)]
LimitOption = Annotated[int, typer.Option(min=1, help="At most so many.")]


def api(url: str | None, token: str) -> "Api":
    from dev.asking import Api

    running = None if url else home_of(None).running()
    return Api(url or (running.url if running else "http://127.0.0.1:8400"), token)


@contextmanager
def asking(as_json: bool) -> Iterator[None]:
    """The API's refusal as words (with --json as it came) on stderr, and as an exit code."""
    import json

    from dev.asking import Unanswered

    try:
        yield
    except Unanswered as failed:
        words = json.dumps(failed.problem, ensure_ascii=False) if as_json else str(failed)
        typer.echo(words, err=True)
        raise typer.Exit(int(failed.code)) from None


def home_of(chosen: Path | None) -> "Home":
    import os

    from dev.home import Home

    named = chosen or (Path(os.environ["TANDEM_HOME"]) if os.environ.get("TANDEM_HOME") else None)
    return Home(named.absolute()) if named else Home.default()


def segment(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def print_lines(lines: Any) -> None:
    for line in lines:
        print(line)


def print_json(value: Any) -> None:
    """For programs, one line."""
    import json

    print(json.dumps(value, ensure_ascii=False))


def print_table(items: list[Any], heads: list[str], rows: list[list[str]], as_json: bool) -> None:
    """The items as JSON, or a line each under these heads."""
    from dev.asking import table

    if as_json:
        print_json(items)
    else:
        print_lines(table([heads, *rows]))


@contextmanager
def database_trouble() -> Iterator[None]:
    from activities.ports import StoreUnavailable
    from store.migrate import MigrationRefused

    try:
        yield
    except StoreUnavailable as away:
        typer.echo(f"{away}. Is TANDEM_MIGRATION_URL right?", err=True)
        raise typer.Exit(6) from None
    except MigrationRefused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from None


@contextmanager
def owner_trouble(*wrong: type[Exception], code: int) -> Iterator[None]:
    """What goes wrong on the owner's connection as words and an exit code; `wrong` is the verb's own kind."""
    from asyncpg import InsufficientPrivilegeError

    from activities.ports import StoreUnavailable

    try:
        yield
    except StoreUnavailable as away:
        typer.echo(str(away), err=True)
        raise typer.Exit(6) from None
    except InsufficientPrivilegeError:
        typer.echo("Only whoever migrates may do this: TANDEM_MIGRATION_URL.", err=True)
        raise typer.Exit(4) from None
    except wrong as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(code) from None
