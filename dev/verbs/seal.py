"""Keys to seal with, and witnesses: see docs/how-to/seal-and-witness.md."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from dev.verbs.asked import JsonOption, TokenOption, UrlOption, api, asking

seal = typer.Typer(help="Keys to seal the log with.", no_args_is_help=True)
witness = typer.Typer(help="Watch another organisation's log, and sign what was seen.", no_args_is_help=True)
KeyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The secret key, closed to other people.")]
NameOption = Annotated[str, typer.Option("--name", help="The witness's name, such as audit.example.com/tandem.")]


@seal.command("new-key")
def new_seal_key(file: KeyFile) -> None:
    """Write a new key. The worker reads it through TANDEM_SEAL_KEY_FILE; nobody else should."""
    _write(file, replace=False)
    typer.echo(f"{file} is written. Name it in TANDEM_SEAL_KEY_FILE of the worker and start that again.", err=True)


@seal.command("rotate")
def rotate(file: KeyFile) -> None:
    """Put a new key in place of the old one, which is gone then. What it has signed stays valid."""
    _write(file, replace=True)
    typer.echo(f"{file} has a new key. Start the worker again: the next checkpoint is signed by it.", err=True)
    typer.echo("Then tell auditors and witnesses the new public key, from /v1/audit/keys.", err=True)


@witness.command("new-key")
def new_witness_key(file: KeyFile, name: NameOption) -> None:
    """Write a new key of a witness, and print the public one: for TANDEM_WITNESS_KEYS of the server."""
    from dev.witness import Unusable, witness_of

    _write(file, replace=False)
    try:
        print(witness_of(name, file).key.vkey)
    except Unusable as wrong:
        file.unlink()
        typer.echo(str(wrong), err=True)
        raise typer.Exit(2) from None


@witness.command("sign")
def sign(
    key: Annotated[Path, typer.Option("--key", help="The witness's secret key.")],
    name: NameOption,
    state: Annotated[Path, typer.Option("--state", help="What the witness remembers. Lose it, and trust starts anew.")],
    log_keys: Annotated[
        list[str] | None, typer.Option("--log-key", help="A vkey of the log, as it was given to you.")
    ] = None,
    post: Annotated[bool, typer.Option("--post", help="Also hand the line to the log.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Look at the log once, check that it only grew, and print our signature. Exit code 1: it contradicts itself."""
    import json

    from dev.witness import HttpLog, Witness, witness_of

    server = api(url, token)
    with asking(as_json), _files():
        seen, line = Witness(witness_of(name, key), state).look(HttpLog(server.get), log_keys or [])
        if post:
            server.command("/v1/audit/cosignatures", {"size": seen.size, "line": str(line)}, None, None)
    print(json.dumps({"size": seen.size, "line": str(line)}, ensure_ascii=False) if as_json else line)


def _write(file: Path, replace: bool) -> None:
    from dev.witness import new_key

    with _files():
        new_key(file, replace=replace)


@contextmanager
def _files() -> Iterator[None]:
    from dev.witness import Mismatch, Unusable

    try:
        yield
    except Unusable as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(2) from None
    except Mismatch as mismatch:
        typer.echo(f"NOT SIGNED: {mismatch}. Keep what you have, and ask them.", err=True)
        raise typer.Exit(1) from None
