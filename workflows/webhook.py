"""One endpoint that is sent events: round by round, woken when there is something, and trying for days."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.webhooks import Round, WebhookSteps

MOST_HISTORY = 500
"""Events after which a run continues as new."""
TRYING = RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=10))
A_ROUND = timedelta(minutes=5)
MISSED = timedelta(seconds=10)
"""Without a heartbeat for so long a worker counts as dead."""
NEXT = timedelta(seconds=1)
"""Between two rounds at least, where both are for a time that has come."""

LATER = timedelta(minutes=1)


@workflow.defn(name="WebhookWorkflow")
class WebhookWorkflow:
    """Sends events to one endpoint, until it is disabled or deleted; the store knows how far it is."""

    @workflow.init
    def __init__(self, webhook_id: str) -> None:
        self._told = False

    @workflow.run
    async def run(self, webhook_id: str) -> str:
        """`disabled` or `gone`."""
        while True:
            self._told = False
            try:
                done = await self._round(webhook_id)
            except ActivityError:
                # A bug in the step is final and logged: look again in a while, as everything else does.
                done = Round(next_at=workflow.now() + LATER)
            if done.state != "going":
                return done.state
            if not done.more:
                await self._wait(done)
            if workflow.info().get_current_history_length() > MOST_HISTORY:
                workflow.continue_as_new(webhook_id)

    @workflow.signal(name="due")
    def due(self) -> None:
        """There is something for this endpoint."""
        self._told = True

    async def _round(self, webhook_id: str) -> Round:
        return await workflow.execute_activity_method(
            WebhookSteps.deliver_events,
            webhook_id,
            start_to_close_timeout=A_ROUND,
            heartbeat_timeout=MISSED,
            retry_policy=TRYING,
            summary="send what is due",
        )

    async def _wait(self, done: Round) -> None:
        """Until there is something new, or until something has to be tried again."""
        delay = None if done.next_at is None else max(done.next_at - workflow.now(), NEXT)
        try:
            await workflow.wait_condition(lambda: self._told, timeout=delay, timeout_summary="next try")
        except TimeoutError:
            return
