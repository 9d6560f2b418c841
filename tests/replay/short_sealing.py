"""The sealing workflow with a low bound on its history, and with an edit that a replay must catch."""

from temporalio import workflow

from activities.seal import SealOrder
from workflows import sealing
from workflows.sealing import SealingWorkflow

SHORT_HISTORY = 50
if workflow.unsafe.in_sandbox():
    # The sandbox has a copy of the module of its own: elsewhere the bound stays what it is.
    sealing.MOST_HISTORY = SHORT_HISTORY


@workflow.defn(name="SealingWorkflow")
class ShortSealing(SealingWorkflow):
    """Continues as new after SHORT_HISTORY events; otherwise the workflow itself."""

    @workflow.init
    def __init__(self, order: SealOrder) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: SealOrder) -> None:
        await super().run(order)


@workflow.defn(name="SealingWorkflow")
class WithATimer(ShortSealing):
    """It rests before it seals."""

    @workflow.init
    def __init__(self, order: SealOrder) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: SealOrder) -> None:
        await workflow.sleep(1)
        await super().run(order)
