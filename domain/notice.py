"""Somebody must be told something. Who and what is a rule; how it travels is not."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one person. Together with the event it came from it has a stable identity."""

    recipient: str
    en: str
    zh: str
    ref: str = ""
    """What it is about, e.g. a decision's id."""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that waits for a person, as the inbox shows it."""

    person: str
    kind: str
    """`sign`, `answer`, `evaluate` …: what is asked of the person."""
    ref: str
    title: str
    since: datetime
    due_at: datetime | None = None
