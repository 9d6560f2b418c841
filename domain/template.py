"""The process template: policy as data, versioned, validated, embedded in a project's first event.

A project pins the policy it started with: a newer template changes later projects only (DR19).
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from domain.calendar import CalendarPolicy
from domain.values import BasisPoints, Days, Line, Money, Role, Slug, Stage, Value

Percent = Annotated[int, Field(ge=0, le=100)]


class Kind(StrEnum):
    """What is decided. Each kind has a policy in the template and one effect in the rules."""

    CHARTER = "CHARTER"
    AGREEMENT = "AGREEMENT"
    BASELINE = "BASELINE"
    CHANGE = "CHANGE"
    COMPLETION = "COMPLETION"
    ACCEPTANCE = "ACCEPTANCE"
    CLOSING = "CLOSING"
    RECYCLE = "RECYCLE"
    CANCELLATION = "CANCELLATION"


class Duty(StrEnum):
    """Separation of duties: who may not fill a slot."""

    NOT_AUTHOR = "NOT_AUTHOR"
    NOT_LAST_EDITOR = "NOT_LAST_EDITOR"
    NOT_BENEFICIARY = "NOT_BENEFICIARY"


class Origin(StrEnum):
    """Where a slot comes from."""

    POLICY = "POLICY"
    ADHOC = "ADHOC"


class Slot(Value):
    """A place for signatures. Satisfied when enough eligible people have approved."""

    name: Slug
    role: Role
    order: Annotated[int, Field(ge=0, le=50)] = 0
    """Slots of a later order open when all earlier ones are satisfied."""
    min_approvals: Annotated[int, Field(ge=1, le=100)] = 1
    percent: Percent = 0
    """Share of the eligible that must approve, rounded up (DR3)."""
    turnout_percent: Percent = 0
    """Share of the eligible that must have voted, abstentions included (DR5)."""
    veto: bool = False
    """One rejection here rejects the decision."""
    separation: tuple[Duty, ...] = ()
    not_same_as: tuple[Slug, ...] = ()
    """Slots whose signer may not sign here, not even under a solo exception."""
    substitutes: tuple[Role, ...] = ()
    """Who may sign instead where separation of duties bars every holder of the role (X5)."""
    only_above: Money | None = None
    """The slot exists only where the amount at stake is larger (GL3)."""
    origin: Origin = Origin.POLICY
    persons: tuple[str, ...] | None = None
    """Named signers instead of the holders of the role (co-signers, transfers)."""
    alternates: tuple[Role, ...] = ()
    """Roles added by escalation: they may sign as well, nobody is removed."""
    added_by: str | None = None


class OnTimeout(StrEnum):
    """What silence leads to. There is no value for approval (DR10)."""

    EXPIRE = "EXPIRE"
    ESCALATE = "ESCALATE"
    HOLD = "HOLD"


class DecisionPolicy(Value):
    """Slots, limits and manners of one kind of decision."""

    slots: Annotated[tuple[Slot, ...], Field(min_length=1, max_length=20)]
    limit_days: Annotated[int, Field(ge=1, le=365)]
    remind_percent: tuple[Annotated[int, Field(ge=1, le=100)], ...] = (50, 80, 100)
    on_timeout: OnTimeout = OnTimeout.ESCALATE
    escalation: tuple[Role, ...] = ()
    escalation_step_percent: Annotated[int, Field(ge=1, le=500)] = 25
    """Level i escalates at 100 % + i × step of the limit; one more step later the decision expires."""
    acknowledgement: bool = False
    """Asks for notice taken, not for a signature: lapses to `not acknowledged` without harm (DR10)."""
    no_bulk: bool = False
    effect_delay_days: Days = 0
    """Working days between approval and effect in which a voter may revoke."""
    non_material: tuple[Slug, ...] = ()
    """Fields of the subject whose edit leaves the votes standing (DR9)."""
    max_extensions: Annotated[int, Field(ge=0, le=10)] = 2
    max_nudges: Annotated[int, Field(ge=0, le=20)] = 3
    nudges_a_day: Annotated[int, Field(ge=1, le=20)] = 1
    """To one person, within one working day (N3)."""
    step_up_minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    """Whoever signs must have proved to be there within so many minutes (A2); None: being signed in is enough."""

    @model_validator(mode="after")
    def _slots_are_distinct(self) -> Self:
        names = [slot.name for slot in self.slots]
        if len(set(names)) != len(names):
            raise ValueError("slot names must differ")
        return self


class StagePolicy(Value):
    """How long a stage should take, and when its people are reminded."""

    limit_days: Annotated[int, Field(ge=1, le=3650)]
    remind_percent: tuple[Annotated[int, Field(ge=1, le=200)], ...] = (50, 80, 100)


class CheckInPolicy(Value):
    """The cadence of check-ins between the two sides during execution."""

    every_days: Annotated[int, Field(ge=1, le=260)]
    grace_days: Annotated[int, Field(ge=0, le=60)]
    required: tuple[Role, ...] = (Role.PMO, Role.PRODUCT_MANAGER)
    sponsor_after_missed: Annotated[int, Field(ge=1, le=20)] = 3


class AgreementPolicy(Value):
    """What a KPI agreement must hold."""

    categories: tuple[Line, ...] = ("schedule", "cost", "quality", "satisfaction")
    cap_bp: BasisPoints = 12_000
    """No KPI counts for more than this share of its weight."""


class AuthorityRow(Value):
    """Up to these impacts these slots decide a change; None is without limit."""

    name: Slug
    max_cost_bp: BasisPoints | None = None
    """Of the baselined budget, by magnitude."""
    max_delay_days: Days | None = None
    kpi_targets: bool = True
    """Whether a change of a KPI target is within this row."""
    slots: Annotated[tuple[Slot, ...], Field(min_length=1, max_length=20)]


class ChangePolicy(Value):
    """How changes are assessed and who decides them."""

    assessment_valid_days: Annotated[int, Field(ge=1, le=365)] = 20
    resubmit_after_days: Annotated[int, Field(ge=0, le=365)] = 10
    rows: Annotated[tuple[AuthorityRow, ...], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _the_last_row_takes_all(self) -> Self:
        last = self.rows[-1]
        if last.max_cost_bp is not None or last.max_delay_days is not None or not last.kpi_targets:
            raise ValueError("the last authority row must be without limit")
        return self


class Policy(Value):
    """One version of a process template."""

    template: Slug
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+$")]
    title: Line
    calendar: CalendarPolicy
    decisions: dict[Kind, DecisionPolicy]
    stages: dict[Stage, StagePolicy]
    check_ins: CheckInPolicy
    agreement: AgreementPolicy
    changes: ChangePolicy
    solo_exception_days: Annotated[int, Field(ge=1, le=366)] = 90
    """Calendar days; longer exceptions from R3 are refused."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if missing := set(Kind) - set(self.decisions):
            raise ValueError(f"no decision policy for {', '.join(sorted(missing))}")
        if missing_stages := set(Stage) - {Stage.CLOSED} - set(self.stages):
            raise ValueError(f"no stage policy for {', '.join(sorted(missing_stages))}")
        return self
