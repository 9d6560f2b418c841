"""One person's digest: sleeps until the hour, tells what has come together, and begins anew."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.digests import DigestSteps
    from activities.messages import DigestAsked, DigestDay, DigestOrder, DigestPlan

SHORTLY = timedelta(seconds=30)


@workflow.defn(name="DigestWorkflow")
class DigestWorkflow:
    """Ends when nothing waits; the next notice that is held starts it again."""

    def __init__(self) -> None:
        self._woken = False

    @workflow.run
    async def run(self, order: DigestOrder) -> None:
        """Until nothing waits; a new run after each digest."""
        while True:
            self._woken = False
            plan = await self._plan(order)
            if plan.at is None or plan.day is None:
                if self._woken:
                    continue
                return
            if await self._woken_before(plan.at):
                if workflow.info().is_continue_as_new_suggested():
                    workflow.continue_as_new(order)
                continue
            await workflow.execute_activity_method(
                DigestSteps.send_digest,
                DigestDay(person=order.person, day=plan.day),
                start_to_close_timeout=SHORTLY,
                summary=f"{plan.day}",
            )
            workflow.continue_as_new(order)

    @workflow.signal
    def held(self) -> None:
        """Something waits, or something else is wanted."""
        self._woken = True

    async def _plan(self, order: DigestOrder) -> DigestPlan:
        return await workflow.execute_activity_method(
            DigestSteps.digest_due,
            DigestAsked(person=order.person, now=workflow.now()),
            start_to_close_timeout=SHORTLY,
        )

    async def _woken_before(self, at: datetime) -> bool:
        """Sleep until then; True where it was woken: the plan is to be looked at again."""
        left = at - workflow.now()
        if left <= timedelta(0):
            return False
        try:
            await workflow.wait_condition(lambda: self._woken, timeout=left, timeout_summary="until the digest")
        except TimeoutError:
            return False
        return True
