"""Which past a request means: `as_of` (what was recorded by then) and `effective_at` (what was true then)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from api import asking
from api.parts import Parts
from api.problems import Problem, invalid
from domain.project.aggregate import Project

HOW = "A version, an RFC 3339 instant such as `2026-03-02T09:00:00Z`, or a day (its end where the project is)."
_VERSION = re.compile(r"[0-9]{1,18}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Parameters(BaseModel):
    """Query parameters; others than these are refused."""

    model_config = ConfigDict(extra="forbid")


class PastParameters(Parameters):
    """Which moment of a project."""

    as_of: Annotated[str | None, Field(max_length=40, description=f"As it was recorded by then. {HOW}")] = None
    effective_at: Annotated[
        str | None,
        Field(
            max_length=40,
            description="As it was true then, as far as is known now or, with `as_of`, was known then. "
            "An RFC 3339 instant, or a day (its end where the project is).",
        ),
    ] = None


class PastTime(Parameters):
    """Which moment of a list."""

    as_of: Annotated[
        str | None,
        Field(max_length=40, description="As it was then: an RFC 3339 instant, or a day (its end in UTC)."),
    ] = None

    def instant(self) -> datetime | None:
        """The moment; None: now. Raises Problem."""
        return None if self.as_of is None else instant(self.as_of, "as_of", "UTC")


@dataclass(frozen=True, slots=True)
class View:
    """A project at the moment that was asked for."""

    project: Project
    now: datetime
    """What its page's clock shows."""
    current: Project
    """The project as it is."""
    true_at: datetime | None = None
    """Only what was true by then; None: whatever was recorded."""

    @property
    def revealed(self) -> bool:
        """Whether both evaluations are open by now: what was opened since is open in every earlier state."""
        return self.current.retrospective.revealed


async def existing(behind: Parts, project_id: str, reader: str) -> Project:
    """The project as the store has it now. Raises Problem (404) where there is none for this reader."""
    project = await behind.sight.project(reader, asking.project_id(project_id))
    if project is None:
        raise Problem("NoProject")
    return project


async def view(behind: Parts, project_id: str, asked: PastParameters, reader: str) -> View:
    """The project as asked for. Raises Problem: none for this reader, no such moment, or it cannot be read."""
    current = await existing(behind, project_id, reader)
    if asked.as_of is None and asked.effective_at is None:
        return View(current, behind.now(), current)
    zone = current.rules.calendar.timezone
    true_at = None if asked.effective_at is None else instant(asked.effective_at, "effective_at", zone)
    version, at = current.version, None
    if asked.as_of is not None:
        version, at = await version_of(behind, current, asked.as_of, "as_of")
    if true_at is None:
        project = (await behind.past.as_of(current.id, version)).project
    else:
        at, project = true_at, await behind.past.true_at(current.id, version, true_at)
    if not project.exists:
        raise Problem("NoSuchVersion", "The project did not exist then.")
    assert project.changed_at is not None
    return View(project, min(at or project.changed_at, behind.now()), current, true_at)


async def version_of(behind: Parts, current: Project, wanted: str, name: str) -> tuple[int, datetime | None]:
    """The version meant, and the instant where one was named. Raises Problem."""
    if _VERSION.fullmatch(wanted):
        if not 1 <= int(wanted) <= current.version:
            raise Problem("NoSuchVersion", f"The project is at version {current.version}.")
        return int(wanted), None
    at = instant(wanted, name, current.rules.calendar.timezone)
    version = await behind.past.version_at(current.id, at, current.version)
    if version == 0:
        raise Problem("NoSuchVersion", "The project did not exist then.")
    return version, at


def instant(wanted: str, name: str, zone: str) -> datetime:
    """The instant; a day is its end in the time zone. `name` is the parameter's. Raises Problem."""
    try:
        at = datetime.fromisoformat(wanted.replace(" ", "+"))
        if _DAY.fullmatch(wanted):
            at = datetime.combine(at.date() + timedelta(days=1), time(), ZoneInfo(zone))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid(f"/query/{name}", "An instant such as 2026-03-02T09:00:00Z, or a day.") from None
