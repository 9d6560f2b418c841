"""Retention: ended projects to packs and back. Works on the database, with the connection of whoever migrates."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dev.verbs.asked import owner_trouble, print_lines

if TYPE_CHECKING:
    from store.archiving import Archives

archive = typer.Typer(help="Move ended projects to packs, and bring them back.")
Project = Annotated[str, typer.Argument(metavar="ID", help="The project's id.")]
Operator = Annotated[str, typer.Option("--by", help="Who does it, as it is recorded.")]
OlderThan = Annotated[
    int | None, typer.Option(min=1, metavar="DAYS", help="Ended so many days ago; else as the settings say.")
]


@archive.callback(invoke_without_command=True)
def due(
    context: typer.Context,
    older_than: OlderThan = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
    by: Operator = "operator",
) -> None:
    """Archive the ended projects that are due. What cannot be archived now is named, and the exit code is 1."""
    if context.invoked_subcommand is not None:
        return

    async def work(archives: "Archives") -> int:
        streams = await _due(archives, older_than)
        if dry_run:
            print_lines(streams)
            return 0
        done = [await _archived(archives, stream) for stream in streams]
        typer.echo(f"{len(done)} due, {sum(done)} archived", err=True)
        return 0 if all(done) else 1

    raise typer.Exit(_on_the_database(work, by))


@archive.command("project")
def project(project: Project, by: Operator = "operator") -> None:
    """Archive this ended project now."""

    async def work(archives: "Archives") -> int:
        return 0 if await _archived(archives, f"project-{project}") else 1

    raise typer.Exit(_on_the_database(work, by))


@archive.command("restore")
def restore(
    project: Project,
    file: Annotated[Path | None, typer.Option(help="The pack, where it is not in the archive folder.")] = None,
    by: Operator = "operator",
) -> None:
    """Bring an archived project back from its pack; every event is checked against its hash."""

    async def work(archives: "Archives") -> int:
        print(f"{await archives.restore(f'project-{project}', file)} events restored")
        return 0

    raise typer.Exit(_on_the_database(work, by))


@archive.command("hold")
def hold(project: Project, by: Operator = "operator") -> None:
    """Put a legal hold on a project: it is not archived until the hold is lifted."""

    async def work(archives: "Archives") -> int:
        await archives.hold(f"project-{project}")
        return 0

    raise typer.Exit(_on_the_database(work, by))


@archive.command("release")
def release(project: Project, by: Operator = "operator") -> None:
    """Lift the legal hold on a project."""

    async def work(archives: "Archives") -> int:
        await archives.release(f"project-{project}")
        return 0

    raise typer.Exit(_on_the_database(work, by))


async def _due(archives: "Archives", older_than: int | None) -> list[str]:
    from datetime import UTC, datetime, timedelta

    from config import Settings

    return await archives.due(datetime.now(UTC), timedelta(days=older_than or Settings().archive_after_days))


async def _archived(archives: "Archives", stream: str) -> bool:
    from domain.refusals import Refused
    from store.archiving import NotArchivable

    try:
        record = await archives.archive(stream)
    except (NotArchivable, Refused) as refused:
        typer.echo(f"{stream}: {refused}", err=True)
        return False
    print(f"{stream} {record.file}")
    return True


def _on_the_database(work: Callable[["Archives"], Awaitable[int]], by: str) -> int:
    async def working() -> int:
        async with _open(by) as archives:
            return await work(archives)

    with _trouble():
        return asyncio.run(working())


@asynccontextmanager
async def _open(by: str) -> AsyncIterator["Archives"]:
    from activities.keeping import Keeping
    from config import Settings
    from domain.messages import Actor
    from store.archiving import Archives
    from store.connect import Pool
    from store.postgres import PostgresStore

    settings: Any = Settings()
    if settings.archive_folder is None:
        typer.echo("TANDEM_ARCHIVE_FOLDER says where the packs are kept; it is not set.", err=True)
        raise typer.Exit(2)
    store = await PostgresStore.open(settings.database_url.get_secret_value(), pool_size=2)
    owner = await Pool.open((settings.migration_url or settings.database_url).get_secret_value(), 1)
    try:
        yield Archives(store.pool, Keeping(store), owner, settings.archive_folder, Actor(by, client="cli"))
    finally:
        owner.terminate()
        await store.close()


@contextmanager
def _trouble() -> Iterator[None]:
    from domain.refusals import Refused
    from store.archiving import NotArchivable

    with owner_trouble(NotArchivable, Refused, code=1):
        yield
