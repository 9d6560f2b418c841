"""A step that ran out of time within a task, and whose worker was killed after that: the project goes on.

The history is of a run of `tests.load`, up to where its next worker replayed it.
"""

from pathlib import Path

from tests.replay.keeping import events, replay
from tests.replay.scrub import IDENTITY, texts
from workflows.project import ProjectWorkflow

FILE = Path(__file__).parent / "timeout_histories" / "timed-out.1.json"


async def test_what_ran_out_of_time_and_was_done_otherwise_is_gone_on_with() -> None:
    assert await replay(FILE, ProjectWorkflow) is None


def test_the_history_shows_it_and_tells_of_no_machine() -> None:
    kinds = [event["eventType"] for event in events(FILE)]
    failed = next(
        at for at, event in enumerate(events(FILE)) if "failure" in event.get("markerRecordedEventAttributes", {})
    )
    assert kinds[failed + 1] == "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED"
    assert {text for text in texts(events(FILE)) if "@" in text} == {IDENTITY}
