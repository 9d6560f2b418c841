"""Many people at once: rows of person, team and role, each of which adds what is not there yet.

Source: docs/governance.md, D1 to D4. The same rows again change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from domain.directory import granting, people, teams
from domain.directory.asking import check_may_change
from domain.directory.record import Directory
from domain.keeping.record import KeepingCommand, KeepingEvent, turned
from domain.messages import Happened
from domain.refusals import Refused
from domain.values import Person, Slug, Value

CONCEPT = "directory"
MOST_ROWS = 500
"""Rows of one command; a longer list goes in several."""
_WHENEVER = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands in records that are only looked at, never kept."""


class ImportRow(Value):
    """A person, and where given a team and an organisation role of theirs."""

    person: Person
    team: Slug | None = None
    role: granting.Granted | None = None


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What one row leads to: events, nothing where all is there already, or a refusal."""

    events: Sequence[KeepingEvent]
    refusal: Refused | None = None


class ImportPeople(KeepingCommand):
    """Add up to 500 rows of people, teams and organisation roles: all of them, or none where a row is refused."""

    example = {"rows": [{"person": "li.wei", "team": "sales"}, {"person": "an.jing", "role": "AUDITOR"}]}
    rows: Annotated[tuple[ImportRow, ...], Field(min_length=1, max_length=MOST_ROWS, strict=False)]

    def decide(self, record: Directory, person: str) -> list[KeepingEvent]:
        check_may_change(record, person)
        found = list(outcomes(record, self.rows, person))
        faults = tuple(
            {"pointer": f"/rows/{at}", "code": outcome.refusal.code, "message": outcome.refusal.detail}
            for at, outcome in enumerate(found)
            if outcome.refusal
        )
        if faults:
            raise Refused(
                "RowsRefused",
                "Some rows are refused, so none was taken.",
                rule="D1",
                next_step="Correct the rows named in `errors`, or leave them out.",
                errors=faults[:50],
            )
        return together([event for outcome in found for event in outcome.events])


def outcomes(record: Directory, rows: Sequence[ImportRow], person: str) -> Iterator[RowOutcome]:
    """What each row leads to if `person` asks, on top of those before it. Who may ask at all is not looked at."""
    for row in rows:
        try:
            events = _of(record, row, person)
        except Refused as refusal:
            yield RowOutcome((), refusal)
            continue
        record = _after(record, events, person)
        yield RowOutcome(events)


def together(events: Sequence[KeepingEvent]) -> list[KeepingEvent]:
    """The same with one event a team for everybody who joins it: people first, then teams, members, roles."""
    members: dict[str, list[str]] = {}
    for event in events:
        if isinstance(event, teams.TeamJoined):
            members.setdefault(event.team, []).extend(event.people)
    joined = [event for team, joining in members.items() for event in teams.joined(team, joining)]
    return [
        *(e for e in events if isinstance(e, people.PersonAdded)),
        *(e for e in events if isinstance(e, teams.TeamMade)),
        *joined,
        *(e for e in events if isinstance(e, granting.OrganisationRoleGranted)),
    ]


def _of(record: Directory, row: ImportRow, person: str) -> list[KeepingEvent]:
    events = people.added(record, row.person)
    if row.team is not None:
        events += teams.made(record, row.team)
        known = record.teams.get(row.team)
        if known is None or row.person not in known.members:
            events += teams.joined(row.team, [row.person])
    if row.role is not None and not any(g.role is row.role for g in granting.open_grants(record, row.person)):
        events += granting.granted(_after(record, events, person), row.person, row.role, person)
    return events


def _after(record: Directory, events: Sequence[KeepingEvent], person: str) -> Directory:
    for event in events:
        record = turned(record, event, Happened(_WHENEVER, person))
    return record
