"""What Temporal says about itself, as one line of JSON: `python -m dev.temporal_probe ADDRESS NAMESPACE QUEUE`.

A program of its own: a process that used the Temporal client may crash while its interpreter shuts down, so
this one leaves without shutting down, and nothing else has to.
"""

import asyncio
import json
import os
import pkgutil
import sys
from importlib import import_module
from typing import Any

import temporalio.api.enums.v1 as enums
import temporalio.api.operatorservice.v1 as operator
import temporalio.api.taskqueue.v1 as taskqueue
import temporalio.api.workflowservice.v1 as service
from temporalio.client import Client
from temporalio.common import SearchAttributeKey

import workflows


def wanted_attributes() -> list[str]:
    """Every search attribute that a workflow module names."""
    modules = [import_module(f"workflows.{found.name}") for found in pkgutil.iter_modules(workflows.__path__)]
    values = [value for module in modules for value in vars(module).values()]
    return sorted({value.name for value in values if isinstance(value, SearchAttributeKey)})


async def probe(address: str, namespace: str, queue: str) -> dict[str, Any]:
    """Version, search attributes (there, and wanted) and when each worker last asked for work.

    Raises RuntimeError and RPCError where the server or the namespace is not there.
    """
    client = await Client.connect(address, namespace=namespace)
    told = await client.workflow_service.get_system_info(service.GetSystemInfoRequest())
    await client.workflow_service.describe_namespace(service.DescribeNamespaceRequest(namespace=namespace))
    attributes = await client.operator_service.list_search_attributes(
        operator.ListSearchAttributesRequest(namespace=namespace)
    )
    polled = await client.workflow_service.describe_task_queue(
        service.DescribeTaskQueueRequest(
            namespace=namespace,
            task_queue=taskqueue.TaskQueue(name=queue),
            task_queue_type=enums.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return {
        "version": told.server_version,
        "attributes": sorted(attributes.custom_attributes),
        "wanted": wanted_attributes(),
        "polled": [poller.last_access_time.ToJsonString() for poller in polled.pollers],
    }


def main() -> None:
    """Print the answer, or the error's words, and leave at once: exit code 0 or 1."""
    try:
        print(json.dumps(asyncio.run(probe(*sys.argv[1:4]))))
        code = 0
    except Exception as error:
        print(json.dumps({"error": str(error)}))
        code = 1
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
