"""The small words of the domain: who, how much, how long, and the bounds of each."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)


class Role(StrEnum):
    """What a person is in one project (docs/governance.md, Roles). SYSTEM is the lifecycle itself."""

    SPONSOR = "SPONSOR"
    PMO = "PMO"
    PRODUCT_MANAGER = "PRODUCT_MANAGER"
    MEMBER = "MEMBER"
    AUDITOR = "AUDITOR"
    SYSTEM = "SYSTEM"


class Stage(StrEnum):
    """The five stages of a project, in order."""

    KICKOFF = "KICKOFF"
    KPI_AGREEMENT = "KPI_AGREEMENT"
    EXECUTION = "EXECUTION"
    CHANGE_REVIEW = "CHANGE_REVIEW"
    RETROSPECTIVE = "RETROSPECTIVE"
    CLOSED = "CLOSED"

    @property
    def next(self) -> "Stage":
        stages = list(Stage)
        return stages[min(stages.index(self) + 1, len(stages) - 1)]

    def comes_before(self, other: "Stage") -> bool:
        stages = list(Stage)
        return stages.index(self) < stages.index(other)


EVERY_STAGE = frozenset(Stage) - {Stage.CLOSED}
DECIDING_ROLES = frozenset({Role.SPONSOR, Role.PMO, Role.PRODUCT_MANAGER})
BUSINESS_ROLES = DECIDING_ROLES | {Role.MEMBER}
EVERYBODY = BUSINESS_ROLES | {Role.AUDITOR}


class Value(BaseModel):
    """Strict, frozen, closed: what a command or an event is made of."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


SEALED = "vault:1:"
"""How a text begins that is sealed with a person's key: no text that people write contains it."""


class Personal:
    """Marks a text that speaks of a person: it is sealed with that person's key before it is stored.

    `of` names whose: `actor` for whoever acts, or a field of the same class that holds a person or several.
    Sealed for more than one it is unreadable as soon as one of them is erased. See domain/personal.py.
    """

    def __init__(self, *of: str) -> None:
        self.of = of


def _plain(text: str) -> str:
    if SEALED in text:
        raise ValueError(f"{SEALED!r} is how sealed texts begin; write it differently")
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" for c in text):
        raise ValueError("control characters are not allowed")
    return unicodedata.normalize("NFC", text).strip()


def _not_blank(text: str) -> str:
    if not text:
        raise ValueError("must not be blank")
    return text


def _within(limit: int) -> Callable[[str], str]:
    """Once more after normalizing, which can lengthen a text: what was accepted once is accepted again."""

    def check(text: str) -> str:
        if len(text) > limit:
            raise ValueError(f"must have at most {limit} characters")
        return text

    return check


def _one_line(text: str) -> str:
    if "\n" in text or "\t" in text:
        raise ValueError("must be one line")
    return text


_PLAIN_NUMBER = r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$"


def _decimal(value: Any) -> Any:
    if isinstance(value, Decimal):
        value = format(value, "f")
    if not isinstance(value, str) or not re.fullmatch(_PLAIN_NUMBER, value):
        raise ValueError('write a plain number below 10^15 with at most 6 decimals, in JSON in quotes: "1250.50"')
    number = Decimal(value)
    return number if number else abs(number)  # zero has no sign


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs a time zone, e.g. 2026-03-01T09:00:00Z")
    return value


_NUMBER = {"type": "string", "pattern": _PLAIN_NUMBER, "examples": ["1250.50"]}

Person = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]{0,63}$")]
"""Who: the stable name of a person, e.g. `li.wei`."""
Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
"""A name that people give to a thing of theirs, e.g. `nps` or `M1`."""
Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(_plain),
    AfterValidator(_one_line),
    AfterValidator(_not_blank),
    AfterValidator(_within(200)),
]
"""One line of text, 1 to 200 characters."""
Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=4000),
    AfterValidator(_plain),
    AfterValidator(_not_blank),
    AfterValidator(_within(4000)),
]
"""A paragraph, 1 to 4,000 characters."""
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hex: what a signature is bound to."""
Number = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    PlainSerializer(lambda d: format(d, "f"), return_type=str),
    WithJsonSchema(_NUMBER),
]
"""A decimal, written as a string; |n| < 10^15, at most 6 decimals."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(examples=["CNY"])]
Instant = Annotated[datetime, AfterValidator(_aware)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 12, 31))]
"""A calendar day of this century; working time is countable between any two that matter."""
BasisPoints = Annotated[int, Field(ge=0, le=100_000)]
"""Hundredths of a percent: 10,000 is 100 %."""
Days = Annotated[int, Field(ge=0, le=3660)]
"""Working days, unless said otherwise."""


Revision = Annotated[int, Field(ge=1, le=1_000_000)]
"""1, 2, 3 …: which version of a content."""


class Money(Value):
    """An amount with its currency. Amounts of different currencies never add."""

    amount: Number
    currency: Currency

    def plus(self, other: "Money") -> "Money":
        """Raises ValueError where the currencies differ."""
        if other.currency != self.currency:
            raise ValueError(f"{other.currency} cannot be added to {self.currency}")
        return Money(amount=self.amount + other.amount, currency=self.currency)


class NotApplicable(Value):
    """A figure that cannot be computed, and why (never 0, never infinity)."""

    reason: str
