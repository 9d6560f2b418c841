"""The sealing of the log: one workflow for ever, asleep until somebody says that there are events to seal."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.seal import AnchorOrder, AnchorReport, SealOrder, SealReport, SealSteps

MOST_HISTORY = 2000
"""Events after which a run continues as new."""
FOR_EVER = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10))
"""Outages end; a refusal to seal is final until the next events, and bugs are made final by the step itself."""
A_PROCESS_GONE = timedelta(seconds=5)
"""Without a beat for this long the step is given to another process."""
PATIENTLY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5))
"""For places of other people."""


@workflow.defn(name="SealingWorkflow")
class SealingWorkflow:
    """Seals when woken. It remembers the last checkpoint, so that the database's owner cannot make it forget."""

    @workflow.init
    def __init__(self, order: SealOrder) -> None:
        self._last = order
        self._woken = True
        self._anchoring: dict[str, asyncio.Task[None]] = {}

    @workflow.run
    async def run(self, order: SealOrder) -> None:
        while True:
            await workflow.wait_condition(lambda: self._woken)
            self._woken = False
            report = await self._seal()
            if report is not None:
                self._last = SealOrder(size=report.size, note=report.note)
                self._woken = self._woken or report.more
                self._bring(report.anchors)
            newer = workflow.info().is_target_worker_deployment_version_changed()
            if self._long() or newer:
                # What a second place still lacks, the next run brings.
                workflow.continue_as_new(
                    self._last,
                    initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE
                    if newer
                    else None,
                )

    @workflow.signal
    def sealable(self, size: int) -> None:
        """There are so many events. One signal may stand for many."""
        self._woken = self._woken or size > self._last.size

    async def _seal(self) -> SealReport | None:
        """None where it was refused: the next events make it be tried again."""
        try:
            return await workflow.execute_activity_method(
                SealSteps.seal,
                self._last,
                start_to_close_timeout=timedelta(minutes=1),
                heartbeat_timeout=A_PROCESS_GONE,
                retry_policy=FOR_EVER,
            )
        except ActivityError as failure:
            workflow.logger.error("not sealed: %s", failure.cause)
            return None

    def _bring(self, places: tuple[str, ...]) -> None:
        """Second places get what is new beside the sealing, which does not wait for them."""
        for place in places:
            if place not in self._anchoring or self._anchoring[place].done():
                self._anchoring[place] = asyncio.create_task(self._anchor(place))

    async def _anchor(self, place: str) -> None:
        """Until the place has the last checkpoint, or takes no more."""
        has = AnchorReport(size=-1)
        while has.size < self._last.size:
            self._woken = self._woken or self._long()
            before, has = has, await self._anchor_some(place)
            if has.later:
                await workflow.sleep(has.later)
            elif has.size == before.size:
                return

    async def _anchor_some(self, place: str) -> AnchorReport:
        return await workflow.execute_activity_method(
            SealSteps.anchor,
            AnchorOrder(place=place),
            start_to_close_timeout=timedelta(minutes=10),
            heartbeat_timeout=A_PROCESS_GONE,
            retry_policy=PATIENTLY,
            summary=place,
        )

    def _long(self) -> bool:
        info = workflow.info()
        return info.is_continue_as_new_suggested() or info.get_current_history_length() > MOST_HISTORY
