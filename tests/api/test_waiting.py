"""The inbox's other half: what a person waits for, on whom, and how much working time is left."""

from datetime import timedelta

from api.parts import Parts
from domain.decider import COMMANDS
from tests.api.asking import AUDITOR, PMO, PRODUCT, SPONSOR, Api


async def proposed(api: Api) -> str:
    project = await api.start()
    await api.do(project, "draft-charter", COMMANDS["DraftCharter"].example)
    await api.do(project, "propose-charter", {"revision": 1})
    return project


async def test_whoever_asked_for_a_decision_sees_on_whom_it_waits(api: Api) -> None:
    project = await proposed(api)
    (one,) = (await api.get("/v1/inbox", PMO)).json()["waiting_for"]
    assert (one["project"], one["decision"], one["kind"]) == (project, "D-1", "CHARTER")
    assert set(one["people"]) == {PMO, PRODUCT, SPONSOR}
    assert one["nudge"] == {"allowed": True, "why": None}
    await api.sign(project, PRODUCT)
    (one,) = (await api.get("/v1/inbox", PMO)).json()["waiting_for"]
    assert PRODUCT not in one["people"]
    for other in (PRODUCT, AUDITOR):
        assert (await api.get("/v1/inbox", other)).json()["waiting_for"] == []
    await api.sign(project, PMO, SPONSOR)
    assert (await api.get("/v1/inbox", PMO)).json()["waiting_for"] == []


async def test_nudging_ends_at_the_limit_and_says_so(api: Api) -> None:
    project = await proposed(api)
    while (one := (await api.get("/v1/inbox", PMO)).json()["waiting_for"][0])["nudge"]["allowed"]:
        assert one["nudges"] < 10
        await api.do(project, "nudge-approvers", {"decision": "D-1"})
    assert "limit" in one["nudge"]["why"]
    read = await api.get("/v1/inbox", PMO, headers={"Accept-Language": "zh"})
    assert "上限" in read.json()["waiting_for"][0]["nudge"]["why"]


async def test_working_time_left_shrinks_on_working_days_alone_and_stands_still_on_hold(
    api: Api, behind: Parts
) -> None:
    project = await proposed(api)
    duty = (await api.get("/v1/inbox", PRODUCT)).json()["duties"][0]
    state = await api.state(project)
    left = state["decisions"][0]["remaining"]["working_minutes"]
    assert abs(duty["working_time_left"] - 60 * left) <= 60
    assert 0 < duty["working_time_left"] < timedelta(days=30).total_seconds()
    await api.do(project, "hold-project", COMMANDS["HoldProject"].example)
    awaited = (await api.get("/v1/inbox", PMO)).json()["waiting_for"][0]
    assert awaited["held"]
    assert abs(awaited["working_time_left"] - 60 * left) <= 120
