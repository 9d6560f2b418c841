"""Personal data: look for it where none should be, and see that the erased stay erased. Works on the database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dev.verbs.asked import JsonOption, owner_trouble, print_lines

if TYPE_CHECKING:
    from datetime import datetime

    from domain.findings import Finding
    from store.postgres import PostgresStore
    from store.vault import PostgresVault

privacy = typer.Typer(help="Look for personal data; keep the erased erased.", no_args_is_help=True)
CHUNK = 500


@privacy.command("scan")
def scan(
    names: Annotated[Path | None, typer.Option(help="A file with names to look for, one a line.")] = None,
    after: Annotated[int, typer.Option(min=-1, help="Only later positions.")] = -1,
    as_json: JsonOption = False,
) -> None:
    """Look through all events for what looks like personal data and is not sealed. Exit code 1 if there is any."""
    import json

    wanted = names.read_text(encoding="utf-8").split("\n") if names else []

    async def work() -> int:
        found = 0
        async with _store() as store:
            async for place, finding in _found(store, [name.strip() for name in wanted], after):
                found += 1
                told = {**place, "path": finding.path, "kind": finding.kind, "hint": finding.hint}
                print(json.dumps(told, ensure_ascii=False) if as_json else "  ".join(map(str, told.values())))
        typer.echo(f"{found} findings", err=True)
        return 1 if found else 0

    with _trouble():
        raise typer.Exit(asyncio.run(work()))


@privacy.command("erased")
def erased() -> None:
    """Everybody who was erased, one a line as JSON: keep it apart from backups, for `privacy replay`."""
    import json

    async def work() -> list[str]:
        from projections.people import erased as told

        async with _store() as store:
            everybody = await told(store.pool)
        return [json.dumps({"person": person, "erased_at": at.isoformat()}) for person, at in everybody]

    with _trouble():
        print_lines(asyncio.run(work()))


@privacy.command("replay")
def replay(
    file: Annotated[Path | None, typer.Argument(help="What `privacy erased` wrote; else the log's own events.")] = None,
) -> None:
    """Erase everybody on the list again: after the vault was restored from an older copy."""

    async def work() -> list[str]:
        from projections.people import erased as told

        async with _store() as store, _vault() as vault:
            return await vault.replay(listed_in(file) if file else await told(store.pool))

    with _trouble():
        back = asyncio.run(work())
    print_lines(back)
    typer.echo(f"{len(back)} keys had come back and are destroyed", err=True)


@privacy.command("rewrap")
def rewrap(to: Annotated[Path, typer.Argument(help="A file with the new master key, 32 bytes in base64.")]) -> None:
    """Wrap every person's key with a new master key. Servers and workers get it afterwards, and a restart."""

    async def work() -> int:
        from store.vault import load_master

        async with _vault(owner=True) as vault:
            return await vault.rewrap(load_master(None, to) or b"")

    with _trouble():
        print(f"{asyncio.run(work())} keys wrapped anew")


async def _found(
    store: "PostgresStore", names: list[str], after: int
) -> AsyncIterator[tuple[dict[str, object], "Finding"]]:
    from domain.findings import in_value

    while facts := await store.feed(after, CHUNK):
        for fact in facts:
            place = {"position": fact.position, "stream": fact.stream, "version": fact.version, "type": fact.type}
            for finding in in_value({"data": fact.data, "metadata": fact.metadata}, names):
                yield place, finding
        after = facts[-1].position


def listed_in(file: Path) -> list[tuple[str, "datetime"]]:
    """What `privacy erased` wrote."""
    import json
    from datetime import datetime

    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [(line["person"], datetime.fromisoformat(line["erased_at"])) for line in lines]


@asynccontextmanager
async def _store() -> AsyncIterator["PostgresStore"]:
    from config import Settings
    from store.postgres import PostgresStore

    store = await PostgresStore.open(Settings().database_url.get_secret_value(), pool_size=2)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _vault(*, owner: bool = False) -> AsyncIterator["PostgresVault"]:
    """As the application, or as whoever migrates."""
    from config import Settings
    from store.vault import PostgresVault, load_master

    known = Settings()
    dsn = known.vault_dsn
    if owner and known.vault_url is None and known.migration_url is not None:
        dsn = known.migration_url.get_secret_value()
    vault = await PostgresVault.open(dsn, load_master(known.vault_key, known.vault_key_file))
    try:
        yield vault
    finally:
        vault.close()


@contextmanager
def _trouble() -> Iterator[None]:
    from activities.vault import VaultLocked

    with owner_trouble(VaultLocked, OSError, ValueError, KeyError, code=2):
        yield
