"""The ways a project's life and a notice's can go: each is played on real servers, and its history kept."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
from temporalio.client import WorkflowExecutionStatus

from activities.messages import NoticeMessage, Submission
from dev.embedded import EmbeddedPostgres
from domain.messages import COMMANDS
from tests.envelopes import SIGNER
from tests.workflows.world import PMO, PRODUCT, SPONSOR, World


@dataclass(frozen=True)
class Stage:
    """Where a path is played."""

    world: World
    postgres: EmbeddedPostgres
    admin: str
    """The superuser's dsn of the path's own database."""

    async def scheduled(self, workflow_id: str, activity: str, times: int = 1) -> None:
        """Wait until the workflow has asked for this step as a normal activity."""

        async def there() -> bool:
            history = await self.world.client.get_workflow_handle(workflow_id).fetch_history()
            found = [e.activity_task_scheduled_event_attributes.activity_type.name for e in history.events]
            return found.count(activity) >= times

        await self.world.until(there, 40)

    async def closed(self, workflow_id: str) -> None:
        """Wait until the workflow has ended in order."""

        async def there() -> bool:
            described = await self.world.client.get_workflow_handle(workflow_id).describe()
            return described.status is WorkflowExecutionStatus.COMPLETED

        await self.world.until(there)


@dataclass(frozen=True)
class Path:
    """How it is played, and what its history must show, so that it is not another path's by mistake."""

    play: Callable[[Stage], Awaitable[str]]
    """Gives the id of the closed workflow."""
    shows: tuple[str, ...]
    short_runs: bool = False
    """Recorded and replayed with a low bound on a run's history (see short.py)."""


async def completed(stage: Stage) -> str:
    world = stage.world
    project_id = await world.to_execution()
    await _settled(world, project_id)
    await world.through_execution(project_id)
    await _settled(world, project_id)
    await world.through_review(project_id)
    await _settled(world, project_id)
    return await _looked_back(world, project_id)


async def recycled(stage: Stage) -> str:
    world = stage.world
    project_id = await world.to_execution()
    await _settled(world, project_id)
    await world.do(project_id, PMO, "ProposeRecycle", to="KPI_AGREEMENT", reason="The targets were wrong")
    await world.sign(project_id, "RECYCLE")
    await _settled(world, project_id)
    await world.through_agreement(project_id)
    await _settled(world, project_id)
    await world.through_execution(project_id)
    await _settled(world, project_id)
    await world.through_review(project_id)
    await _settled(world, project_id)
    return await _looked_back(world, project_id)


async def cancelled(stage: Stage) -> str:
    project_id = await stage.world.start()
    await _settled(stage.world, project_id)
    return await _cancelled(stage.world, project_id)


async def held_and_resumed(stage: Stage) -> str:
    world = stage.world
    project_id = await _charter_proposed(world)
    await world.do(project_id, SPONSOR, "HoldProject", reason="The supplier is insolvent")
    await world.pass_days(60)
    await world.do(project_id, SPONSOR, "ResumeProject")
    await world.pass_days(5)
    await world.recorded(project_id, "DecisionReminderDue")
    return await _cancelled(world, project_id)


async def escalated_and_expired(stage: Stage) -> str:
    world = stage.world
    project_id = await _charter_proposed(world)
    await world.pass_days(16)
    await world.recorded(project_id, "DecisionExpired")
    return await _cancelled(world, project_id)


async def missed_check_ins(stage: Stage) -> str:
    world = stage.world
    project_id = await world.to_execution()
    await world.recorded(project_id, "CheckInScheduled")
    for _ in range(3):
        await world.pass_days(15)
    await world.recorded(project_id, "CheckInMissed", 5)
    return await _cancelled(world, project_id)


async def submitted_by_signal(stage: Stage) -> str:
    world = stage.world
    project_id = await world.start()
    handle = world.client.get_workflow_handle(f"project-{project_id}")
    drafted = Submission(
        command_id=str(uuid4()), type="DraftCharter", principal=PMO, data=COMMANDS["DraftCharter"].example
    )
    charter = SIGNER.sign(project_id, drafted, datetime.now(UTC))
    for _ in range(2):
        await handle.signal("submit", charter)
    await world.recorded(project_id, "CharterDrafted")
    await handle.signal("submit", Submission(command_id=str(uuid4()), type="CloseProject", principal="lifecycle"))
    await stage.scheduled(handle.id, "submit", 3)
    return await _cancelled(world, project_id)


async def through_an_outage(stage: Stage) -> str:
    """PostgreSQL stops, so looking fails over; then a right is taken away, so marking as seen does."""
    world = stage.world
    project_id = await _charter_proposed(world)
    await world.followed(project_id)
    version = (await world.state(project_id)).version
    await stage.postgres.stop()
    await world.engine.wake(project_id, version + 1)
    await stage.scheduled(f"project-{project_id}", "follow")
    await stage.postgres.start()
    await world.followed(project_id)
    operator = await asyncpg.connect(stage.admin)
    await operator.execute("REVOKE EXECUTE ON FUNCTION tandem.mark_seen FROM tandem_app")
    await world.do(project_id, PMO, "NudgeApprovers", decision="D-1")
    await stage.scheduled(f"project-{project_id}", "mark_seen")
    await operator.execute("GRANT EXECUTE ON FUNCTION tandem.mark_seen TO tandem_app")
    await operator.close()
    await world.followed(project_id)
    return await _cancelled(world, project_id)


async def notice_delivered(stage: Stage) -> str:
    notice = _notice()
    await stage.world.engine.send(notice)
    assert await stage.world.client.get_workflow_handle(notice.id).result() == ["inbox"]
    return notice.id


async def notice_given_up(stage: Stage) -> str:
    """The database is away for the three days that delivering is tried for."""
    notice = _notice()
    await stage.postgres.stop()
    await stage.world.engine.send(notice)
    await stage.world.pass_days(3.1)
    await stage.scheduled(notice.id, "give_up")
    await stage.postgres.start()
    await stage.world.pass_days(0.01)
    await stage.closed(notice.id)
    return notice.id


def _notice() -> NoticeMessage:
    return NoticeMessage(
        event_id=str(uuid4()),
        project_id=str(uuid4()),
        code="P-1",
        kind="DecisionReminderDue",
        recipient=PRODUCT,
        en="D-1 waits for your vote",
        zh="D-1 等待您表决",
    )


async def _settled(world: World, project_id: str) -> None:
    """Wait until the stage's people are invited and its clock runs; who is quicker would skip that."""

    async def begun() -> bool:
        life = (await world.state(project_id)).lifecycle
        return life.invited_visit == life.clocked_visit == life.visit

    await world.until(begun)
    await world.followed(project_id)


async def _charter_proposed(world: World) -> str:
    project_id = await world.start()
    await _settled(world, project_id)
    await world.do(project_id, PMO, "DraftCharter", **COMMANDS["DraftCharter"].example)
    await world.do(project_id, PMO, "ProposeCharter", revision=1)
    return project_id


async def _cancelled(world: World, project_id: str) -> str:
    """The shortest way to an end."""
    await world.do(project_id, PMO, "ProposeCancellation", reason="The market has gone")
    await world.sign(project_id, "CANCELLATION")
    return await _looked_back(world, project_id)


async def _looked_back(world: World, project_id: str) -> str:
    await world.through_retrospective(project_id)
    handle = world.client.get_workflow_handle(f"project-{project_id}")
    assert await handle.result() in {"completed", "cancelled"}
    return handle.id


PATHS = {
    "completed": Path(completed, ("CHANGE_REVIEW", "CloseProject", '"completed"')),
    "recycled": Path(recycled, ("KPI_AGREEMENT", "enter:4:invite", '"completed"')),
    "cancelled": Path(cancelled, ("CloseProject", '"cancelled"')),
    "held-and-resumed": Path(held_and_resumed, ('"held":true', "PassTime", "DecisionReminderDue")),
    "escalated-and-expired": Path(escalated_and_expired, ("DecisionEscalated", "DecisionExpired")),
    "missed-check-ins": Path(
        missed_check_ins, ("CheckInMissed", "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW"), short_runs=True
    ),
    "submitted-by-signal": Path(submitted_by_signal, ("DraftCharter by pei.min", '"refused":"SystemOnly"')),
    "through-an-outage": Path(through_an_outage, ("StoreUnavailable", "mark_seen", "follow")),
    "notice-delivered": Path(notice_delivered, ("deliver", '["inbox"]')),
    "notice-given-up": Path(notice_given_up, ("give_up", "StoreUnavailable")),
}
"""By the name of its files: `histories/<name>.<number of the run>.json`."""
