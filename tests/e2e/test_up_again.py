"""`tandem up`, kill -9 of all of it, `tandem up`: everything goes on where it stopped, timers included."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from dev.home import CHECKOUT, Home, Running
from dev.ports import any_port
from dev.processes import Trace, began
from domain.decider import COMMANDS
from tests.e2e.life import PMO, until

pytestmark = pytest.mark.slow
LEAD = timedelta(seconds=5)
"""Between the start of a project and its first due instant: time to kill everything before."""


@asynccontextmanager
async def up(home: Home) -> AsyncIterator[asyncio.subprocess.Process]:
    """The launcher on this home; asked to stop at the end if it still runs."""
    command = [sys.executable, "-m", "cli", "up", "--home", str(home.folder), "--port", str(any_port())]
    process = await asyncio.create_subprocess_exec(*command, cwd=CHECKOUT, stdout=asyncio.subprocess.DEVNULL)
    try:

        async def announced() -> bool:
            assert process.returncode is None, "the launcher has ended"
            running = home.running()
            return running is not None and running.pid == process.pid

        await until(announced, 60)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def children(home: Home) -> list[Trace]:
    """What the launcher has started and is alive."""
    found = [Trace.read(path) for path in home.folder.rglob("*.trace")]
    return [trace for trace in found if trace is not None and trace.alive]


async def kill_everything(home: Home, launcher: asyncio.subprocess.Process) -> None:
    """kill -9 of the launcher and of each of its four children, at once."""
    victims = children(home)
    assert len(victims) == 4
    for pid in [launcher.pid, *(trace.pid for trace in victims)]:
        os.kill(pid, signal.SIGKILL)
    await launcher.wait()

    async def gone() -> bool:
        return not any(began(trace.pid) == trace.began for trace in victims)

    await until(gone)


class Asked:
    """The API of what runs on a home now."""

    def __init__(self, home: Home) -> None:
        running = home.running()
        assert running is not None
        self.running: Running = running

    async def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        async with httpx2.AsyncClient(base_url=self.running.url, timeout=30) as client:
            answer = await client.request(method, path, json=body, headers={"Authorization": f"Bearer dev:{PMO}"})
        assert answer.is_success, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def state(self, project: str) -> dict[str, Any]:
        return await self.ask("GET", f"/v1/projects/{project}")

    async def begun(self, project: str) -> None:
        """Wait until people are invited and the stage's clock runs."""

        async def there() -> bool:
            return bool((await self.state(project))["lifecycle"]["clocked_visit"] == 1)

        await until(there)

    async def reminders(self, project: str) -> list[dict[str, Any]]:
        """The reminders of the stage's limit that were recorded."""
        return list((await self.ask("GET", f"/v1/projects/{project}/events?type=StageReminderDue"))["items"])

    async def run_id(self, project: str) -> str:
        """Which run of the workflow is under way."""
        client = await Client.connect(self.running.temporal_address)
        described = await client.get_workflow_handle(f"project-{project}").describe()
        assert described.status is WorkflowExecutionStatus.RUNNING
        return str(described.run_id)


def days_that_open_soon(folder: Path) -> dict[str, datetime]:
    """The standard template many times, each on working days that open at another of the next minutes.

    A limit's first hundredth rounds down to no minute at all: who starts before the opening is reminded at the
    opening, to the second. Gives the openings by the template's name.
    """
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    openings = {f"opens-{number}": now + timedelta(minutes=number) for number in range(1, 6)}
    policy = json.loads((CHECKOUT / "domain" / "templates" / "standard.json").read_text(encoding="utf-8"))
    policy["stages"]["KICKOFF"] = {"limit_days": 1, "remind_percent": [1, 50, 100]}
    folder.mkdir()
    for name, opens in openings.items():
        written = {**policy, "template": name, "calendar": opening(opens)}
        (folder / f"{name}.json").write_text(json.dumps(written), encoding="utf-8")
    return openings


def opening(at: datetime) -> dict[str, Any]:
    """A calendar of quarters of an hour, one of which begins then: about noon, so that it ends the same day."""
    zone = f"Etc/GMT{at.hour - 12:+d}"
    opens = at.astimezone(ZoneInfo(zone))
    hours = {"opens": f"{opens:%H:%M:00}", "closes": f"{opens + timedelta(minutes=15):%H:%M:00}"}
    return {"timezone": zone, "region": None, "weekdays": [0, 1, 2, 3, 4, 5, 6], "overrides": [], **hours}


async def test_after_kill_9_of_everything_the_next_start_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with TemporaryDirectory(prefix="tandem-", ignore_cleanup_errors=True) as folder:
        home, templates = Home(Path(folder) / "home"), Path(folder) / "templates"
        openings = days_that_open_soon(templates)
        monkeypatch.setenv("TANDEM_TEMPLATES", str(templates))
        async with up(home) as launcher:
            asked = Asked(home)
            template = next(name for name, at in openings.items() if at > datetime.now(UTC) + LEAD)
            wanted = {**COMMANDS["StartProject"].example, "template": template}
            project = (await asked.ask("POST", "/v1/projects", wanted))["id"]
            await asked.begun(project)
            before, run = await asked.state(project), await asked.run_id(project)
            assert not await asked.reminders(project), "it was due before everything was killed"
            await kill_everything(home, launcher)
        missed, following = (datetime.fromisoformat(mark["at"]) for mark in stage_clock(before)["marks"][:2])
        assert datetime.fromisoformat(before["next_due"]) == missed == openings[template]
        await asyncio.sleep(max(0.0, (missed - datetime.now(UTC)).total_seconds()) + 0.5)
        async with up(home):
            started = datetime.now(UTC)
            asked = Asked(home)

            async def reminded() -> bool:
                return bool(await asked.reminders(project))

            await until(reminded)
            (reminder,) = await asked.reminders(project)
            assert missed < datetime.fromisoformat(reminder["recorded_at"]) < started + timedelta(seconds=20)
            assert await asked.run_id(project) == run, "the workflow was started over instead of going on"
            assert datetime.fromisoformat((await asked.state(project))["next_due"]) == following
            drafted = await asked.ask("POST", f"/v1/projects/{project}/draft-charter", COMMANDS["DraftCharter"].example)
            assert drafted["version"] == before["version"] + 2


def stage_clock(state: dict[str, Any]) -> dict[str, Any]:
    """The clock of the first stage."""
    (clock,) = (clock for ref, clock in state["clocks"].items() if ref.startswith("stage"))
    return dict(clock)
