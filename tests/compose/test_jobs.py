"""The scripts that compose runs, run for real: on an embedded PostgreSQL, a Temporal server, open sockets."""

import os
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import asyncpg
import pytest
import yaml  # type: ignore[import-untyped]

from dev.embedded import EmbeddedPostgres, postgres_programs, temporal_program

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SCRIPTS = sorted(DEPLOY.rglob("*.sh"))
PASSWORDS = {
    "MIGRATOR_DB_PASSWORD": "first-migrator-password",
    "APP_DB_PASSWORD": "first-app-password",
    "AUDITOR_DB_PASSWORD": "first-auditor-password",
    "TEMPORAL_DB_PASSWORD": "first-temporal-password",
}


def run(command: list[str], **environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("TANDEM_", "TEMPORAL_", "PG"))}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.name for script in SCRIPTS])
def test_a_script_parses_and_may_be_run(script: Path) -> None:
    assert script.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert os.access(script, os.X_OK)
    checked = run(["sh", "-n", str(script)])
    assert checked.returncode == 0, checked.stderr


def test_dynamic_configuration_has_the_shape_that_the_server_reads() -> None:
    keys = yaml.safe_load((DEPLOY / "temporal" / "dynamicconfig.yaml").read_text(encoding="utf-8"))
    assert keys
    for name, values in keys.items():
        assert "." in name
        assert all(set(value) <= {"value", "constraints"} and value["value"] > 0 for value in values)


# Databases and roles


@pytest.fixture(scope="module")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    await server.start()
    yield server
    await server.stop()


def set_roles(server: EmbeddedPostgres, **passwords: str) -> "subprocess.CompletedProcess[str]":
    return run(
        ["sh", str(DEPLOY / "postgres" / "roles.sh")],
        PATH=f"{postgres_programs()}:{os.environ['PATH']}",
        PGHOST=str(server.socket),
        PGUSER="postgres",
        **{**PASSWORDS, **passwords},
    )


@pytest.mark.slow
async def test_roles_are_made_once_and_passwords_set_again(postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres.dsn())
    try:
        verifiers = []
        for password in ("first-app-password", "first-app-password", "second-app-password"):
            done = set_roles(postgres, APP_DB_PASSWORD=password)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            verifiers.append(
                dict(await connection.fetch("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin"))
            )
    finally:
        await connection.close()
    assert set(verifiers[0]) == {"postgres", "tandem_migrator", "tandem_app", "tandem_auditor", "temporal"}
    for role in set(verifiers[0]) - {"postgres"}:
        assert verifiers[0][role].startswith("SCRAM-SHA-256$")
    assert verifiers[2]["tandem_app"] != verifiers[1]["tandem_app"]


@pytest.mark.slow
async def test_the_migrations_run_as_the_role_and_the_application_cannot_change_facts(
    postgres: EmbeddedPostgres,
) -> None:
    assert set_roles(postgres).returncode == 0
    for _ in range(2):
        migrated = run(
            [sys.executable, "-m", "cli", "migrate"],
            TANDEM_MIGRATION_URL=postgres.dsn("tandem_migrator", "tandem"),
        )
        assert migrated.returncode == 0, migrated.stderr
    # As after a restart of everything: the roles exist, and get their passwords again.
    assert set_roles(postgres, APP_DB_PASSWORD="another-app-password").returncode == 0
    connection = await asyncpg.connect(postgres.dsn("tandem_app", "tandem"))
    try:
        assert await connection.fetchval("SELECT count(*) FROM tandem.event") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM tandem.event")
    finally:
        await connection.close()


@pytest.mark.slow
async def test_each_login_reaches_its_own_database_alone(postgres: EmbeddedPostgres) -> None:
    assert set_roles(postgres).returncode == 0
    for role, database in (("temporal", "tandem"), ("tandem_app", "temporal"), ("tandem_auditor", "temporal")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(postgres.dsn(role, database))
    for role, database in (("temporal", "temporal_visibility"), ("tandem_auditor", "tandem")):
        connection = await asyncpg.connect(postgres.dsn(role, database))
        reads_only = await connection.fetchval("SHOW default_transaction_read_only")
        await connection.close()
        assert reads_only == ("on" if role == "tandem_auditor" else "off")


@pytest.mark.parametrize("password", ["", "too-short", "with:a/character@of-addresses"])
def test_a_password_that_is_none_is_refused_before_anything_is_done(password: str) -> None:
    refused = run(["sh", str(DEPLOY / "postgres" / "roles.sh")], **{**PASSWORDS, "AUDITOR_DB_PASSWORD": password})
    assert refused.returncode == 1
    assert refused.stderr.startswith("AUDITOR_DB_PASSWORD: ")
    if password:
        assert password not in refused.stderr


# Namespace and search attributes


@pytest.fixture(scope="module")
def temporal() -> Iterator[str]:
    port = free_port()
    server = subprocess.Popen(
        [str(temporal_program()), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield f"127.0.0.1:{port}"
    server.terminate()
    server.wait(20)


def make_namespace(address: str, attributes: str) -> "subprocess.CompletedProcess[str]":
    return run(
        ["sh", str(DEPLOY / "temporal" / "namespace.sh")],
        PATH=f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
        TEMPORAL_ADDRESS=address,
        TEMPORAL_NAMESPACE="tandem",
        RETENTION="168h",
        SEARCH_ATTRIBUTES=attributes,
    )


@pytest.mark.slow
def test_the_namespace_is_made_once_with_its_search_attributes(temporal: str) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    attributes = compose["services"]["temporal-namespace"]["environment"]["SEARCH_ATTRIBUTES"]
    for _ in range(2):
        done = make_namespace(temporal, attributes)
        assert (done.returncode, done.stdout) == (0, "namespace tandem is ready\n"), done.stderr
    listing = [str(temporal_program()), "operator", "search-attribute", "list", "--address", temporal]
    listed = run([*listing, "--namespace", "tandem"]).stdout.split()
    for name, kind in (pair.split("=") for pair in attributes.split()):
        assert listed[listed.index(name) + 1] == kind
    first = attributes.split()[0].split("=")[0]
    refused = make_namespace(temporal, f"{first}=Bool")
    assert refused.returncode == 1
    assert "different type" in refused.stderr


# Health


class Answers(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/livez" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the output of the tests clean."""


@contextmanager
def answering(status: int) -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), type("Fixed", (Answers,), {"status": status}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def check(name: str, **environment: str) -> int:
    return run([sys.executable, str(DEPLOY / "checks" / name)], **environment).returncode


def test_the_api_is_alive_while_it_answers() -> None:
    for status, ends in ((200, 0), (503, 1)):
        with answering(status) as port:
            assert check("alive.py", TANDEM_PORT=str(port)) == ends
    assert check("alive.py", TANDEM_PORT=str(port)) == 1


def test_the_worker_is_connected_while_its_connection_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"temporal:{listener.getsockname()[1]}"
        assert check("connected.py", TANDEM_TEMPORAL_ADDRESS=address) == 1
        with socket.create_connection(listener.getsockname()), listener.accept()[0]:
            assert check("connected.py", TANDEM_TEMPORAL_ADDRESS=address) == 0
        assert check("connected.py", TANDEM_TEMPORAL_ADDRESS=address) == 1
