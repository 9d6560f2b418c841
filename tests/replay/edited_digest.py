"""An edit of the digest's workflow that running digests would not survive: the gate has to catch it."""

from datetime import timedelta

from temporalio import workflow

from activities.messages import DigestOrder, DigestPlan
from workflows.digest import DigestWorkflow


@workflow.defn(name="DigestWorkflow")
class WithATimer(DigestWorkflow):
    """It rests before it plans."""

    @workflow.run
    async def run(self, order: DigestOrder) -> None:
        await super().run(order)

    async def _plan(self, order: DigestOrder) -> DigestPlan:
        await workflow.sleep(timedelta(seconds=1))
        return await super()._plan(order)
