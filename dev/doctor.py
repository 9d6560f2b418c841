"""`tandem doctor`: what is wrong on this machine, in words, and what to do about each."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from config import Fault
from dev import ports
from dev.ask import get_json
from dev.embedded import WheelMissing, postgres_programs, temporal_program, temporal_version
from dev.home import CHECKOUT, Home
from dev.processes import Trace

OLDEST, NEWEST = (3, 11), (3, 13)
DISK_NEEDED = 500 * 1024**2
"""Bytes: below this PostgreSQL may stop in the middle of a day's work."""
SKEW = timedelta(seconds=2)
POLLED_LATELY = timedelta(minutes=2)


class State(StrEnum):
    """How a check ended. Only WRONG makes the doctor's exit code 1."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, how it is, and what to do about it (empty where nothing is to be done)."""

    name: str
    state: State
    words: str
    next_step: str = ""


@dataclass(frozen=True)
class Patient:
    """What to look at: a running launcher's addresses, else those of the settings."""

    home: Home
    url: str
    database_url: str
    temporal_address: str
    temporal_namespace: str
    task_queue: str
    faults: tuple[Fault, ...] = ()
    """Why server or worker refuse to start with the settings of this shell."""


Check = Callable[[Patient], Awaitable[list[Finding]]]


def ok(name: str, words: str) -> Finding:
    """All is well."""
    return Finding(name, State.OK, words)


def note(name: str, words: str, next_step: str = "") -> Finding:
    """Worth knowing, nothing is broken."""
    return Finding(name, State.NOTE, words, next_step)


def wrong(name: str, words: str, next_step: str) -> Finding:
    """Something does not work until somebody acts."""
    return Finding(name, State.WRONG, words, next_step)


async def examine(patient: Patient) -> list[Finding]:
    """Every check, all at once, in the order in which a person would look."""
    found = await asyncio.gather(*(check(patient) for check in CHECKS))
    return [finding for findings in found for finding in findings]


async def python(_: Patient, version: tuple[int, ...] = sys.version_info[:2]) -> list[Finding]:
    """Whether this interpreter is one that the project supports."""
    shown = ".".join(str(part) for part in version)
    if OLDEST <= version <= NEWEST:
        return [ok("Python", f"{shown}")]
    return [wrong("Python", f"{shown} is not supported.", "Install Python 3.11, 3.12 or 3.13 and make a new .venv.")]


async def wheels(_: Patient) -> list[Finding]:
    """Whether both servers are installed; an installation with servers of its own needs neither."""
    try:
        postgres_programs(), temporal_program()
        return [ok("wheels", f"PostgreSQL and Temporal ({temporal_version()}) are installed")]
    except WheelMissing as missing:
        return [note("wheels", str(missing), "Needed for `tandem up` only, not with servers of your own.")]


async def folder(patient: Patient) -> list[Finding]:
    """Whether the data folder can be written and has room."""
    place = patient.home.folder
    above = next(p for p in [place, *place.parents] if p.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        return [
            wrong("data folder", f"{above} cannot be written to.", "Change its owner, or choose another with --home.")
        ]
    free = shutil.disk_usage(above).free
    if free < DISK_NEEDED:
        return [wrong("data folder", f"only {free // 1024**2} MB are free at {above}.", "Make room: 500 MB at least.")]
    return [ok("data folder", f"{place}, {free / 1024**3:.0f} GB free")]


async def launcher(patient: Patient) -> list[Finding]:
    """Whether a launcher runs here, or one was killed and left programs behind."""
    holder = patient.home.holder()
    if holder is not None:
        return [ok("launcher", f"runs as process {holder}")]
    left = [trace for path in patient.home.folder.rglob("*.trace") if (trace := Trace.read(path)) and trace.alive]
    if left or patient.home.note() is not None:
        pids = ", ".join(str(trace.pid) for trace in left) or "none any more"
        words = f"was killed; what it started still runs: {pids}."
        return [note("launcher", words, "Run `tandem up`: it cleans up and goes on from the data.")]
    return [note("launcher", "does not run on this data folder", "")]


async def settings(patient: Patient) -> list[Finding]:
    """Whether server and worker would start with what this shell has set."""
    return [wrong("settings", f"{fault.setting}: {fault.words}", fault.next_step) for fault in patient.faults]


async def usual_ports(patient: Patient) -> list[Finding]:
    """Whether the usual ports are to be had; a taken one only means another number."""
    if patient.home.holder() is not None:
        return [ok("ports", "in use by the launcher")]
    wished = {"API": ports.API, "Temporal": ports.TEMPORAL, "Temporal page": ports.TEMPORAL_PAGE}
    taken = [f"{number} ({use})" for use, number in wished.items() if not ports.is_free(number)]
    if taken:
        return [note("ports", f"taken by other programs: {', '.join(taken)}", "`tandem up` takes the next free ones.")]
    return [ok("ports", ", ".join(str(number) for number in wished.values()) + " are free")]


async def database(patient: Patient) -> list[Finding]:
    """Whether PostgreSQL answers, its schema is current, and its clock agrees with ours."""
    import asyncpg

    from store.migrate import MigrationRefused, status

    try:
        connection = await asyncpg.connect(patient.database_url, timeout=3)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        words = f"not reachable: {_plainly(str(error) or type(error).__name__)}."
        return [wrong("PostgreSQL", words, "Run `tandem up`, or set TANDEM_DATABASE_URL to your own server.")]
    try:
        version = await connection.fetchval("show server_version")
        skew = abs(datetime.now(UTC) - await connection.fetchval("select clock_timestamp()"))
    finally:
        await connection.close()
    found = [ok("PostgreSQL", f"{version} answers"), _clock(skew)]
    try:
        pending = [item.migration.number for item in await status(patient.database_url) if item.applied_at is None]
    except MigrationRefused as refused:
        return [
            *found,
            wrong("schema", f"{refused}.", "Restore the files of the version that runs here, or update it."),
        ]
    return [*found, _schema(pending)]


def _schema(pending: list[int]) -> Finding:
    if pending:
        return wrong("schema", f"{len(pending)} migrations are not applied: {pending}.", "Run `tandem migrate`.")
    return ok("schema", "current, checksums ok")


def _clock(skew: timedelta) -> Finding:
    seconds = skew.total_seconds()
    if skew > SKEW:
        words = f"this machine and the database differ by {seconds:.1f} s: deadlines would be judged by two clocks."
        return wrong("clock", words, "Set both clocks by NTP.")
    return ok("clock", f"agrees with the database's to {seconds:.1f} s")


async def temporal(patient: Patient) -> list[Finding]:
    """Whether Temporal answers, knows our search attributes, and a worker asks it for work."""
    told = await _probe(patient)
    if "error" in told:
        words = f"does not answer at {patient.temporal_address}: {_plainly(str(told['error']))}."
        return [wrong("Temporal", words, "Run `tandem up`, or set TANDEM_TEMPORAL_ADDRESS and _NAMESPACE.")]
    found = [ok("Temporal", f"{told['version']} answers at {patient.temporal_address}")]
    missing = [name for name in told["wanted"] if name not in told["attributes"]]
    if missing:
        words = f"not registered: {', '.join(missing)}; workflows that set them would stand still."
        found.append(wrong("search attributes", words, "Start the worker: it registers them."))
    else:
        found.append(ok("search attributes", "registered"))
    return [*found, _worker(told["polled"], patient.task_queue)]


def _worker(polled: list[str], queue: str) -> Finding:
    latest = max((datetime.fromisoformat(moment) for moment in polled), default=None)
    if latest is None or datetime.now(UTC) - latest > POLLED_LATELY:
        words = f"nobody asks for work on the task queue {queue}: reminders and effects wait."
        return wrong("worker", words, "Start it with `tandem up` or `python -m worker`, and read its log.")
    return ok("worker", f"asks for work on {queue}")


def _plainly(error: str) -> str:
    """A refused connection in words; any other error as it is."""
    return "nobody listens there" if "refused" in error.lower() else error.rstrip(".")


async def _probe(patient: Patient) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dev.temporal_probe"),
        *(patient.temporal_address, patient.temporal_namespace, patient.task_queue),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=CHECKOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 20)
        told: dict[str, Any] = json.loads(output)
        return told
    except TimeoutError:
        process.kill()
        return {"error": "no answer within 20 s"}
    except ValueError:
        return {"error": "the check itself ended early"}


async def server(patient: Patient) -> list[Finding]:
    """Whether the API is there and says that it can work."""
    import urllib.error

    try:
        await get_json(f"{patient.url}/readyz", 5)
    except urllib.error.HTTPError as unready:
        said = unready.read().decode(errors="replace")[:300]
        return [wrong("server", f"answers at {patient.url} but is not ready ({unready.code}): {said}", "Read its log.")]
    except (OSError, ValueError) as error:
        words = f"does not answer at {patient.url}: {_plainly(str(error))}."
        return [wrong("server", words, "Run `tandem up`, or set TANDEM_URL to where yours runs.")]
    return [ok("server", f"ready at {patient.url}")]


async def sealing(patient: Patient) -> list[Finding]:
    """Whether what is stored becomes provable: there is a key, and nothing contradicts what was sealed."""
    try:
        state = (await get_json(f"{patient.url}/readyz", 5)).get("sealing")
    except (OSError, ValueError):
        return []
    if state == "refused":
        words = "refused: the database contradicts checkpoints that were signed before. Was it restored or changed?"
        return [wrong("sealing", words, "Read the worker's log, and docs/how-to/seal-and-witness.md.")]
    if state == "no_key":
        words = "there is no key: nothing is sealed, so nothing can be proved."
        return [note("sealing", words, "Make one with `tandem seal new-key`, name it in TANDEM_SEAL_KEY_FILE.")]
    told = {"sealing": "goes on", "new": "there is nothing to seal yet"}
    return [ok("sealing", told[state])] if state in told else []


CHECKS: tuple[Check, ...] = (
    *(python, wheels, folder, launcher, usual_ports),
    *(settings, database, temporal, server, sealing),
)
