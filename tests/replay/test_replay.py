"""The gate: today's workflows can go on with every project that yesterday's began."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.replay.edited import WithOneMoreTimer, WithoutClocks
from tests.replay.paths import PATHS
from tests.replay.scrub import texts
from tests.replay.short import SHORT_HISTORY, ShortRuns
from worker import sandbox
from workflows.notification import NotificationWorkflow
from workflows.project import ProjectWorkflow

FILES = sorted((Path(__file__).parent / "histories").glob("*.json"))
FINAL = {"EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED", "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW"}


def path_of(file: Path) -> str:
    return file.name.split(".")[0]


def runs(path: str) -> list[Path]:
    return [file for file in FILES if path_of(file) == path]


def events(file: Path) -> list[dict[str, Any]]:
    return list(json.loads(file.read_text(encoding="utf-8"))["events"])


async def replay(file: Path, workflow: type) -> Exception | None:
    """Why the history cannot be gone on with; None where it can."""
    replayer = Replayer(
        workflows=[workflow, NotificationWorkflow],
        workflow_runner=sandbox(),
        data_converter=pydantic_data_converter,
    )
    history = WorkflowHistory.from_json(file.stem, file.read_text(encoding="utf-8"))
    return (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_what_was_begun_goes_on(file: Path) -> None:
    workflow = ShortRuns if PATHS[path_of(file)].short_runs else ProjectWorkflow
    assert await replay(file, workflow) is None


@pytest.mark.parametrize("path", PATHS)
def test_every_path_was_recorded_to_its_end(path: str) -> None:
    files = runs(path)
    assert [file.name for file in files] == [f"{path}.{n}.json" for n in range(1, len(files) + 1)]
    endings = [events(file)[-1]["eventType"].removeprefix("EVENT_TYPE_WORKFLOW_EXECUTION_") for file in files]
    assert endings == ["CONTINUED_AS_NEW"] * (len(files) - 1) + ["COMPLETED"]


@pytest.mark.parametrize(("path", "mark"), [(path, mark) for path, known in PATHS.items() for mark in known.shows])
def test_a_history_shows_its_path(path: str, mark: str) -> None:
    shown = [text for file in runs(path) for text in texts(events(file))]
    assert any(mark in text for text in shown)


def test_a_chain_has_a_run_after_the_first() -> None:
    chain = runs("missed-check-ins")
    assert len(chain) > 1
    assert all(len(events(file)) > SHORT_HISTORY for file in chain[:-1])


def test_there_is_no_history_of_an_unknown_path() -> None:
    assert {path_of(file) for file in FILES} == set(PATHS)


@pytest.mark.parametrize("edited", [WithOneMoreTimer, WithoutClocks])
@pytest.mark.parametrize("path", [path for path in PATHS if not path.startswith("notice-")])
async def test_the_gate_catches_an_edit_in_every_life(path: str, edited: type) -> None:
    failure = await replay(runs(path)[0], edited)
    assert isinstance(failure, NondeterminismError), failure
