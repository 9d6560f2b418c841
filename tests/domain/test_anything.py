"""Whatever anybody sends, in whatever order: a refusal changes nothing, and the laws of a project hold."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import pytest

from domain.decider import fold, hindrance
from domain.inbox import duties
from domain.messages import COMMANDS, EVENTS, Command, Event
from domain.notice import Duty
from domain.project.aggregate import Project
from domain.project.counting import SIDES, satisfied
from domain.project.deadlines import DecisionExpired
from domain.project.decision import Decision, Effect, State
from domain.project.decision_events import DecisionApproved, DecisionEffectApplied
from domain.project.lifecycle import StageEntered
from domain.project.passing import next_due
from domain.refusals import Refused
from domain.template import Kind
from domain.values import Stage
from tests.domain.anything import ACTORS, data_for
from tests.plays import change_data, closing, executing, planned, proposed, started
from tests.spec import LIFECYCLE, MEMBER, PMO, PRODUCT, SPONSOR, Play, policy

ENDING = {"ProposeCancellation", "HoldProject", "EndRole", "ProposeRecycle", "NoteHolderLeft"}
"""What lets little else happen: asked for less often."""
STARTS = [started, proposed, executing, planned, planned, closing]
SLOW: dict[Kind, dict[str, Any]] = {
    Kind.BASELINE: {"effect_delay_days": 2},
    Kind.CHANGE: {"effect_delay_days": 1, "on_timeout": "HOLD"},
    Kind.AGREEMENT: {"acknowledgement": True},
}
Answer = tuple[str, dict[str, Any]]


class Crowd:
    """Everybody does anything on one project; after each move the laws are checked."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311  the same seed tells the same story
        start = self.chance.choice(STARTS)
        self.play = start(policy(decisions=SLOW)) if seed % 3 == 0 and start is not closing else start()
        self.over: dict[str, Decision] = {}
        self.checked = 0
        self.accepted: Counter[str] = Counter()

    def moves(self, times: int) -> None:
        moves = (
            [self.anything] * 2
            + [self.something_possible] * 5
            + [self.meddle] * 5
            + [self.what_waits] * 5
            + [self.everybody_signs]
        )
        moves += [self.time_passes] * 2 + [self.lifecycle_acts] * 2 + [self.go_on] * 2
        for _ in range(times):
            self.chance.choice(moves)()
            self.check()

    # Moves

    def anything(self) -> None:
        kind, by = COMMANDS[self.chance.choice(sorted(COMMANDS))], self.chance.choice(ACTORS)
        client = self.chance.choice(["api", "bulk"])
        self.attempt(kind.__name__, by, client, **data_for(self.chance, kind, self.play))

    def something_possible(self) -> None:
        if found := possible(self.play.project):
            kind, people = self.chance.choice(found)
            if kind.__name__ not in ENDING or self.chance.random() < 0.2:
                self.attempt(kind.__name__, self.chance.choice(people), **data_for(self.chance, kind, self.play))

    def meddle(self) -> None:
        """Somebody makes a move in a decision that is in play."""
        found = [(kind, people) for kind, people in possible(self.play.project) if "decision" in kind.model_fields]
        for _ in range(3):
            if found and self.play.project.decisions_in_play():
                kind, people = self.chance.choice(found)
                self.attempt(kind.__name__, self.chance.choice(people), **data_for(self.chance, kind, self.play))

    def what_waits(self) -> None:
        waiting = [d for d in duties(self.play.project) if d.kind in ANSWERS]
        if waiting:
            duty = self.chance.choice(waiting)
            name, body = ANSWERS[duty.kind](self.play, duty)
            self.attempt(name, duty.person, **body)

    def everybody_signs(self) -> None:
        for decision in self.play.project.open_decisions():
            for person in (PMO, PRODUCT, SPONSOR, MEMBER):
                self.attempt("Vote", person, **self.play.ballot(decision.id))

    def time_passes(self) -> None:
        self.play.later(days=self.chance.choice([0, 0, 1, 1, 2, 4, 8, 25]))

    def lifecycle_acts(self) -> None:
        for name in ("InvitePeople", "StartStageClock", "ScheduleCheckIns", "WatchKpis", "CloseProject"):
            self.attempt(name, LIFECYCLE)

    def go_on(self) -> None:
        """Whatever leads on from here."""
        if self.play.project.held:
            self.attempt("ResumeProject", PMO)
        for name in ON[self.play.project.stage]:
            self.attempt(name, self.chance.choice([PMO, PRODUCT]), **COMMANDS[name].example)

    def attempt(self, name: str, by: str, client: str = "api", **data: Any) -> None:
        before = self.play.project
        refusal = refused(self.play, name, by, client=client, **data)
        if refusal is None:
            assert not before.ended
            self.accepted[name] += 1
            return
        assert self.play.project is before
        assert refusal.code.isidentifier()
        assert refusal.detail
        assert refusal.next_step

    # Laws

    def check(self) -> None:
        for i, fact in enumerate(self.play.facts[self.checked :], self.checked):
            before = self.play.facts[i - 1].after if i else Project("P-1")
            check_fact(before, fact.event, fact.after)
        self.checked = len(self.play.facts)
        self.what_is_over_stays_as_it_is()
        self.one_person_fills_one_slot()
        self.what_is_overdue_really_happens()
        self.duties_are_for_people_who_can_do_them()

    def what_is_over_stays_as_it_is(self) -> None:
        for name, decision in self.over.items():
            assert self.play.project.decisions[name] == decision
        self.over = {d.id: d for d in self.play.project.decisions.values() if not d.in_play}

    def one_person_fills_one_slot(self) -> None:
        for decision in self.play.project.decisions.values():
            seats = Counter(b.person for b in decision.ballots)
            for person in (p for p, times in seats.items() if times > 1):
                slots = [decision.slot(b.slot) for b in decision.ballots if b.person == person]
                assert {slot.role for slot in slots if slot} == SIDES
                assert self.play.project.team.solo_until

    def what_is_overdue_really_happens(self) -> None:
        due, now = next_due(self.play.project), self.play.project.changed_at
        if due and now and due < now:
            version = self.play.project.version
            assert self.play.copy().do("PassTime", LIFECYCLE, now=due.isoformat()).project.version > version

    def duties_are_for_people_who_can_do_them(self) -> None:
        project, found = self.play.project, duties(self.play.project)
        assert not (found and (project.held or project.ended))
        assert {d.person for d in found} <= set(project.team.members())
        for duty in (d for d in found if d.kind == "sign"):
            refusal = refused(self.play.copy(), "Vote", duty.person, **self.play.ballot(duty.ref))
            assert refusal is None or refusal.code == "NeededElsewhere", refusal.detail

    def the_end(self) -> None:
        again = fold(Project("P-1"), [(f.event, f.happened) for f in self.play.facts])
        assert again == self.play.project
        applied = Counter(f.event.decision for f in self.play.facts if isinstance(f.event, DecisionEffectApplied))
        effective = {d.id for d in again.decisions.values() if d.effect is Effect.APPLIED}
        assert set(applied.values()) <= {1}
        assert effective == set(applied)


ON: dict[Stage, list[str]] = {
    Stage.KICKOFF: ["DraftCharter", "ProposeCharter"],
    Stage.KPI_AGREEMENT: ["ProposeAgreement"],
    Stage.EXECUTION: ["ProposePlan", "SubmitChange", "ProposeCompletion"],
    Stage.CHANGE_REVIEW: ["SubmitChange", "ProposeAcceptance"],
    Stage.RETROSPECTIVE: ["CaptureLesson", "ValidateLesson", "ProposeClosing"],
    Stage.CLOSED: ["CaptureLesson"],
}


def possible(project: Project) -> list[tuple[type[Command], list[str]]]:
    """Every command that role, stage and hold would let somebody give now, and who."""
    able = {
        kind: [p for p in ACTORS if hindrance(kind, project, p, system=p == LIFECYCLE) is None]
        for _, kind in sorted(COMMANDS.items())
    }
    return [(kind, people) for kind, people in able.items() if people]


def _assess(play: Play, duty: Duty) -> Answer:
    kpis = [{"kpi": "on-time", "target": "95"}] if play.project.version % 2 else []
    product, plan_side = change_data(duty.ref, play.project.plan.baseline_version, kpis=kpis)
    if play.project.changes[duty.ref].product is None and duty.person == PRODUCT:
        return "AssessProductImpact", product
    return "AssessPlanImpact", plan_side


def _answer(play: Play, duty: Duty) -> Answer:
    decision, _, question = duty.ref.partition("/")
    asked = next(q for q in play.project.decisions[decision].questions if q.id == question)
    name = "AnswerConsult" if asked.to else "AnswerInfo"
    return name, {"decision": decision, "question": question, "answer": "Yes"}


def _measure(play: Play, duty: Duty) -> Answer:
    today = {"kpi": duty.ref, "effective_on": str(play.now.date())}
    return "RecordMeasurement", COMMANDS["RecordMeasurement"].example | today


def _evaluate(play: Play, duty: Duty) -> Answer:
    scores = COMMANDS["SubmitEvaluation"].example["scores"] | {"risk": 1 + len(play.facts) % 5}
    return "SubmitEvaluation", {"scores": scores, "comment": "So it was"}


def _hand_on(play: Play, duty: Duty) -> Answer:
    role = sorted(play.project.team.granted(duty.ref))[0]
    return "EndRole", {"person": duty.ref, "role": role, "reason": "Has left"}


ANSWERS: dict[str, Callable[[Play, Duty], Answer]] = {
    "sign": lambda play, duty: ("Vote", play.ballot(duty.ref)),
    "answer": _answer,
    "confirm-role": lambda play, duty: ("ConfirmRole", {"grant": duty.ref}),
    "check-in": lambda play, duty: ("HoldCheckIn", {"check_in": duty.ref, "attendees": [PMO, PRODUCT]}),
    "triage": lambda play, duty: ("TriageChange", {"change": duty.ref, "change_class": "NORMAL"}),
    "assess": _assess,
    "open-decision": lambda play, duty: ("OpenChangeDecision", {"change": duty.ref}),
    "evaluate": _evaluate,
    "measure": _measure,
    "hand-on": _hand_on,
}
"""How people do what waits for them."""


def refused(play: Play, name: str, by: str, **data: Any) -> Refused | None:
    """Do it, or say why not."""
    try:
        play.do(name, by, **data)
    except Refused as refusal:
        return refusal
    return None


def check_fact(before: Project, event: Event, after: Project) -> None:
    """What holds of any single fact, given the project before and after it."""
    assert after.version == before.version + 1
    assert {notice.recipient for notice in event.tells(after)} <= set(after.team.members())
    for language in ("en", "zh"):
        assert event.sentence(language, "somebody")
    if isinstance(event, DecisionApproved):
        decision = before.decisions[event.decision]
        assert decision.state is State.OPEN
        assert all(satisfied(decision, slot, before.team) for slot in decision.slots)
    if isinstance(event, DecisionExpired):
        assert before.decisions[event.decision].is_open
    if isinstance(event, StageEntered):
        check_step(before, event, after)


def check_step(before: Project, event: StageEntered, after: Project) -> None:
    """P1: forward one stage, back by a recycle, or out by a cancellation."""
    back = event.stage.comes_before(before.stage)
    out = event.stage is Stage.RETROSPECTIVE and before.lifecycle.cancelling
    assert event.stage is before.stage.next or back or out
    assert not before.held
    if back:
        assert any(d.kind is Kind.RECYCLE and d.effect is Effect.APPLIED for d in before.decisions.values())
    assert after.stage is event.stage


SEEDS = range(20)


@cache
def crowd(seed: int) -> Crowd:
    """One story, checked after each of its moves."""
    told = Crowd(seed)
    told.moves(100)
    return told


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_the_laws_hold(seed: int) -> None:
    crowd(seed).the_end()


def test_the_crowd_gets_everywhere() -> None:
    """The laws say little about what never happens."""
    accepted = sum((crowd(seed).accepted for seed in SEEDS), Counter[str]())
    happened = sum((Counter(crowd(seed).play.kinds()) for seed in SEEDS), Counter[str]())
    assert len(accepted) >= 0.75 * len(COMMANDS)
    of_projects = [kind for kind in EVENTS.values() if kind.__module__.startswith("domain.project.")]
    assert len(happened) >= 0.75 * len(of_projects)
