"""The webhook's workflow with a low bound on its history, and with an edit that a replay must catch."""

from temporalio import workflow

from workflows import webhook
from workflows.webhook import WebhookWorkflow

SHORT_HISTORY = 60
if workflow.unsafe.in_sandbox():
    # The sandbox has a copy of the module of its own: elsewhere the bound stays what it is.
    webhook.MOST_HISTORY = SHORT_HISTORY


@workflow.defn(name="WebhookWorkflow")
class ShortWebhook(WebhookWorkflow):
    """Continues as new after SHORT_HISTORY events; otherwise the workflow itself."""

    @workflow.init
    def __init__(self, webhook_id: str) -> None:
        super().__init__(webhook_id)

    @workflow.run
    async def run(self, webhook_id: str) -> str:
        return await super().run(webhook_id)


@workflow.defn(name="WebhookWorkflow")
class WithARest(ShortWebhook):
    """It rests before it sends."""

    @workflow.init
    def __init__(self, webhook_id: str) -> None:
        super().__init__(webhook_id)

    @workflow.run
    async def run(self, webhook_id: str) -> str:
        await workflow.sleep(1)
        return await super().run(webhook_id)
