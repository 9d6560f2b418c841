"""The gate for digests: today's workflow can go on with every digest that yesterday's began."""

from pathlib import Path

import pytest
from temporalio.workflow import NondeterminismError

from tests.replay.digest import HISTORIES
from tests.replay.edited_digest import WithATimer
from tests.replay.keeping import events, replay
from workflows.digest import DigestWorkflow

FILES = sorted(HISTORIES.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_what_was_begun_goes_on(file: Path) -> None:
    assert await replay(file, DigestWorkflow) is None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_an_edit_is_caught(file: Path) -> None:
    assert isinstance(await replay(file, WithATimer), NondeterminismError)


def test_the_histories_show_what_can_happen() -> None:
    endings = [events(file)[-1]["eventType"].removeprefix("EVENT_TYPE_WORKFLOW_EXECUTION_") for file in FILES]
    assert endings == ["CONTINUED_AS_NEW", "COMPLETED"]
    kinds = [event["eventType"] for event in events(FILES[0])]
    assert kinds.count("EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED") > 1
    assert {"EVENT_TYPE_TIMER_FIRED", "EVENT_TYPE_TIMER_CANCELED"} <= set(kinds)
