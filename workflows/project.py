"""A project's life, stage by stage: what happens by itself while people agree, work, change and look back.

    kickoff → KPI agreement → execution → change review → retrospective → closed

People's commands are decided and stored at the door, not here. This workflow follows the facts: it invites,
sets clocks, reminds, escalates, lets things expire, notices what was missed, and closes. It knows no rule:
what it branches on, a step has returned.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import (
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributeUpdate,
)
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as TimeoutOfStep

with workflow.unsafe.imports_passed_through():
    from activities.follow import ProjectSteps
    from activities.messages import Act, Follow, Opening, Seen, Situation, Submission, Submitted
    from activities.notify import NotifySteps

STAGE = SearchAttributeKey.for_keyword("TandemStage")
CODE = SearchAttributeKey.for_keyword("TandemCode")
NEXT_DUE = SearchAttributeKey.for_datetime("TandemNextDue")
MOST_HISTORY = 1000
"""Events after which a run continues as new: a replay of so many takes about half a second."""
FOR_EVER = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10))
"""Outages end; bugs are made final by the steps themselves (activities/outages.py)."""
A_STEP = timedelta(seconds=10)
NOT_DONE_HERE = (ActivityError, ApplicationError, TimeoutOfStep)
"""What a failed local activity raises: its own error as it is, a timeout wrapped, or bare where it is replayed."""


@workflow.defn(name="ProjectWorkflow")
class ProjectWorkflow:
    """One project, from its start to its closing."""

    @workflow.init
    def __init__(self, opening: Opening) -> None:
        self._project_id = opening.project_id
        self._seen = opening.seen
        self._marked = opening.seen
        self._head = 0
        self._visit = 0
        self._begun: int | None = None
        self._now = Situation()
        self._submissions: deque[Submission] = deque()
        self._shown: tuple[str, str, datetime | None] | None = None

    @workflow.run
    async def run(self, opening: Opening) -> str:
        await self._follow()
        while self._now.exists and not self._now.ended:
            self._visit = self._now.visit
            match self._now.stage:
                case "KICKOFF":
                    await self._kick_off()
                case "KPI_AGREEMENT":
                    await self._agree_on_kpis()
                case "EXECUTION":
                    await self._execute()
                case "CHANGE_REVIEW":
                    await self._review_changes()
                case "RETROSPECTIVE":
                    await self._look_back()
                case other:
                    raise AssertionError(f"no such stage: {other}")
        return self._now.ending or "unknown project"

    # The stages: what each does with time

    async def _kick_off(self) -> None:
        """The two sides draft the charter; they, and the sponsor, sign it."""
        await self._begin()
        await self._wait_for_the_gate()

    async def _agree_on_kpis(self) -> None:
        """Goals and KPIs are proposed and countered until both sides sign the same content."""
        await self._begin()
        await self._wait_for_the_gate()

    async def _execute(self) -> None:
        """The plan is baselined and carried out; the sides meet at a cadence, KPIs are kept fresh."""
        await self._begin()
        await self._act("ScheduleCheckIns", f"enter:{self._visit}:check-ins")
        await self._act("WatchKpis", f"enter:{self._visit}:kpis")
        await self._wait_for_the_gate()

    async def _review_changes(self) -> None:
        """Open changes are settled and the deliverables accepted."""
        await self._begin()
        await self._wait_for_the_gate()

    async def _look_back(self) -> None:
        """Both sides evaluate; once the closing is signed the project is closed."""
        await self._begin()
        self._begun = self._visit
        await self._follow()
        await self._wait(lambda: self._now.closing_approved and not self._now.held)
        if self._now.closing_approved:
            await self._act("CloseProject", f"close:{self._visit}")
            await self._follow()

    async def _begin(self) -> None:
        """Invite the people of this stage and start its clock, once per visit."""
        if not self._now.invited:
            await self._act("InvitePeople", f"enter:{self._visit}:invite")
        if not self._now.clocked:
            await self._act("StartStageClock", f"enter:{self._visit}:clock")

    # Waiting, and acting on what came

    async def _wait_for_the_gate(self) -> None:
        """Until the project has left this stage, however that comes about."""
        self._begun = self._visit
        await self._follow()
        await self._wait(lambda: False)

    async def _wait(self, done: Callable[[], bool]) -> None:
        """Let facts, signals and time come until `done`, or until the project has left this stage."""
        while not (self._now.ended or self._now.visit != self._visit or done()):
            self._continue_as_new_if_long()
            await self._until_something_comes()
            await self._act_on_it()

    async def _until_something_comes(self) -> None:
        due = self._now.next_due
        delay = max(due - workflow.now(), timedelta(0)) if due else None
        try:
            await workflow.wait_condition(
                lambda: bool(self._head > self._now.version or self._submissions),
                timeout=delay,
                timeout_summary=f"{self._now.code} {self._now.stage}",
            )
        except TimeoutError:
            await self._pass_time(due)

    async def _pass_time(self, due: datetime | None) -> None:
        """Let the rules say what has fallen due; a clock that is behind ours gets a second to catch up."""
        before, instant = self._now.version, (due or workflow.now()).isoformat()
        await self._act("PassTime", f"timer:{instant}:{before}", {"now": instant})
        await self._follow()
        if self._now.version == before:
            await workflow.sleep(timedelta(seconds=1))

    async def _act_on_it(self) -> None:
        while self._submissions:
            sent = Submitted(project_id=self._project_id, submission=self._submissions.popleft())
            await self._try(ProjectSteps.submit, sent, f"{sent.submission.type} by {sent.submission.principal}")
        await self._follow()

    async def _act(self, command: str, command_id: str, data: dict[str, Any] | None = None) -> None:
        asked = Act(project_id=self._project_id, command=command, command_id=command_id, data=data or {})
        await self._try(ProjectSteps.act, asked, command)

    async def _try(self, step: Callable[..., Any], asked: Any, summary: str) -> None:
        """Run a step; outages are waited out, and a bug must not end a project's life."""
        try:
            await workflow.execute_activity_method(
                step, asked, start_to_close_timeout=A_STEP, retry_policy=FOR_EVER, summary=summary
            )
        except ActivityError as failure:
            workflow.logger.error("%s failed for good: %s", summary, failure.cause)
            await workflow.sleep(timedelta(minutes=1))

    # Following the facts

    async def _follow(self) -> None:
        """Look at what is new and tell those who must know; it counts as seen once nothing is left to do about it."""
        while True:
            self._now = await self._look()
            self._seen = self._now.version
            if self._now.notices:
                await self._try(NotifySteps.send_notices, list(self._now.notices), "send notices")
            self._show()
            if self._now.settled(self._begun):
                await self._mark_seen()
            if not (self._now.more or self._head > self._now.version):
                return

    async def _look(self) -> Situation:
        asked = Follow(project_id=self._project_id, seen=self._seen, begun=self._begun)
        while True:
            try:
                return await self._look_now(asked)
            except ActivityError as failure:
                workflow.logger.error("cannot follow: %s", failure.cause)
                await workflow.sleep(timedelta(minutes=1))

    async def _look_now(self, asked: Follow) -> Situation:
        """As a local activity within two seconds; in an outage as a normal one, which holds nothing up."""
        try:
            return await workflow.execute_local_activity_method(
                ProjectSteps.follow,
                asked,
                start_to_close_timeout=timedelta(seconds=2),
                schedule_to_close_timeout=timedelta(seconds=2),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except NOT_DONE_HERE:
            return await workflow.execute_activity_method(
                ProjectSteps.follow, asked, start_to_close_timeout=A_STEP, retry_policy=FOR_EVER
            )

    async def _mark_seen(self) -> None:
        before, self._marked = self._marked, self._now.version
        if self._now.marked or (before is not None and before >= self._now.version):
            return
        seen = Seen(project_id=self._project_id, version=self._now.version)
        try:
            await workflow.execute_local_activity_method(
                ProjectSteps.mark_seen,
                seen,
                start_to_close_timeout=timedelta(seconds=2),
                schedule_to_close_timeout=timedelta(seconds=2),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except NOT_DONE_HERE:
            await self._try(ProjectSteps.mark_seen, seen, "mark seen")

    def _show(self) -> None:
        """Stage, code and next due for operators, where they look."""
        shown = (self._now.stage, self._now.code, self._now.next_due)
        if not self._now.exists or shown == self._shown:
            return
        updates: list[SearchAttributeUpdate[Any]] = [STAGE.value_set(shown[0]), CODE.value_set(shown[1])]
        if shown[2]:
            updates.append(NEXT_DUE.value_set(shown[2]))
        elif self._shown and self._shown[2]:
            updates.append(NEXT_DUE.value_unset())
        workflow.upsert_search_attributes(updates)
        workflow.set_current_details(f"**{self._now.code}** {self._now.title}: {self._now.stage}")
        self._shown = shown

    def _continue_as_new_if_long(self) -> None:
        """Start a fresh run where this one is long, or where a newer build of the worker is current."""
        info = workflow.info()
        newer = info.is_target_worker_deployment_version_changed()
        long = info.is_continue_as_new_suggested() or info.get_current_history_length() > MOST_HISTORY
        if (long or newer) and not self._submissions and workflow.all_handlers_finished():
            workflow.continue_as_new(
                Opening(project_id=self._project_id, seen=self._seen),
                initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE if newer else None,
            )

    @workflow.signal
    def facts(self, version: int) -> None:
        """The store has facts up to `version`. One signal may stand for many facts."""
        self._head = max(self._head, version)

    @workflow.signal
    def submit(self, submission: Submission) -> None:
        """A person's command, sent as a signal: same checks, same effect, no answer."""
        self._submissions.append(submission)
