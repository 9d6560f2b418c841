"""The gate for digests: today's workflow can go on with every digest that yesterday's began."""

from pathlib import Path

import pytest
from temporalio.workflow import NondeterminismError

from tests.replay.digest import HISTORIES
from tests.replay.edited_digest import WithATimer
from tests.replay.keeping import events, replay
from tests.replay.scrub import IDENTITY, MOST_BYTES, texts
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


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_is_small_and_tells_of_no_machine(file: Path) -> None:
    assert file.stat().st_size < MOST_BYTES
    told = set(texts(events(file)))
    assert {text for text in told if "@" in text} == {IDENTITY}
    assert not {text for text in told if "Traceback" in text or ".py" in text}
