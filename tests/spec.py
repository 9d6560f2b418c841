"""Given, when, then for the rules. Plays that bring a project to any stage: tests/plays.py.

    given(executing()).when("ProposePlan", by=PMO, content=PLAN).then(PlanProposed, DecisionOpened)
    given(play).when("Vote", by=PRODUCT, decision="D-1", …).then_refused("StaleSubject", rule="DR8")

Everything goes through `domain.decider.decide`. Each event is checked on the way: it survives the way through
JSON, and deciding the same twice gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self

import pytest

from api.problems import refusal_fields
from domain.calendar import Calendar, CalendarPolicy, calendar
from domain.canonical import canonical
from domain.decider import decide, event_from, read_strictly
from domain.inbox import duties
from domain.messages import COMMANDS, Actor, Envelope, Event, Happened, to_data
from domain.notice import Notice
from domain.project.aggregate import Project
from domain.project.decision import Decision
from domain.project.passing import next_due
from domain.refusals import Refused
from domain.story import evolve
from domain.template import Kind, Policy
from domain.values import Stage

SPONSOR, PMO, PRODUCT, MEMBER, AUDITOR = "sun.lei", "pei.min", "pan.mei", "tao.yun", "an.jing"
LIFECYCLE = "lifecycle"
MONDAY = datetime(2026, 3, 2, 1, tzinfo=UTC)
"""Nine in the morning in Shanghai, where the test projects are; they know no holidays."""
STANDARD = Policy.model_validate_json(Path("domain/templates/standard.json").read_text(encoding="utf-8"))


@cache
def plain() -> Policy:
    """The standard process on a calendar of five days of nine hours, without holidays."""
    days = CalendarPolicy.model_validate(STANDARD.calendar.model_dump(mode="json") | {"region": None}, strict=False)
    return STANDARD.model_copy(update={"calendar": days})


def policy(*, decisions: Mapping[Kind, Mapping[str, Any]] | None = None, **changes: Any) -> Policy:
    """The plain policy with other fields; `decisions` changes single fields of single kinds."""
    data = to_data(plain()) | changes
    for kind, fields in (decisions or {}).items():
        data["decisions"] = data["decisions"] | {kind.value: data["decisions"][kind.value] | fields}
    return Policy.model_validate(data, strict=False)


def charter(**changes: Any) -> dict[str, Any]:
    """The content of a charter that keeps every rule, with some fields changed."""
    content: dict[str, Any] = COMMANDS["DraftCharter"].example["content"]
    return content | changes


def agreement(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = COMMANDS["ProposeAgreement"].example["content"]
    return content | changes


def kpi(content: Mapping[str, Any], name: str, **changes: Any) -> dict[str, Any]:
    """The agreement with one KPI changed."""
    kpis = [k | changes if k["id"] == name else k for k in content["kpis"]]
    return {**content, "kpis": kpis}


def plan(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = COMMANDS["ProposePlan"].example["content"]
    return content | changes


@dataclass(frozen=True)
class Fact:
    """What happened, and the project right after it."""

    event: Event
    happened: Happened
    after: Project


@dataclass
class Play:
    """A project being played. `now` is the play's clock; it moves by `later` and `pass_time` alone."""

    policy: Policy
    project: Project = field(default_factory=lambda: Project("P-1"))
    now: datetime = MONDAY
    facts: list[Fact] = field(default_factory=list)

    def copy(self) -> Self:
        other = copy(self)
        other.facts = list(self.facts)
        return other

    def do(
        self,
        name: str,
        by: str,
        *,
        client: str = "api",
        on_behalf_of: str | None = None,
        confirmed_at: datetime | None = None,
        **data: Any,
    ) -> Self:
        """Decide a command and let its events happen. Raises Refused; then nothing has happened."""
        command = read_strictly(name, data)
        actor = Actor(by, on_behalf_of, client=client, system=by == LIFECYCLE, confirmed_at=confirmed_at)
        envelope = Envelope(f"c{len(self.facts)}", self.project.id, name, actor, self.now, data)
        templates = {"standard": self.policy}
        before = self.project
        try:
            events, after = decide(envelope, command, before, templates, "TD-1")
        finally:
            assert self.project is before
        assert (events, after) == decide(envelope, command, before, templates, "TD-1")
        self._happen(events, Happened(self.now, actor.person))
        assert self.project == after
        return self

    def _happen(self, events: list[Event], happened: Happened) -> None:
        for event in events:
            self.project = evolve(self.project, event, happened)
            assert (
                evolve_stored(self.facts[-1].after if self.facts else Project("P-1"), event, happened) == self.project
            )
            self.facts.append(Fact(event, happened, self.project))

    # Time

    @property
    def calendar(self) -> Calendar:
        return calendar(self.policy.calendar)

    def later(self, days: int = 0, **span: float) -> Self:
        """Let working days (or hours, minutes …) pass, and whatever falls due meanwhile happen."""
        until = self.calendar.add_days(self.now, days) if days else self.now
        return self.pass_time(until + timedelta(**span))

    def pass_time(self, until: datetime) -> Self:
        """What the lifecycle does: wake at each due time and say what time it is."""
        while (due := next_due(self.project)) is not None and due <= until:
            self.now = max(self.now, due)
            before = self.project.version
            self.do("PassTime", LIFECYCLE, now=self.now.isoformat())
            assert self.project.version > before
        self.now = until
        return self

    def begin(self) -> Self:
        """What the lifecycle does on entering a stage."""
        self.do("InvitePeople", LIFECYCLE).do("StartStageClock", LIFECYCLE)
        if self.project.stage is Stage.EXECUTION:
            self.do("ScheduleCheckIns", LIFECYCLE).do("WatchKpis", LIFECYCLE)
        return self

    # Decisions

    def decision(self, decision_id: str | None = None) -> Decision:
        """The named decision, or the latest one."""
        return self.project.decisions[decision_id or f"D-{len(self.project.decisions)}"]

    def ballot(self, decision_id: str | None = None, value: str = "APPROVE", **more: Any) -> dict[str, Any]:
        """The data of a vote on exactly what the decision is about."""
        about = self.decision(decision_id)
        reason = {} if value == "APPROVE" else {"reason": "Because"}
        subject = {"revision": about.subject.revision, "content_hash": about.subject.content_hash}
        return {"decision": about.id, "value": value, **subject, **reason, **more}

    def vote(self, by: str, value: str = "APPROVE", decision: str | None = None, **more: Any) -> Self:
        return self.do("Vote", by, **self.ballot(decision, value, **more))

    def sign(self, *people: str, decision: str | None = None) -> Self:
        """All of them approve."""
        wanted = self.decision(decision).id
        for person in people:
            self.vote(person, decision=wanted)
        return self

    # What came of it

    def told(self, since: int = 0) -> list[Notice]:
        """Every notice of the facts from `since` on."""
        return [notice for fact in self.facts[since:] for notice in fact.event.tells(fact.after)]

    def kinds(self, since: int = 0) -> list[str]:
        return [type(fact.event).__name__ for fact in self.facts[since:]]

    def duties(self, person: str) -> list[str]:
        """What waits for a person: `kind ref`."""
        return [f"{duty.kind} {duty.ref}" for duty in duties(self.project) if duty.person == person]


def evolve_stored(before: Project, event: Event, happened: Happened) -> Project:
    """The project after the event as it comes back from the store."""
    data = to_data(event)
    canonical(data)
    again = event_from(type(event).__name__, event.schema_version, data)
    assert to_data(again) == data
    return evolve(before, again, happened)


@dataclass
class Outcome:
    """What a command led to, to be compared with what was expected."""

    play: Play
    before: Play
    refusal: Refused | None

    @property
    def events(self) -> list[Event]:
        return [fact.event for fact in self.play.facts[len(self.before.facts) :]]

    def then(self, *expected: type[Event] | Event) -> Self:
        """Exactly these events, in this order: by class, or as a whole."""
        if self.refusal:
            pytest.fail(f"refused: {self.refusal.code} ({self.refusal.rule}): {self.refusal}")
        shown = [
            e if isinstance(wanted, Event) else type(e) for e, wanted in zip(self.events, expected, strict=False)
        ] + self.events[len(expected) :]
        assert shown == list(expected)
        return self

    def then_nothing(self) -> Self:
        return self.then()

    def then_refused(self, code: str, rule: str | None = None) -> Self:
        """Refused with this code, by this rule; nothing has changed and the words help, in Chinese too."""
        assert self.refusal, f"not refused: {[type(e).__name__ for e in self.events]}"
        assert (self.refusal.code, self.refusal.rule) == (code, rule), str(self.refusal)
        assert self.refusal.detail
        assert self.refusal.next_step
        told = refusal_fields(self.refusal, "zh")
        assert (told["detail"].lang, told["next_step"].lang) == ("zh", "zh"), told
        assert self.play.project == self.before.project
        return self

    def told(self, *people: str) -> Self:
        """Exactly these people are told, in any order."""
        assert {n.recipient for n in self.play.told(len(self.before.facts))} == set(people)
        return self

    @property
    def project(self) -> Project:
        return self.play.project


class Given:
    """A project at some point; `when` tries a command on a copy of it."""

    def __init__(self, play: Play) -> None:
        self._play = play

    def when(self, name: str, by: str, **data: Any) -> Outcome:
        play = self._play.copy()
        try:
            play.do(name, by, **data)
        except Refused as refusal:
            return Outcome(play, self._play, refusal)
        return Outcome(play, self._play, None)

    def when_vote(self, by: str, value: str = "APPROVE", decision: str | None = None, **more: Any) -> Outcome:
        extra = {k: more.pop(k) for k in ("client", "on_behalf_of") if k in more}
        return self.when("Vote", by, **extra, **self._play.ballot(decision, value, **more))


def given(*past: Play | Event, by: str = PMO, under: Policy | None = None) -> Given:
    """A play, or bare events that happened on MONDAY by the hand of `by`."""
    if len(past) == 1 and isinstance(past[0], Play):
        return Given(past[0])
    play = Play(under or plain())
    play._happen([event for event in past if isinstance(event, Event)], Happened(MONDAY, by))
    return Given(play)


# Plays: a project in each stage
