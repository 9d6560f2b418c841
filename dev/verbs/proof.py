"""Take a pack away, verify it, bring it into an empty installation."""

from pathlib import Path
from typing import Annotated

import typer

from dev.verbs import keeping
from dev.verbs.asked import TokenOption, UrlOption, api, asking, database_trouble, segment

PackArgument = Annotated[Path, typer.Argument(metavar="PACK", help="A file that `tandem export` has written.")]
KeysOption = Annotated[
    list[str] | None, typer.Option("--key", help="A vkey of the log, from elsewhere than the pack; as often as needed.")
]
WitnessesOption = Annotated[list[str] | None, typer.Option("--witness", help="A vkey of a witness.")]
QuorumOption = Annotated[int | None, typer.Option(min=0, help="How many witnesses must have signed; all named.")]
CheckpointsOption = Annotated[
    list[Path] | None, typer.Option("--checkpoint", help="An older checkpoint that you have kept.")
]


def export(
    file: Annotated[Path, typer.Option("-o", "--output", help="Where to write it.")],
    project_id: Annotated[str | None, typer.Option("--project", metavar="ID", help="One project; else all.")] = None,
    since: Annotated[int, typer.Option(min=0, help="Size of an older checkpoint to be continued; 0: none.")] = 0,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Write a pack: the events of a project, or of the whole log, with all that is needed to verify them."""
    path = f"/v1/projects/{segment(project_id)}/export" if project_id else "/v1/audit/export"
    query = {"since": since} if project_id and since else {}
    draft = file.with_name(f"{file.name}.part")
    try:
        with asking(as_json=False), draft.open("wb") as out:
            api(url, token).download(path, out, **query)
        draft.replace(file)
    except OSError as wrong:
        typer.echo(f"{file} cannot be written: {wrong}", err=True)
        raise typer.Exit(1) from None
    finally:
        draft.unlink(missing_ok=True)
    typer.echo(f"{file}: {file.stat().st_size} bytes", err=True)


def verify(
    pack: Annotated[Path | None, typer.Argument(metavar="PACK")] = None,
    live: Annotated[bool, typer.Option("--live", help="Of the running installation: export its log first.")] = False,
    keys: KeysOption = None,
    witnesses: WitnessesOption = None,
    quorum: QuorumOption = None,
    checkpoints: CheckpointsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on stdout.")] = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Verify a pack or a backup, without a server: 0 valid, 1 tampered, 2 unreadable, 3 not all asked is proven."""
    from tempfile import TemporaryDirectory

    words = [*_each("--key", keys), *_each("--witness", witnesses), *_each("--checkpoint", checkpoints)]
    words += ["--quorum", str(quorum)] if quorum is not None else []
    words += ["--json"] if as_json else []
    if (pack is None) is not live:
        typer.echo("Name a pack, or verify what runs with --live.", err=True)
        raise typer.Exit(2)
    if pack is not None and keeping.is_backup(pack):
        raise typer.Exit(keeping.verified(pack, lambda inside: _verified(inside, words)))
    if pack is not None:
        raise typer.Exit(_verified(pack, words))
    with TemporaryDirectory(prefix="tandem-verify-") as folder:
        fresh = Path(folder) / "log.zip"
        export(fresh, url=url, token=token)
        raise typer.Exit(_verified(fresh, words))


def import_pack(pack: PackArgument, keys: KeysOption = None) -> None:
    """Bring the log of another installation into this one, which must be empty. Works as the database's owner.

    What does not verify is refused. The root hash and everything that is folded from the events are the same then;
    the log gets this installation's own name and key.
    """
    import asyncio

    from config import Settings
    from store.unpacking import NotImported, bring_in

    known = Settings()
    code = _verified(pack, _each("--key", keys))
    if code not in ((0,) if keys else (0, 3)):
        typer.echo("It does not verify, so nothing was imported.", err=True)
        raise typer.Exit(code)
    with database_trouble():
        try:
            dsn = (known.migration_url or known.database_url).get_secret_value()
            told = asyncio.run(bring_in(dsn, pack))
        except NotImported as refused:
            typer.echo(str(refused), err=True)
            raise typer.Exit(1) from None
    print(f"{told.events} events of {told.projects} projects imported, root {told.root.hex()}")


def _verified(pack: Path, words: list[str]) -> int:
    from verifier.tandem_verify import main

    return main([str(pack), *words])


def _each(option: str, values: list[str] | list[Path] | None) -> list[str]:
    return [word for value in values or () for word in (option, str(value))]
