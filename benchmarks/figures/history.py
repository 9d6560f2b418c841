"""What a wake costs in workflow history: it bounds how often a run continues as new."""

from collections import Counter
from collections.abc import Sequence

from temporalio.api.enums.v1 import EventType

from benchmarks.load import Connection
from benchmarks.measure import Figure, Rounds
from benchmarks.site import Site
from benchmarks.stories import to_completion
from benchmarks.tandem import HttpPlayer

SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """History events of one project played from kickoff into execution, by wakes and by facts."""
    tandem = await site.tandem()
    connection = Connection(tandem.port)
    player = HttpPlayer(connection)
    await to_completion(player)
    await connection.close()
    await tandem.quiet()
    stream = f"project-{player.project_id}"
    facts = await tandem.connection.fetchval("SELECT head FROM tandem.wake WHERE stream = $1", stream)
    handle = tandem.client.get_workflow_handle(stream)
    kinds = Counter([event.event_type async for event in handle.fetch_history_events()])
    total, wakes = sum(kinds.values()), kinds[SIGNALED]
    details = {"events": total, "wakes": wakes, "facts": facts}
    named = {EventType.Name(kind): count for kind, count in kinds.most_common()}
    return [
        Figure("history-per-wake", "history events per wake", "", total / wakes, details=details | {"kinds": named}),
        Figure("history-per-fact", "history events per stored fact", "", total / facts, details=details),
    ]
