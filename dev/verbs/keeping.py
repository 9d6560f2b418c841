"""Back up, restore, rebuild: on the database itself, with the connection of whoever migrates."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dev.verbs.asked import JsonOption, print_lines

if TYPE_CHECKING:
    from config import Settings
    from store.restoring import Restored

BackupArgument = Annotated[Path, typer.Argument(metavar="BACKUP", help="What `tandem backup` has written.")]


def backup(
    to: Annotated[Path, typer.Argument(metavar="FOLDER|FILE", help="A folder, or a file that is not there yet.")],
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Put this installation's secret keys into it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a backup of the running system: one moment of it, in one file for your eyes only."""
    import json

    from config import Settings
    from store.backup import back_up

    with _trouble():
        path = _fresh(to)
        keys = _keys(Settings()) if with_keys else {}
        taken = asyncio.run(back_up(_owner(), path, keys))
    if with_keys:
        typer.echo(f"THE SECRET KEYS ARE IN IT ({', '.join(keys) or 'none are set'}): whoever has this file", err=True)
        typer.echo("can seal in your name and read what is closed. Keep it apart from every other backup.", err=True)
    if Settings().vault_url is not None:
        typer.echo("The vault has a database of its own: it is not in this backup.", err=True)
    told = {"file": str(taken.path), "bytes": taken.bytes, "events": taken.events, "sealed": taken.sealed}
    told |= {"sha256": taken.digest}
    print(json.dumps(told) if as_json else "\n".join(f"{name:8}{value}" for name, value in told.items()))


def restore(
    backup: BackupArgument,
    erased: Annotated[Path | None, typer.Option(help="What `privacy erased` wrote last: kept apart.")] = None,
) -> None:
    """Bring a backup into an empty database, check it, and erase again whoever was erased."""

    async def work() -> tuple["Restored", list[str]]:
        from store.restoring import restore as bring_back

        return await bring_back(_owner(), backup), await _erased_again(erased)

    with _trouble():
        told, back = asyncio.run(work())
    print(f"{told.events} events, {told.sealed} sealed under the root {told.root.hex()}")
    print(f"{told.rows} derived rows, the same as written anew; {len(back)} persons erased again")


def rebuild(
    names: Annotated[list[str] | None, typer.Argument(metavar="[pages] [duties] [search]")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit code 1 where something differs.")] = False,
) -> None:
    """Write derived rows anew from the log while everything goes on, compare, and put right what differs."""
    from dev.asking import table
    from store.rebuilding import rebuild as build

    with _trouble():
        told = asyncio.run(build(_owner(), names or (), check))
    rows = [[one.table, str(one.rows), str(one.differing)] for one in told]
    print_lines(table([["TABLE", "ROWS", "DIFFERING"], *rows]))
    raise typer.Exit(1 if check and any(one.differing for one in told) else 0)


def is_backup(path: Path) -> bool:
    """Whether it says that it is one, and no pack."""
    import json
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as opened:
            return str(json.loads(opened.read("manifest.json"))["format"]).startswith("tandem-backup/")
    except (OSError, BadZipFile, KeyError, ValueError, TypeError):
        return False


def verified(path: Path, verify_pack: Callable[[Path], int]) -> int:
    """The exit code: 1 where a file is damaged, else what the verifier says of the pack that is in it."""
    from tempfile import TemporaryDirectory
    from zipfile import ZipFile

    from store.backup import PACK, BadBackup, check_files

    try:
        manifest = check_files(path)
    except BadBackup as damaged:
        typer.echo(str(damaged), err=True)
        return 1
    typer.echo(f"{len(manifest['files'])} files are whole, {manifest['events']} events of {manifest['log']}", err=True)
    if PACK not in manifest["files"]:
        typer.echo("None of the events was sealed yet: there is nothing to prove.", err=True)
        return 3
    with TemporaryDirectory(prefix="tandem-verify-") as folder, ZipFile(path) as opened:
        return verify_pack(Path(opened.extract(PACK, folder)))


async def _erased_again(listed: Path | None) -> list[str]:
    from config import Settings
    from dev.verbs.privacy import listed_in
    from projections.people import erase_again
    from store.connect import Pool
    from store.vault import PostgresVault

    known, pool = Settings(), await Pool.open(_owner(), 1)
    vault = await PostgresVault.open(known.vault_url.get_secret_value() if known.vault_url else _owner(), None)
    try:
        back = await erase_again(pool, vault)
        return back + (await vault.replay(listed_in(listed)) if listed else [])
    finally:
        vault.close()
        pool.terminate()


def _owner() -> str:
    from config import Settings

    known = Settings()
    return (known.migration_url or known.database_url).get_secret_value()


def _fresh(to: Path) -> Path:
    from datetime import UTC, datetime

    path = to / f"tandem-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip" if to.is_dir() else to
    if path.exists():
        raise FileExistsError(f"{path} is there already: a backup replaces no other one.")
    return path


def _keys(known: "Settings") -> dict[str, bytes]:
    """The secret keys that are set here, by name."""
    found = {}
    for name in ("seal", "vault", "envelope", "webhook"):
        file, text = getattr(known, f"{name}_key_file", None), getattr(known, f"{name}_key")
        if file is not None or text is not None:
            found[name] = file.read_bytes() if file is not None else text.get_secret_value().encode()
    return found


@contextmanager
def _trouble() -> Iterator[None]:
    from asyncpg import InsufficientPrivilegeError

    from activities.ports import StoreUnavailable
    from store.backup import BadBackup
    from store.migrate import MigrationRefused
    from store.rebuilding import NotRebuilt
    from store.restoring import NotRestored

    try:
        yield
    except StoreUnavailable as away:
        typer.echo(f"{away}. Is TANDEM_MIGRATION_URL right?", err=True)
        raise typer.Exit(6) from None
    except InsufficientPrivilegeError:
        typer.echo("Only whoever migrates may do this: TANDEM_MIGRATION_URL.", err=True)
        raise typer.Exit(4) from None
    except (BadBackup, NotRestored, NotRebuilt, MigrationRefused) as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from None
    except OSError as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(2) from None
