"""Temporal, as far as steps and doors need it: wake a project, start a notice, say what runs."""

from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.folding import PREFIX, stream_of
from activities.messages import DigestOrder, NoticeMessage, Opening
from activities.seal import SealOrder

PROJECT_WORKFLOW = "ProjectWorkflow"
NOTIFICATION_WORKFLOW = "NotificationWorkflow"
DIGEST_WORKFLOW = "DigestWorkflow"
SEALING_WORKFLOW = "SealingWorkflow"
SEALING = "sealing"
"""The one sealing workflow's id."""
SHORTLY = timedelta(seconds=3)
SEARCH_ATTRIBUTES = {
    "TandemStage": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "TandemCode": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "TandemNextDue": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}


class Engine:
    """The client's side of Temporal. Every call may be repeated."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._queue = task_queue

    async def wake(self, project_id: str, version: int) -> None:
        """Tell the project's workflow of facts up to `version`, starting it where none runs."""
        await self._client.start_workflow(
            PROJECT_WORKFLOW,
            Opening(project_id=project_id),
            id=stream_of(project_id),
            task_queue=self._queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            start_signal="facts",
            start_signal_args=[version],
            rpc_timeout=SHORTLY,
        )

    async def send(self, notice: NoticeMessage) -> None:
        """Start the workflow that delivers the notice, unless it was ever started."""
        try:
            await self._client.start_workflow(
                NOTIFICATION_WORKFLOW,
                notice,
                id=notice.id,
                task_queue=self._queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                rpc_timeout=SHORTLY,
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            raise OSError(f"the engine cannot be reached: {error.message}") from error

    async def wake_digest(self, person: str) -> None:
        """Tell the person's digest that something waits, starting it where it does not run."""
        try:
            await self._client.start_workflow(
                DIGEST_WORKFLOW,
                DigestOrder(person=person),
                id=f"digest-{person}",
                task_queue=self._queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                start_signal="held",
                rpc_timeout=SHORTLY,
            )
        except RPCError as error:
            raise OSError(f"the engine cannot be reached: {error.message}") from error

    async def wake_sealing(self, size: int) -> None:
        """Tell the sealing workflow that there are so many events, starting it where it does not run."""
        await self._client.start_workflow(
            SEALING_WORKFLOW,
            SealOrder(),
            id=SEALING,
            task_queue=self._queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            task_timeout=SHORTLY,
            start_signal="sealable",
            start_signal_args=[size],
            rpc_timeout=SHORTLY,
        )

    async def running_projects(self) -> AsyncIterator[str]:
        """The ids of the projects whose workflow runs, as far as visibility knows yet."""
        query = f"WorkflowType = '{PROJECT_WORKFLOW}' AND ExecutionStatus = 'Running'"
        async for execution in self._client.list_workflows(query, rpc_timeout=SHORTLY):
            yield execution.id.removeprefix(PREFIX)


async def register_search_attributes(client: Client) -> None:
    """Make the search attributes known that workflows set; an unknown one would stall them. May run twice."""
    for name, kind in SEARCH_ATTRIBUTES.items():
        wanted = AddSearchAttributesRequest(namespace=client.namespace, search_attributes={name: kind})
        try:
            await client.operator_service.add_search_attributes(wanted, timeout=SHORTLY)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
