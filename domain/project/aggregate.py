"""The state of one project: what all its events, folded in order, amount to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from domain.clock import Clock
from domain.project.agreement import Agreement
from domain.project.changes import ChangeRequest
from domain.project.charter import Charter
from domain.project.checkins import CheckIns
from domain.project.decision import Decision
from domain.project.delegation import Delegation
from domain.project.evaluation import Retrospective
from domain.project.plan import Plan
from domain.project.team import Team
from domain.sight import Visibility
from domain.template import Policy
from domain.values import Stage


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Where the project is on its way."""

    stage: Stage = Stage.KICKOFF
    visit: int = 0
    """How many stages were entered so far: tells two visits of one stage apart."""
    entered_at: datetime | None = None
    invited_visit: int = 0
    clocked_visit: int = 0
    held_at: datetime | None = None
    hold_reason: str | None = None
    cancelling: bool = False
    """On the short way out: the retrospective that even a cancelled project passes (P3)."""
    closing_approved: bool = False
    ended_at: datetime | None = None
    ending: str | None = None
    """`completed` or `cancelled`, once closed."""


@dataclass(frozen=True, slots=True)
class Project:
    """One project. Immutable: `apply` of an event gives the next state."""

    id: str
    version: int = 0
    code: str = ""
    title: str = ""
    purpose: str = ""
    policy: Policy | None = None
    starter: str = ""
    visibility: Visibility = Visibility.OPEN
    teams: tuple[str, ...] = ()
    """Whom it is visible to besides, where the visibility is TEAM."""
    changed_at: datetime | None = None
    started_at: datetime | None = None
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    team: Team = field(default_factory=Team)
    charter: Charter = field(default_factory=Charter)
    agreement: Agreement = field(default_factory=Agreement)
    plan: Plan = field(default_factory=Plan)
    check_ins: CheckIns = field(default_factory=CheckIns)
    changes: Mapping[str, ChangeRequest] = field(default_factory=lambda: MappingProxyType({}))
    delegations: tuple[Delegation, ...] = ()
    """Every one that ever was, oldest first."""
    decisions: Mapping[str, Decision] = field(default_factory=lambda: MappingProxyType({}))
    retrospective: Retrospective = field(default_factory=Retrospective)
    clocks: Mapping[str, Clock] = field(default_factory=lambda: MappingProxyType({}))
    """Running and paused clocks by reference, e.g. `decision/D-3`, `stage/2`, `check-in/K-1`, `kpi/nps`."""

    @property
    def exists(self) -> bool:
        return self.version > 0

    @property
    def stage(self) -> Stage:
        return self.lifecycle.stage

    @property
    def held(self) -> bool:
        return self.lifecycle.held_at is not None

    @property
    def ended(self) -> bool:
        return self.lifecycle.ended_at is not None

    @property
    def rules(self) -> Policy:
        """The pinned policy of a project that exists."""
        assert self.policy is not None
        return self.policy

    @property
    def today(self) -> date:
        """The day of the latest fact, by the project's own clock on the wall."""
        assert self.changed_at is not None
        return self.changed_at.astimezone(ZoneInfo(self.rules.calendar.timezone)).date()

    def since(self, day: date, at: datetime) -> datetime:
        """Since when something of this day, recorded at `at`, is true: the day's end, never before the project."""
        assert self.started_at is not None
        zone = ZoneInfo(self.rules.calendar.timezone)
        end = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
        return min(at, max(self.started_at, end))

    def but(self, **changes: Any) -> Project:
        """This project with some fields changed."""
        return replace(self, **changes)

    def with_lifecycle(self, **changes: Any) -> Project:
        return replace(self, lifecycle=replace(self.lifecycle, **changes))

    def with_decision(self, decision: Decision) -> Project:
        return replace(self, decisions={**self.decisions, decision.id: decision})

    def with_change(self, change: ChangeRequest) -> Project:
        return replace(self, changes={**self.changes, change.id: change})

    def with_clock(self, ref: str, clock: Clock | None) -> Project:
        """The project with this clock; None stops it for good."""
        clocks = {name: c for name, c in self.clocks.items() if name != ref}
        if clock is not None:
            clocks[ref] = clock
        return replace(self, clocks=clocks)

    def without_mark(self, ref: str, mark: str) -> Project:
        """The project after time has passed this mark."""
        clock = self.clocks.get(ref)
        return self.with_clock(ref, clock.passed(mark)) if clock else self

    def open_decisions(self) -> tuple[Decision, ...]:
        return tuple(d for d in self.decisions.values() if d.is_open)

    def decisions_in_play(self) -> tuple[Decision, ...]:
        """The open ones, and the approved ones that have not taken effect."""
        return tuple(d for d in self.decisions.values() if d.in_play)
