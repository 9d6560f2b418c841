"""Letting people in: see docs/how-to/sign-in.md."""

from typing import TYPE_CHECKING, Annotated

import typer

from dev.verbs.asked import HomeOption, database_trouble, home_of

if TYPE_CHECKING:
    from dev.home import Home


def sign_in(
    person: Annotated[str, typer.Argument(help="The person's name, such as li.wei.")], home: HomeOption = None
) -> None:
    """Print a link that signs a person in once, within 24 hours. A person without an account gets one."""
    import asyncio

    from pydantic import TypeAdapter, ValidationError

    from domain.values import Person

    try:
        TypeAdapter(Person).validate_python(person)
    except ValidationError:
        typer.echo("A person's name is like li.wei: lower case letters, digits, dots and dashes.", err=True)
        raise typer.Exit(2) from None
    dsn, url = installation(home_of(home))
    with database_trouble():
        print(asyncio.run(_link(dsn, url, person)))


async def front_door(dsn: str, url: str) -> str | None:
    """A link that signs the owner in, or makes the first person where there is none; None without our schema."""
    from asyncpg import UndefinedTableError

    from auth.accounts import Accounts
    from auth.links import Links
    from store.connect import Pool

    database = await Pool.open(dsn, 2)
    try:
        owner = await Accounts(database).owner()
        if owner is not None:
            return f"{url}/sign-in/{await Links(database).make('sign-in', owner, 'launcher')}"
        return f"{url}/start/{await Links(database).make('first-run', None, 'launcher')}"
    except UndefinedTableError:
        return None
    finally:
        database.terminate()


async def _link(dsn: str, url: str, person: str) -> str:
    from auth.accounts import Accounts
    from auth.links import Links
    from store.connect import Pool

    database = await Pool.open(dsn, 2)
    try:
        await Accounts(database).make(person)
        return f"{url}/sign-in/{await Links(database).make('sign-in', person, 'command line')}"
    finally:
        database.terminate()


def installation(home: "Home") -> tuple[str, str]:
    """The database and the address of what runs on this data folder, else of what the settings name."""
    from config import Settings

    running, known = home.running(), Settings()
    if running is not None:
        return running.database_url, running.url
    return known.database_url.get_secret_value(), (known.public_url or f"http://127.0.0.1:{known.port}").rstrip("/")
