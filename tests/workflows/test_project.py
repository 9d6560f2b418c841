"""What a project's workflow does with time, on a server that skips it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from temporalio.client import WorkflowHandle

from activities.messages import Submission
from activities.sweep import Sweep
from domain.messages import COMMANDS
from domain.template import Kind, OnTimeout
from tests.envelopes import SIGNER
from tests.workflows.world import PMO, PRODUCT, SPONSOR, World, plain_policy

CLOSE = timedelta(seconds=5)


def handle(world: World, project_id: str) -> WorkflowHandle:
    return world.client.get_workflow_handle(f"project-{project_id}")


async def continued(world: World, project_id: str) -> bool:
    """Whether the present run continues an earlier one."""
    async for event in handle(world, project_id).fetch_history_events():
        return bool(event.workflow_execution_started_event_attributes.continued_execution_run_id)
    raise AssertionError("a run has a first event")


async def test_a_project_runs_its_whole_life(world: World) -> None:
    project_id = await world.start()
    await world.recorded(project_id, "StageClockStarted", 1)
    await world.through_kickoff(project_id)
    await world.recorded(project_id, "StageClockStarted", 2)
    await world.through_agreement(project_id)
    await world.recorded(project_id, "KpiClocksStarted")
    await world.baseline(project_id)
    await world.through_execution(project_id)
    await world.recorded(project_id, "StageClockStarted", 4)
    await world.through_review(project_id)
    await world.recorded(project_id, "StageClockStarted", 5)
    await world.through_retrospective(project_id)
    assert await handle(world, project_id).result() == "completed"
    stages = [f.data["stage"] for f in await world.events(project_id, "PeopleInvited")]
    assert stages == ["KICKOFF", "KPI_AGREEMENT", "EXECUTION", "CHANGE_REVIEW", "RETROSPECTIVE"]
    assert (await world.state(project_id)).lifecycle.ending == "completed"


async def test_a_cancelled_project_passes_a_short_retrospective(world: World) -> None:
    project_id = await world.start()
    await world.do(project_id, PMO, "ProposeCancellation", reason="The market has gone")
    await world.sign(project_id, "CANCELLATION")
    await world.through_retrospective(project_id)
    assert await handle(world, project_id).result() == "cancelled"


async def test_reminders_come_at_50_80_and_100_percent_then_escalation_then_expiry(world: World) -> None:
    project_id = await world.start()
    await world.do(project_id, PMO, "DraftCharter", **COMMANDS["DraftCharter"].example)
    await world.do(project_id, PMO, "ProposeCharter", revision=1)
    clock = (await world.state(project_id)).clocks["decision/D-1"]
    await world.pass_days(16)
    expired = await world.recorded(project_id, "DecisionExpired")
    reminders = await world.events(project_id, "DecisionReminderDue")
    assert [f.data["percent"] for f in reminders] == [50, 80, 100]
    fired = [*reminders, *await world.events(project_id, "DecisionEscalated"), *expired]
    assert len(fired) == len(clock.marks)
    for fact, mark in zip(fired, clock.marks, strict=True):
        assert timedelta(0) <= fact.recorded_at - mark.at < CLOSE, mark.name
    assert (await world.state(project_id)).decisions["D-1"].state == "EXPIRED"


async def test_escalation_lets_the_sponsor_sign_as_well(world: World) -> None:
    project_id = await world.start()
    await world.through_kickoff(project_id)
    await world.do(project_id, PRODUCT, "ProposeAgreement", **COMMANDS["ProposeAgreement"].example)
    clock = (await world.state(project_id)).clocks["decision/D-2"]
    due = next(mark.at for mark in clock.marks if mark.name.startswith("escalate"))
    await world.pass_days((due - world.now()) / timedelta(days=1) + 0.01)
    await world.recorded(project_id, "DecisionEscalated")
    decision = (await world.state(project_id)).decisions["D-2"]
    vote = {"decision": "D-2", "value": "APPROVE", "revision": 1, "content_hash": decision.subject.content_hash}
    await world.do(project_id, SPONSOR, "Vote", **vote)
    outcome = await world.do(project_id, PRODUCT, "Vote", **vote)
    assert outcome.stage == "EXECUTION"


async def test_a_check_in_that_nobody_holds_is_missed_and_the_next_one_scheduled(world: World) -> None:
    project_id = await world.to_execution()
    first = (await world.recorded(project_id, "CheckInScheduled"))[0]
    await world.pass_days(10)
    missed = await world.recorded(project_id, "CheckInMissed")
    assert missed[0].data["check_in"] == first.data["check_in"]
    assert len(await world.events(project_id, "CheckInScheduled")) == 2


async def test_a_held_check_in_is_not_missed(world: World) -> None:
    project_id = await world.to_execution()
    await world.recorded(project_id, "CheckInScheduled")
    await world.do(project_id, PMO, "HoldCheckIn", check_in="K-1", attendees=[PMO, PRODUCT])
    await world.pass_days(8)
    assert not await world.events(project_id, "CheckInMissed")


async def test_a_hold_over_a_deadline_pauses_every_clock(world: World) -> None:
    project_id = await world.start()
    await world.do(project_id, PMO, "DraftCharter", **COMMANDS["DraftCharter"].example)
    await world.do(project_id, PMO, "ProposeCharter", revision=1)
    await world.do(project_id, SPONSOR, "HoldProject", reason="The supplier is insolvent")
    await world.pass_days(60)
    assert not await world.events(project_id, "DecisionReminderDue", "DecisionExpired", "StageReminderDue")
    await world.do(project_id, SPONSOR, "ResumeProject")
    assert (await world.state(project_id)).decisions["D-1"].is_open
    await world.pass_days(5)
    await world.recorded(project_id, "DecisionReminderDue")


async def test_a_decision_that_expires_at_its_limit_does_so_and_never_passes(world: World) -> None:
    project_id = await world.to_execution()
    await world.do(project_id, PMO, "ProposeRecycle", to="KICKOFF", reason="The scope has changed")
    await world.pass_days(6)
    await world.recorded(project_id, "DecisionExpired")
    assert (await world.state(project_id)).stage == "EXECUTION"


async def test_a_policy_may_hold_instead_of_expire(world: World) -> None:
    policies = dict(world.policy.decisions)
    policies[Kind.RECYCLE] = policies[Kind.RECYCLE].model_copy(update={"on_timeout": OnTimeout.HOLD})
    world.step.templates = {"standard": plain_policy(decisions=policies)}
    project_id = await world.to_execution()
    await world.do(project_id, PMO, "ProposeRecycle", to="KICKOFF", reason="The scope has changed")
    await world.pass_days(6)
    await world.recorded(project_id, "DecisionHeld")


async def test_a_year_in_execution_goes_on_over_many_runs(world: World) -> None:
    project_id = await world.to_execution()
    await world.recorded(project_id, "CheckInScheduled")
    for _ in range(12):
        await world.pass_days(30.5)
    missed = await world.recorded(project_id, "CheckInMissed", 45)
    assert [f.data["in_a_row"] for f in missed] == list(range(1, len(missed) + 1))
    assert await continued(world, project_id), "a year of history in one run"
    await world.through_execution(project_id)
    await world.through_review(project_id)
    await world.through_retrospective(project_id)
    assert await handle(world, project_id).result() == "completed"


async def test_a_signal_submits_with_the_same_checks_and_the_same_effect(world: World) -> None:
    project_id = await world.start()
    drafted = Submission(
        command_id=str(uuid4()), type="DraftCharter", principal=PMO, data=COMMANDS["DraftCharter"].example
    )
    sent = SIGNER.sign(project_id, drafted, datetime.now(UTC))
    for _ in range(2):
        await handle(world, project_id).signal("submit", sent)
    await world.recorded(project_id, "CharterDrafted")
    pretended = Submission(command_id="enter:2:invite", type="CloseProject", principal="lifecycle")
    forged = SIGNER.sign(project_id, pretended, datetime.now(UTC))
    await handle(world, project_id).signal("submit", forged)

    async def refused() -> bool:
        return any(line.code == "SystemOnly" for _, line in await world.store.refusals(10))

    await world.until(refused)
    assert all(":" not in line.command_id for _, line in await world.store.refusals(10))
    assert len(await world.events(project_id, "CharterDrafted")) == 1
    assert (await world.events(project_id, "CharterDrafted"))[0].metadata["actor"]["client"] == "signal"


async def test_people_are_told_once_even_if_a_workflow_is_started_over(world: World) -> None:
    project_id = await world.start()
    await world.recorded(project_id, "StageClockStarted")
    await world.followed(project_id)
    await handle(world, project_id).terminate("by hand")
    await world.do(project_id, PMO, "DraftCharter", **COMMANDS["DraftCharter"].example)
    await world.do(project_id, PMO, "ProposeCharter", revision=1)
    await world.followed(project_id)

    async def invited() -> int:
        return int(await world.store.pool.fetchval("SELECT count(*) FROM tandem.message WHERE recipient = $1", PMO))

    async def both() -> bool:
        return await invited() == 2

    await world.until(both)
    assert len(await world.events(project_id, "PeopleInvited")) == 1


async def test_a_stage_counts_as_followed_once_its_people_are_invited_and_its_clock_runs(world: World) -> None:
    project_id = await world.start()
    await world.followed(project_id)
    assert len(await world.events(project_id, "PeopleInvited", "StageClockStarted")) == 2
    await world.through_kickoff(project_id)
    await world.followed(project_id)
    assert len(await world.events(project_id, "PeopleInvited", "StageClockStarted")) == 4


async def test_the_sweep_starts_again_what_was_lost(world: World) -> None:
    project_id = await world.start()
    await world.recorded(project_id, "StageClockStarted")
    await handle(world, project_id).terminate("by hand")
    await world.step.store.mark_seen(f"project-{project_id}", 1)

    class Waking:
        """The engine without the list of running workflows, which this server does not have."""

        async def wake(self, project: str, version: int) -> None:
            await world.engine.wake(project, version)

        async def running_projects(self):  # type: ignore[no-untyped-def]
            return
            yield

    woken = await Sweep(world.store, Waking()).once(world.now())
    assert woken == 1
    await world.followed(project_id)
