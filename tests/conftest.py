"""One embedded PostgreSQL per run, one migrated template, a fresh copy of it for every test that asks."""

import os
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from dev.embedded import EmbeddedPostgres
from store.migrate import migrate
from store.postgres import PostgresStore
from tests.hanging import waiting

LONGEST_FIRST = (
    "tests/e2e/test_up_again.py",
    "tests/workflows/test_project.py",
    "tests/api/test_schemathesis.py",
    "tests/e2e/test_outages.py",
    "tests/e2e/test_faults.py",
    "tests/web/test_browser.py",
    "tests/api/test_contract.py",
    "tests/e2e/test_sealing_faults.py",
    "tests/workflows/test_sealing.py",
    "tests/e2e/test_restore_drill.py",
    "tests/workflows/test_notification.py",
    "tests/e2e/test_life.py",
    "tests/api/test_leaks.py",
    "tests/e2e/test_channels.py",
    "tests/api/test_matrix.py",
    "tests/e2e/test_production.py",
    "tests/dev/test_launcher.py",
    "tests/dev/test_embedded.py",
    "tests/audit/test_attacks.py",
    "tests/store/test_backup.py",
    "tests/privacy/test_archive.py",
    "tests/privacy/test_erasure.py",
)
"""Files that take many seconds. Where several processes share the files, none is left with one of these at the end;
those that start whole systems are mixed with those that do not.
"""
_numbers = count(1)
_verdict: list[int] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order between files; within one it stays as it is written."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that lasted too long is ended (`timeout` in pyproject.toml), and says what it waited for."""
    report = yield
    if call.excinfo is not None and "from pytest-timeout" in call.excinfo.exconly():
        report.sections.append(("what was waited for", waiting(call.excinfo)))
    return report


def pytest_sessionfinish(exitstatus: int) -> None:
    _verdict.append(int(exitstatus))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Leave at once: a process that has used Temporal's client may crash while the interpreter is torn down."""
    if _verdict and "temporalio.bridge" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_verdict[-1])


@dataclass(frozen=True)
class Database:
    """Where one database of the test server is, by who asks."""

    name: str
    admin: str
    """The superuser's dsn."""
    app: str
    auditor: str


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    # Not below pytest's own folder: another run of pytest closes that one to the account that PostgreSQL runs as.
    with TemporaryDirectory(prefix="tandem-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedPostgres(Path(folder))
        connection = await asyncpg.connect(await server.start())
        # No test pulls the plug of the machine: copies of the template need not wait for the disk.
        await connection.execute("ALTER SYSTEM SET fsync = off")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()
        yield server
        await server.stop()


@pytest.fixture(scope="session")
async def template(postgres: EmbeddedPostgres) -> str:
    """The name of a database with every migration applied. Nobody may stay connected to it."""
    await migrate(await postgres.create_database("template_tandem"))
    return "template_tandem"


@asynccontextmanager
async def copy_of(template: str, postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A copy of a database to which nobody is connected, gone afterwards."""
    name = f"test_{next(_numbers)}"
    connection = await asyncpg.connect(postgres.dsn())
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield Database(
            name,
            admin=postgres.dsn(database=name),
            app=postgres.dsn("tandem_app", name),
            auditor=postgres.dsn("tandem_auditor", name),
        )
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest.fixture
async def database(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Database]:
    """A migrated database of the test's own."""
    async with copy_of(template, postgres) as copied:
        yield copied


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PostgresStore]:
    """The store as the application's role sees it, on a database of its own."""
    opened = await PostgresStore.open(database.app, pool_size=4)
    yield opened
    await opened.close()
