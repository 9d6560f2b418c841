"""The load with real receivers at a reduced size; `make load` runs the whole of it. Neither runs beside other tests."""

import pytest

from tests.load.judging import verdict
from tests.load.running import SMALL, run


@pytest.mark.slow
async def test_no_notice_is_lost_and_none_comes_twice_without_a_kill_while_workers_are_killed() -> None:
    figures, faults = verdict(await run(SMALL))
    assert faults == []
    assert figures["kills"] >= 3
    assert figures["notices"]["owed"] >= 80
    assert figures["notices"]["refused or not answered"] > 0
    assert figures["reminders"] > 0
