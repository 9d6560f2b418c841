"""The gate for notices: today's workflow can go on with every notice that yesterday's began."""

from pathlib import Path

import pytest

from tests.replay.keeping import events, replay
from tests.replay.notice import HISTORIES
from tests.replay.scrub import texts
from workflows.notification import NotificationWorkflow

FILES = sorted(HISTORIES.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_what_was_begun_goes_on(file: Path) -> None:
    assert await replay(file, NotificationWorkflow) is None


def test_the_histories_show_what_can_happen() -> None:
    assert len(FILES) == 6
    shown = [text for file in FILES for text in texts(events(file))]
    for mark in ("when_to_tell", "EVENT_TYPE_TIMER_FIRED", "give_up", "Undeliverable", "next-channel", '"chat"'):
        assert any(mark in text for text in shown), mark
