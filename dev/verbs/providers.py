"""Connecting identity providers: see docs/how-to/scim.md."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from dev.verbs.asked import HomeOption, database_trouble, home_of
from dev.verbs.people import installation

if TYPE_CHECKING:
    from auth.tokens import Tokens


def connect_provider(
    name: Annotated[str, typer.Argument(help="What the provider is called here.")] = "scim",
    days: Annotated[int, typer.Option(min=1, max=366, help="How long the token lives.")] = 365,
    end: Annotated[bool, typer.Option("--end", help="End every token of the provider instead.")] = False,
    home: HomeOption = None,
) -> None:
    """Print a token with which an identity provider keeps people and teams by SCIM. It is shown this once."""
    import asyncio

    from auth.tokens import TooManyTokens

    principal = _principal(name)
    dsn, url = installation(home_of(home))
    try:
        with database_trouble():
            if end:
                asyncio.run(end_tokens(dsn, principal))
                typer.echo(f"{principal} has no token any more.")
                return
            secret = asyncio.run(make_token(dsn, principal, timedelta(days=days)))
    except TooManyTokens:
        typer.echo(f"{principal} has as many tokens as are allowed: end them with --end.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{url}/scim/v2 takes this token, which is shown this once:", err=True)
    print(secret)


def _principal(name: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from domain.directory.asking import PROVIDER
    from domain.values import Person

    try:
        return TypeAdapter(Person).validate_python(PROVIDER + name)
    except ValidationError:
        typer.echo("A provider's name is like scim: lower case letters, digits, dots and dashes.", err=True)
        raise typer.Exit(2) from None


async def make_token(dsn: str, principal: str, life: timedelta) -> str:
    """Another one; those before live on, so that they can be changed without a gap. Raises TooManyTokens."""
    from auth.identity import Scope

    async with _tokens(dsn) as tokens:
        expires_at = datetime.now(UTC) + life
        secret, _ = await tokens.make(principal, "service", "SCIM", [Scope.ADMINISTER], expires_at, "command line")
        return secret


async def end_tokens(dsn: str, principal: str) -> None:
    """All of them."""
    async with _tokens(dsn) as tokens:
        await tokens.end_all(principal)


@asynccontextmanager
async def _tokens(dsn: str) -> "AsyncIterator[Tokens]":
    from auth.tokens import Tokens
    from store.connect import Pool

    database = await Pool.open(dsn, 2)
    try:
        yield Tokens(database)
    finally:
        database.terminate()
