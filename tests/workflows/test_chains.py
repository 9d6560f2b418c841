"""Chains: what the lifecycle does names the event that it answers, and all that one cause led to has one name."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio.testing import ActivityEnvironment

from activities.causes import ANSWERS, STARTED_BY
from activities.decide import Step
from activities.folding import stream_of
from activities.follow import ProjectSteps
from activities.messages import Act, Done
from activities.ports import Recorded
from domain.messages import COMMANDS, EVENTS, Actor, Envelope
from domain.project.passing import PASSINGS
from domain.values import Role
from store.postgres import PostgresStore
from tests.workflows.world import PMO, plain_policy

PROJECT = "0197a3c0-0000-7000-8000-000000000002"


class Life:
    """A project whose lifecycle is played step by step, at a time of the test's own."""

    def __init__(self, store: PostgresStore) -> None:
        self.now = datetime(2026, 3, 2, 9, tzinfo=UTC)
        self.store = store
        self.step = Step(store, {"standard": plain_policy()}, now=lambda: self.now)
        self.steps = ProjectSteps(store, self.step)

    async def do(self, command: str, data: Any, person: str = PMO) -> list[Recorded]:
        """A person's command; gives its events."""
        envelope = Envelope(str(uuid4()), PROJECT, command, Actor(person), self.now, data, request_id="r-1")
        return await self._new(await self.step.submit(envelope, "P-1"))

    async def act(self, command: str, **data: Any) -> list[Recorded]:
        """A command of the lifecycle's own; gives its events."""
        asked = Act(project_id=PROJECT, command=command, command_id=f"test:{uuid4()}", data=data)
        return await self._new(await ActivityEnvironment().run(self.steps.act, asked))

    async def pass_days(self, days: int) -> list[Recorded]:
        self.now += timedelta(days=days)
        return await self.act("PassTime", now=self.now.isoformat())

    async def _new(self, done: Any) -> list[Recorded]:
        facts = await self.store.read(stream_of(PROJECT))
        seen, self.seen = getattr(self, "seen", 0), len(facts)
        assert not (isinstance(done, Done) and done.refused), done
        return facts[seen:]


def chain(fact: Recorded) -> tuple[str | None, str | None]:
    return fact.metadata.get("causation_id"), fact.metadata.get("correlation_id")


async def test_a_persons_command_begins_a_chain_and_the_lifecycle_goes_on_with_it(store: PostgresStore) -> None:
    life = Life(store)
    started = await life.do("StartProject", COMMANDS["StartProject"].example)
    first = str(started[0].event_id)
    assert {chain(fact) for fact in started} == {(None, first)}
    assert {fact.metadata["request_id"] for fact in started} == {"r-1"}
    (invited,) = await life.act("InvitePeople")
    entered = [fact for fact in started if fact.type in {"StageEntered", "ProjectStarted"}][-1]
    assert chain(invited) == (str(entered.event_id), first)
    assert "request_id" not in invited.metadata
    (clock,) = await life.act("StartStageClock")
    due = await life.pass_days(60)
    assert {fact.type for fact in due} == {"StageReminderDue"}
    assert {chain(fact) for fact in due} == {(str(clock.event_id), first)}


async def test_time_answers_the_event_that_set_the_clock_and_not_what_came_between(store: PostgresStore) -> None:
    life = Life(store)
    await life.do("StartProject", COMMANDS["StartProject"].example)
    await life.do("DraftCharter", COMMANDS["DraftCharter"].example)
    proposed = await life.do("ProposeCharter", {"revision": 1})
    opened = next(fact for fact in proposed if fact.type == "DecisionOpened")
    subject = opened.data["subject"]
    vote = {"decision": opened.data["decision"], "value": "APPROVE", "revision": subject["revision"]}
    await life.do("Vote", vote | {"content_hash": subject["content_hash"]})
    reminded = await life.pass_days(7)
    assert reminded[0].type == "DecisionReminderDue"
    assert {chain(fact) for fact in reminded} == {(str(opened.event_id), str(proposed[0].event_id))}


def test_every_command_of_the_lifecycle_answers_something_that_can_happen() -> None:
    system = {name for name, kind in COMMANDS.items() if kind.roles == {Role.SYSTEM}}
    # A leaving names what it answers itself: an event of the directory.
    assert system == {*ANSWERS, "PassTime", "NoteHolderLeft", "NoteHolderReturned"}
    assert set(STARTED_BY) == set(PASSINGS)
    for types, field in STARTED_BY.values():
        assert all(not field or field in EVENTS[name].model_fields or name == "KpiClocksStarted" for name in types)
    assert {name for types in ANSWERS.values() for name in types} <= set(EVENTS)
