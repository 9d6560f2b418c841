"""A project's life over HTTP, with every process real: what people do, and what then happens by itself."""

import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from rich.console import Console

from dev.demo import play
from domain.decider import COMMANDS
from tests.e2e.life import MEMBER, PMO, PRODUCT, SPONSOR, Life, temporal, until
from tests.e2e.system import System

pytestmark = pytest.mark.slow


@pytest.fixture
async def life(system: System) -> AsyncIterator[Life]:
    async with system.person(PMO) as client:
        yield Life(system, client)


async def test_a_project_goes_from_kickoff_to_its_close(life: Life) -> None:
    await life.start()
    await life.begun()
    for stage in (life.through_kickoff, life.through_agreement):
        await stage()
        await life.begun()
    await life.recorded("CheckInScheduled")
    await life.baseline()
    await life.to_the_end()
    invited = [event["data"]["stage"] for event in await life.events("PeopleInvited")]
    assert invited[:3] == ["KICKOFF", "KPI_AGREEMENT", "EXECUTION"]
    assert len(await life.events("CheckInScheduled")) == 1
    versions = [event["version"] for event in await life.events()]
    assert versions == list(range(1, len(versions) + 1))
    inbox = await life.client.get("/v1/inbox", headers={"Authorization": f"Bearer dev:{SPONSOR}"})
    assert all(duty["project_id"] != life.project for duty in inbox.json()["duties"])


async def test_operators_find_a_project_by_its_stage(life: Life) -> None:
    await life.start()
    await life.through_kickoff()

    async def listed() -> bool:
        query = f"TandemStage = 'KPI_AGREEMENT' AND WorkflowId = '{life.workflow}'"
        return len(await temporal(life.system, "workflow", "list", "--query", query)) == 1

    await until(listed)


async def test_a_recycled_project_goes_its_way_again(life: Life) -> None:
    await life.to_execution()
    await life.begun()
    await life.do(PMO, "ProposeRecycle", to="KPI_AGREEMENT", reason="The targets were wrong")
    assert (await life.sign("RECYCLE", PMO, PRODUCT))["stage"] == "KPI_AGREEMENT"
    await life.begun()
    assert (await life.events("PeopleInvited"))[-1]["data"]["stage"] == "KPI_AGREEMENT"
    await life.through_agreement()
    await life.begun()
    assert (await life.events("PeopleInvited"))[-1]["data"]["stage"] == "EXECUTION"


async def test_a_cancelled_project_ends_by_a_short_retrospective(life: Life) -> None:
    await life.start()
    await life.do(PMO, "ProposeCancellation", reason="The market has gone")
    assert (await life.sign("CANCELLATION", PMO, PRODUCT, SPONSOR))["stage"] == "RETROSPECTIVE"
    await life.through_retrospective()
    await life.closed("cancelled")


async def assessed(life: Life, number: int) -> str:
    """A change of the member's, assessed by both sides on the first baseline; its id."""
    change = f"C-{number}"
    submitted = {**COMMANDS["SubmitChange"].example, "title": f"Change {number}"}
    await life.do(MEMBER, "SubmitChange", **submitted)
    await life.do(PMO, "TriageChange", change=change, change_class="NORMAL")
    await life.do(PRODUCT, "AssessProductImpact", **{**COMMANDS["AssessProductImpact"].example, "change": change})
    await life.do(PMO, "AssessPlanImpact", **{**COMMANDS["AssessPlanImpact"].example, "change": change})
    return change


async def test_an_approved_change_alters_the_plan_by_its_delta_and_no_more(life: Life) -> None:
    await life.to_execution()
    first, other = await assessed(life, 1), await assessed(life, 2)
    before = (await life.get())["plan"]["baseline"]
    await life.do(PMO, "OpenChangeDecision", change=first)
    await life.sign("CHANGE", PMO, PRODUCT)
    state = await life.get()
    after = state["plan"]["baseline"]
    assert after["budget"] == {"amount": "84000", "currency": "CNY"}
    assert [m["due"] for m in after["milestones"]] == ["2026-04-30", "2026-09-11"]
    assert _without_delta(after) == _without_delta(before)
    assert {change["id"]: change["state"] for change in state["changes"]}[other] == "STALE"
    stale = await life.refused(PMO, "OpenChangeDecision", change=other)
    assert stale["code"] == "NotReady"


def _without_delta(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan without what the example's change touches: the budget, and when M2 is due."""
    kept = [{**m, "due": None} if m["id"] == "M2" else m for m in plan["milestones"]]
    return {**plan, "budget": None, "milestones": kept}


async def test_nobody_approves_a_change_of_their_own(life: Life) -> None:
    await life.to_execution()
    await life.do(PRODUCT, "SubmitChange")
    await life.do(PMO, "TriageChange")
    await life.do(PRODUCT, "AssessProductImpact")
    await life.do(PMO, "AssessPlanImpact")
    await life.do(PMO, "OpenChangeDecision")
    before = await life.get()
    problem = await life.refused(PRODUCT, "Vote", **await life.ballot("CHANGE"))
    assert (problem["status"], problem["rule"]) == (403, "X5")
    after = await life.get()
    assert (after["version"], after["decisions"]) == (before["version"], before["decisions"])
    store = await life.system.store()
    try:
        mine = [line for _, line in await store.refusals(1000) if line.stream == life.workflow]
    finally:
        await store.close()
    assert [(line.type, line.actor["principal"], line.rule) for line in mine] == [("Vote", PRODUCT, "X5")]


@pytest.mark.parametrize("ways", [("http", "http"), ("http", "signal"), ("signal", "http")])
async def test_an_approval_sent_twice_is_recorded_once_whichever_way_it_comes(
    life: Life, ways: tuple[str, str]
) -> None:
    await life.start()
    if "signal" in ways:
        await life.begun()
    await life.do(PMO, "DraftCharter")
    await life.do(PMO, "ProposeCharter", revision=1)
    key, ballot = str(uuid4()), await life.ballot("CHARTER")
    for way in ways:
        if way == "http":
            answer = await life.do(PMO, "Vote", key, **ballot)
            assert [event["type"] for event in answer["events"]] == ["VoteCast"]
        else:
            await life.signal_submit(await life.signed(PMO, "Vote", key, ballot))
            await life.recorded("VoteCast")
    last = await life.do(PRODUCT, "Vote", **ballot)
    if "signal" in ways:
        await handled(life, ways.count("signal"))
    votes = await life.events("VoteCast")
    assert [vote["actor"]["principal"] for vote in votes] == [PMO, PRODUCT]
    assert votes[0]["actor"]["client"] == ("signal" if ways[0] == "signal" else "api")
    assert last["version"] == votes[-1]["version"]


async def test_an_approval_forged_by_somebody_with_access_to_temporal_has_no_effect(life: Life) -> None:
    await life.start()
    await life.begun()
    await life.do(PMO, "DraftCharter")
    await life.do(PMO, "ProposeCharter", revision=1)
    ballot = await life.ballot("CHARTER")
    signed = await life.signed(PMO, "Vote", str(uuid4()), ballot)
    forged = {"command_id": str(uuid4()), "type": "Vote", "principal": PRODUCT, "data": ballot}
    for sent in (forged, signed | {"principal": PRODUCT}, signed | {"data": {**ballot, "value": "REJECT"}}):
        await life.signal_submit(sent)
    await handled(life, 3)
    assert await life.events("VoteCast") == []
    assert await codes(life) == ["Unsigned", "Forged", "Forged"]


async def codes(life: Life) -> list[str]:
    """Why signals to this project were refused, as auditors find it."""
    store = await life.system.store()
    try:
        lines = [line for _, line in await store.refusals(1000) if line.stream == life.workflow]
    finally:
        await store.close()
    return [line.code for line in lines if line.channel == "signal"]


async def handled(life: Life, submissions: int) -> None:
    """Wait until the workflow has carried so many submissions to the rules."""

    async def there() -> bool:
        shown = await temporal(life.system, "workflow", "show", "--workflow-id", life.workflow)
        begun = {
            event["eventId"]
            for event in shown["events"]
            if event.get("activityTaskScheduledEventAttributes", {}).get("activityType", {}).get("name") == "submit"
        }
        ended = {e.get("activityTaskCompletedEventAttributes", {}).get("scheduledEventId") for e in shown["events"]}
        return len(begun & ended) >= submissions

    await until(there)


async def test_who_prefers_to_wait_finds_the_lifecycle_caught_up(life: Life) -> None:
    await life.start()
    answer = await life.ask(PMO, COMMANDS["DraftCharter"], COMMANDS["DraftCharter"].example, Prefer="wait=20")
    assert answer.headers["Preference-Applied"] == "wait=20"
    store = await life.system.store()
    try:
        assert await store.seen(life.workflow) >= answer.json()["version"]
    finally:
        await store.close()


async def test_the_demo_ends_with_a_proof_and_with_what_a_flipped_byte_does_to_it(system: System) -> None:
    screen = io.StringIO()
    await play(system.url, Console(file=screen, width=400))
    told = screen.getvalue().partition("\nProof\n")[2]
    assert "    valid\n" in told
    assert "    tampered\n" in told
    assert "changed: one byte is b'L' and was b'M' [events.ndjson, line 1, byte " in told
