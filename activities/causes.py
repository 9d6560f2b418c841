"""Which event the lifecycle answers: so that a chain leads from a person's command to all that came of it."""

from activities.messages import Act
from activities.ports import Chain, Store
from domain.project.aggregate import Project
from domain.project.passing import pending

ANSWERS = {
    "InvitePeople": ("StageEntered", "ProjectStarted"),
    "StartStageClock": ("StageEntered", "ProjectStarted"),
    "ScheduleCheckIns": ("StageEntered",),
    "WatchKpis": ("StageEntered",),
    "CloseProject": ("GatePassed",),
}
"""The lifecycle's command → the events that it may answer: the newest of them."""
STARTED_BY = {
    "decision": (("DecisionOpened", "DeadlineExtended", "InfoProvided", "DecisionApproved"), "decision"),
    "check-in": (("CheckInScheduled",), "check_in"),
    "kpi": (("KpiMeasured", "KpiClocksStarted"), "kpi"),
    "stage": (("StageClockStarted",), ""),
}
"""The kind of a clock → the events that set such a clock going, and their field that names what it is of."""


async def cause_of(store: Store, asked: Act, stream: str, project: Project) -> Chain | None:
    """The event that this command answers, with its chain; None where it begins a chain of its own.

    Time answers the event that set going what falls due first.
    """
    if asked.command in ANSWERS:
        return await store.newest_of(stream, ANSWERS[asked.command], "", "")
    if asked.command != "PassTime":
        return None
    for due in pending(project)[:1]:
        kind, _, name = due.ref.partition("/")
        types, field = STARTED_BY[kind]
        return await store.newest_of(stream, types, field, name)
    return None
