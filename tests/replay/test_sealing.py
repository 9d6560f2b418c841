"""The gate for the sealing: today's workflow can go on with what yesterday's began."""

from pathlib import Path

import pytest
from temporalio.workflow import NondeterminismError

from tests.replay.keeping import events, replay
from tests.replay.scrub import texts
from tests.replay.sealing import HISTORIES
from tests.replay.short_sealing import SHORT_HISTORY, ShortSealing, WithATimer

FILES = sorted(HISTORIES.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_what_was_begun_goes_on(file: Path) -> None:
    assert await replay(file, ShortSealing) is None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_an_edit_is_caught(file: Path) -> None:
    assert isinstance(await replay(file, WithATimer), NondeterminismError)


def test_the_history_shows_what_can_happen() -> None:
    assert FILES
    shown = [text for file in FILES for text in texts(events(file))]
    for mark in ("SealRefused", "sealable", "anchor", "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW", '"size":3'):
        assert any(mark in text for text in shown), mark
    assert len(events(FILES[0])) > SHORT_HISTORY
