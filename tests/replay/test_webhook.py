"""The gate for webhooks: today's workflow can go on with every endpoint that yesterday's began."""

from pathlib import Path

import pytest
from temporalio.workflow import NondeterminismError

from tests.replay.keeping import events, replay
from tests.replay.scrub import texts
from tests.replay.short_webhook import SHORT_HISTORY, ShortWebhook, WithARest
from tests.replay.webhook import HISTORIES

FILES = sorted(HISTORIES.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_what_was_begun_goes_on(file: Path) -> None:
    assert await replay(file, ShortWebhook) is None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_an_edit_is_caught(file: Path) -> None:
    assert isinstance(await replay(file, WithARest), NondeterminismError)


def test_the_histories_show_what_can_happen() -> None:
    assert len(FILES) > 1
    assert len(events(FILES[0])) > SHORT_HISTORY
    endings = [events(file)[-1]["eventType"].removeprefix("EVENT_TYPE_WORKFLOW_EXECUTION_") for file in FILES]
    assert endings == ["CONTINUED_AS_NEW"] * (len(FILES) - 1) + ["COMPLETED"]
    shown = [text for file in FILES for text in texts(events(file))]
    for mark in ("deliver_events", '"disabled"', "EVENT_TYPE_TIMER_FIRED"):
        assert any(mark in text for text in shown), mark
    started = [event.get("activityTaskStartedEventAttributes", {}) for file in FILES for event in events(file)]
    assert max(step.get("attempt", 0) for step in started) > 1, "no outage was waited for"
