"""Edits of the project's workflow that running projects would not survive: the gate has to catch each."""

from datetime import timedelta

from temporalio import workflow

from activities.messages import Opening
from workflows.project import ProjectWorkflow


@workflow.defn(name="ProjectWorkflow")
class WithOneMoreTimer(ProjectWorkflow):
    """Waits a second before a stage begins."""

    @workflow.init
    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)

    @workflow.run
    async def run(self, opening: Opening) -> str:
        return await super().run(opening)

    async def _begin(self) -> None:
        await workflow.sleep(timedelta(seconds=1))
        await super()._begin()


@workflow.defn(name="ProjectWorkflow")
class WithoutClocks(ProjectWorkflow):
    """Invites people, and starts no stage's clock any more."""

    @workflow.init
    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)

    @workflow.run
    async def run(self, opening: Opening) -> str:
        return await super().run(opening)

    async def _begin(self) -> None:
        if not self._now.invited:
            await self._act("InvitePeople", f"enter:{self._visit}:invite")
