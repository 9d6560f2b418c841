"""The project's workflow with a low bound on its history, so that a chain of runs stays small on file."""

from temporalio import workflow

from activities.messages import Opening
from workflows import project
from workflows.project import ProjectWorkflow

SHORT_HISTORY = 150
if workflow.unsafe.in_sandbox():
    # The sandbox has a copy of the module of its own: elsewhere the bound stays what it is.
    project.MOST_HISTORY = SHORT_HISTORY


@workflow.defn(name="ProjectWorkflow")
class ShortRuns(ProjectWorkflow):
    """Continues as new after SHORT_HISTORY events; otherwise the workflow itself."""

    @workflow.init
    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)

    @workflow.run
    async def run(self, opening: Opening) -> str:
        return await super().run(opening)
