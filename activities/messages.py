"""What travels between workflows and steps. Fields are only ever added, with defaults."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Frozen, and tolerant of fields that a newer sender knows."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Opening(Message):
    """What a project's workflow starts with."""

    project_id: str
    seen: int | None = None
    """Up to which version its facts were acted on before; None: the store knows."""


class NoticeItem(Message):
    """One of the notices that a digest tells of."""

    code: str
    en: str
    zh: str
    due_at: datetime | None = None


class NoticeMessage(Message):
    """One notice to one person; event and recipient are its identity."""

    event_id: str
    project_id: str
    code: str
    kind: str
    recipient: str
    en: str
    zh: str
    ref: str = ""
    due_at: datetime | None = None
    channels: tuple[str, ...] = ("inbox",)
    """Beyond the inbox in the order in which the reader wants them tried."""
    items: tuple[NoticeItem, ...] = ()
    urgent: bool = False
    """Waits for no quiet hours: the reader has just asked for it."""
    revision: int | None = None
    """Of what is decided, where `ref` is a decision that is open."""
    told_at: datetime | None = None
    """When the event was recorded."""

    @property
    def id(self) -> str:
        """The id of the workflow that delivers it."""
        return f"notice-{self.event_id}-{self.recipient}"


class Follow(Message):
    """Look at a project's facts after `seen`; None: after what the store says was acted on."""

    project_id: str
    seen: int | None = None
    begun: int | None = None
    """The visit to a stage that was begun in full: facts that owe nothing there are marked as seen at once."""


class Situation(Message):
    """Where a project stands, and what the lifecycle owes."""

    exists: bool = False
    version: int = 0
    stage: str = ""
    visit: int = 0
    invited: bool = False
    clocked: bool = False
    held: bool = False
    closing_approved: bool = False
    ended: bool = False
    ending: str | None = None
    code: str = ""
    title: str = ""
    next_due: datetime | None = None
    notices: tuple[NoticeMessage, ...] = ()
    more: bool = False
    """There are facts after `version` already: look again."""
    marked: bool = False
    """`version` is marked as seen already, since nothing was owed."""

    def settled(self, begun: int | None) -> bool:
        """Whether nothing is left to do but to wait, once its notices are sent; `begun` as in Follow."""
        closing = self.closing_approved and not self.held
        return self.ended or not self.exists or (self.visit == begun and not closing)


class Act(Message):
    """A command of the lifecycle's own, with an id that is the same whenever it is repeated."""

    project_id: str
    command: str
    command_id: str
    data: dict[str, Any] = {}


class Submission(Message):
    """A person's command that came as a signal instead of over HTTP."""

    command_id: str
    type: str
    principal: str
    data: dict[str, Any] = {}
    on_behalf_of: str | None = None
    delegation: str | None = None
    expected_version: int | None = None
    expires_at: datetime | None = None
    confirmed_at: datetime | None = None
    """When the principal last proved to be there; None where the credential cannot tell."""
    signature: str | None = None
    """The API's, base64: without it nobody is believed to be who the submission says."""


class Submitted(Message):
    """A submission for one project."""

    project_id: str
    submission: Submission


class Done(Message):
    """What came of a command: recorded, repeated, nothing to do, or refused with its code."""

    version: int = 0
    refused: str | None = None


class Seen(Message):
    """The lifecycle has acted on everything up to `version`."""

    project_id: str
    version: int


class Delivery(Message):
    """A notice on its way through one channel."""

    notice: NoticeMessage
    channel: str
    reason: str = ""
    """Why it is given up."""
    following: str = ""
    """The channel that is tried next; without one the notice is kept."""


class DigestOrder(Message):
    """Whose digests a workflow sends."""

    person: str


class DigestAsked(Message):
    """What is to be known of a person's digest, by the workflow's clock."""

    person: str
    now: datetime


class DigestPlan(Message):
    """When the next digest goes; without `at` nothing waits for one."""

    at: datetime | None = None
    day: date | None = None


class DigestDay(Message):
    """One person's digest of one day."""

    person: str
    day: date


class Planned(Message):
    """A notice that is about to go through a channel, by the workflow's clock."""

    notice: NoticeMessage
    now: datetime


class Timing(Message):
    """When it may go."""

    at: datetime | None = None
    """None: at once."""
