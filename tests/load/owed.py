"""What the facts owe, by the log alone: who has to be told of what, and which reminders fall when."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from activities.folding import PREFIX, Folded, advance, event_of
from activities.ports import Recorded
from domain.clock import dues
from domain.project.aggregate import Project
from store.postgres import PostgresStore

BATCH = 1000
REMINDERS = {"DecisionReminderDue": "decision", "StageReminderDue": "stage"}


@dataclass(frozen=True)
class Reminder:
    """An event that says that so much of somebody's time has passed."""

    event_id: UUID
    template: str
    percent: int
    since: datetime
    """When its clock began to run."""
    at: datetime


@dataclass
class Owed:
    """Everything that somebody has to hear of."""

    facts: list[Recorded] = field(default_factory=list)
    notices: dict[tuple[UUID, str], datetime] = field(default_factory=dict)
    """(event, recipient) → when it was recorded."""
    reminders: list[Reminder] = field(default_factory=list)
    projects: dict[str, Project] = field(default_factory=dict)
    """As they are at the end, by stream."""

    def overdue(self, by: datetime) -> list[str]:
        """What should have happened by then and did not."""
        running = {stream: p for stream, p in self.projects.items() if not (p.held or p.ended)}
        return [f"{stream} {due}" for stream, p in running.items() for due in dues(p.clocks) if due.at < by]


async def everything(store: PostgresStore) -> list[Recorded]:
    facts: list[Recorded] = []
    while batch := await store.feed(len(facts) - 1, BATCH):
        facts.extend(batch)
    return facts


def owed(facts: list[Recorded]) -> Owed:
    """Each notice told from the state right after its event, as the rules say."""
    found, states, since = Owed(facts), dict[str, Folded](), dict[tuple[str, str], datetime]()
    for fact in facts:
        if not fact.stream.startswith(PREFIX):
            continue
        before = states.get(fact.stream) or Folded(Project(fact.stream.removeprefix(PREFIX)))
        states[fact.stream] = after = advance(before, [fact])
        for clock in after.project.clocks.keys() - before.project.clocks.keys():
            since[fact.stream, clock] = fact.recorded_at
        found.notices |= {(fact.event_id, n.recipient): fact.recorded_at for n in event_of(fact).tells(after.project)}
        found.reminders.extend(_reminders(fact, after.project, since))
    found.projects = {stream: folded.project for stream, folded in states.items()}
    return found


def _reminders(fact: Recorded, project: Project, since: dict[tuple[str, str], datetime]) -> Iterator[Reminder]:
    if (kind := REMINDERS.get(fact.type)) is not None:
        clock = f"{kind}/{fact.data['decision' if kind == 'decision' else 'visit']}"
        template, began = project.rules.template, since[fact.stream, clock]
        yield Reminder(fact.event_id, template, fact.data["percent"], began, fact.recorded_at)
