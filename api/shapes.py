"""Shapes of answers, for the contract alone: answers are written as JSON without going through them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from domain.sight import Visibility


class Shape(BaseModel):
    """Answers may gain fields: readers ignore what they do not know."""

    model_config = ConfigDict(extra="allow")


class WrongField(Shape):
    """Where something is wrong, and what."""

    pointer: str
    code: str
    message: str


class ProblemDetails(Shape):
    """RFC 9457 problem details."""

    type: Annotated[str, Field(description="A page about this kind of problem.")]
    title: str
    status: int
    code: Annotated[str, Field(description="Stable name of the problem.")]
    request_id: str
    detail: str | None = None
    rule: Annotated[str | None, Field(description="The sentence of docs/governance.md that says no.")] = None
    errors: list[WrongField] | None = None
    next_step: Annotated[str | None, Field(description="What can be done now.")] = None


class EventName(Shape):
    """An event that a command led to."""

    type: str
    version: int


class Started(Shape):
    """A new project."""

    id: str
    code: str
    stage: str
    version: int
    position: int


class Answer(Shape):
    """What a command led to; no events where there was nothing to do."""

    id: str
    stage: str
    version: int
    position: int
    events: list[EventName]


class SignedCommand(Shape):
    """A command that was signed and not carried out: `input` of the Temporal signal to this workflow."""

    workflow_id: str
    signal: str
    input: dict[str, Any]


class ProjectLine(Shape):
    """A project in a list."""

    id: str
    code: str
    title: str
    stage: str
    held: bool
    ended: bool
    version: int
    position: int
    next_due: datetime | None
    people: dict[str, list[str]]
    started_at: datetime
    changed_at: datetime


class ProjectList(Shape):
    """A page of projects; `next` goes into `cursor`."""

    items: list[ProjectLine]
    next: str | None


class Why(Shape):
    """Why a command is not possible now."""

    code: str
    rule: str | None
    detail: str


class Action(Shape):
    """A command, and whether the caller may ask for it now."""

    command: str
    route: str
    href: str
    allowed: bool
    why: Why | None = None


class SlotState(Shape):
    """A place for signatures."""

    name: str
    role: str
    order: int
    needed: int
    approvals: int
    satisfied: bool
    open: bool
    may_sign: list[str]


class SubjectShape(Shape):
    """What is decided on; a vote names its revision and hash."""

    type: str
    id: str
    revision: int
    content_hash: str


class DecisionState(Shape):
    """A decision."""

    id: str
    kind: str
    title: str
    state: str
    open: bool
    subject: SubjectShape
    slots: list[SlotState]
    ballots: list[dict[str, Any]]
    due_at: datetime
    awaits: list[str]
    awaits_you: bool


class ProjectState(Shape):
    """Everything about a project that the caller may see."""

    id: str
    code: str
    title: str
    purpose: str
    stage: str
    version: int
    held: bool
    ended: bool
    visibility: Visibility
    teams: Annotated[list[str], Field(description="Whom it is visible to besides its own people.")]
    people: dict[str, list[str]]
    decisions: list[DecisionState]
    actions: Annotated[list[Action], Field(alias="_actions")]


class EventState(Shape):
    """An event. `data` is null and `sealed` true while its content is closed to the caller."""

    position: int
    stream: str
    version: int
    id: str
    type: str
    schema_version: int
    recorded_at: datetime
    effective_at: datetime
    actor: dict[str, Any]
    metadata: dict[str, Any]
    data: dict[str, Any] | None
    sealed: bool
    leaf_hash: str
    prev_hash: str
    concept: Annotated[str | None, Field(description="What it is about, such as `decision`.")]
    rule: Annotated[str | None, Field(description="The sentence of docs/governance.md that allowed it.")]
    sentence: str | None


class EventList(Shape):
    """A page of events; `next` goes into `after`, and is null where there is nothing more now."""

    items: list[EventState]
    next: int | None


class BulkResult(Shape):
    """What became of one command: the status that it would have had alone, and an answer or a problem."""

    index: int
    status: int
    answer: Answer | None = None
    problem: dict[str, Any] | None = None


class BulkAnswer(Shape):
    """One result a command, in their order."""

    items: list[BulkResult]


class VersionState(Shape):
    """What runs here."""

    name: str
    version: str
    instance: str
    api: str


class Health(Shape):
    """How it is."""

    status: str


class ConsumerState(Shape):
    """A consumer and where it stands; `lag` counts positions, whether its filter lets them through or not."""

    name: str
    types: list[str] | None
    projects: list[str] | None
    checkpoint: int
    newest: int
    lag: int
    leased_until: datetime | None
    created_at: datetime
    changed_at: datetime


class ConsumerList(Shape):
    """All consumers of the caller."""

    items: list[ConsumerState]
    next: None


class CloudEventState(Shape):
    """An event in CloudEvents' JSON format; without `data` while its content is closed to outsiders."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    sequence: Annotated[str, Field(description="The event's position, with leading zeros.")]
    sealed: bool


class EventBatch(Shape):
    """Events under a lease; `position` and `fence` go into the acknowledgement."""

    items: list[CloudEventState]
    position: int
    fence: int
    lease_until: datetime | None
    lag: int


class WebhookState(Shape):
    """An endpoint and where it stands; `secret` is there only when it was just made."""

    id: str
    url: str
    description: str
    types: list[str] | None
    projects: list[str] | None
    enabled: bool
    disabled_because: str | None
    checkpoint: int
    newest: int
    lag: int
    behind: Annotated[int, Field(description="Projects that are behind the checkpoint, each by itself.")]
    paused_until: datetime | None
    last_success_at: datetime | None
    created_at: datetime
    changed_at: datetime
    secret: str | None = None


class WebhookList(Shape):
    """All endpoints of the caller."""

    items: list[WebhookState]
    next: None


class FreshSecret(Shape):
    """A new secret, shown once."""

    secret: str
    old_until: datetime


class Queued(Shape):
    """What is going to be sent."""

    events: list[str]


class DeliveryState(Shape):
    """One attempt to deliver one event."""

    id: int
    at: datetime
    event: str
    type: str
    position: int | None
    kind: str
    attempt: int
    state: str
    status: int | None
    latency_ms: int
    problem: str
    answer: str
    next_at: datetime | None
    bytes: int
    body: Annotated[dict[str, Any] | None, Field(description="On one attempt alone: the event as it is now.")] = None
    body_as_sent: Annotated[bool | None, Field(description="Whether `body` is byte for byte what was sent.")] = None


class DeliveryList(Shape):
    """A page of attempts, the latest first; `next` goes into `cursor`."""

    items: list[DeliveryState]
    next: str | None
