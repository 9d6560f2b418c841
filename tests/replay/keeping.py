"""Keeping the runs of a workflow as files, and replaying those files against today's code."""

import json
import logging
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import structlog
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from dev.embedded import EmbeddedPostgres
from tests.replay.scrub import packed
from worker import sandbox


def keep(folder: Path, name: str, runs: Iterable[WorkflowHistory]) -> None:
    """A file a run; what was there before under this name is forgotten."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob(f"{name}.*.json"):
        old.unlink()
    for number, history in enumerate(runs, 1):
        file = folder / f"{name}.{number}.json"
        file.write_text(packed(history.to_json()), encoding="utf-8")
        print(f"{file.name}: {len(history.events)} events, {file.stat().st_size} bytes")


def events(file: Path) -> list[dict[str, Any]]:
    """The events of a kept run."""
    return list(json.loads(file.read_text(encoding="utf-8"))["events"])


async def replay(file: Path, kind: type) -> Exception | None:
    """What keeps this workflow from going on with the kept run; None where nothing does."""
    replayer = Replayer(workflows=[kind], workflow_runner=sandbox(), data_converter=pydantic_data_converter)
    history = WorkflowHistory.from_json(file.stem, file.read_text(encoding="utf-8"))
    return (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure


async def on_own_postgres(
    quick: Callable[[str], Awaitable[None]], record: Callable[[EmbeddedPostgres], Awaitable[None]]
) -> None:
    """Record on a server that is gone afterwards."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres")
        await quick(await postgres.start())
        try:
            await record(postgres)
        finally:
            await postgres.stop()
