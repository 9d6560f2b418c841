"""A calendar of due dates that calendar programs read by a secret URL: what waits, check-ins and milestones."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any

from icalendar import Calendar, Event
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from activities.archived import StreamArchived
from api.asking import no_query
from api.feeding import said
from api.operation import NOT_MODIFIED, READING, Operation, path_parameter
from api.parts import Parts, asker, parts, surroundings
from api.plain import moment
from api.problems import Problem
from api.shapes import Shape
from auth.secret import digest, fresh
from domain.project.aggregate import Project
from domain.titles import title_in
from projections.calendars import Calendars, Version
from projections.duties import Waiting, waiting
from projections.preferences import Preferences

PREFIX = "tdm_cal_"
"""Lets people and scanners for leaked secrets know it."""
MOST_DUTIES, MOST_PROJECTS, MOST_ENTRIES = 200, 50, 1000
LONG = timedelta(minutes=30)
"""An entry ends when the thing is due and begins so long before."""
WRITING = (401, 403, 413, 415, 422, 503)
KINDS = {
    "sign": ("Sign", "签字"),
    "sign-for": ("Sign for somebody", "代签"),
    "answer": ("Answer", "答复"),
    "check-in": ("Check-in", "例会"),
    "triage": ("Look at a change", "分诊变更"),
    "open-decision": ("Put a change to the vote", "发起变更决策"),
    "assess": ("Assess a change", "评估变更"),
    "evaluate": ("Evaluate", "评价"),
    "measure": ("Measure", "填报"),
    "confirm-role": ("Confirm a role", "确认角色"),
}
MILESTONE, CHECK_IN, NAME = ("Milestone", "里程碑"), ("Check-in", "例会"), ("Tandem: what is due", "Tandem:到期事项")


class CalendarState(Shape):
    """The caller's calendar; its secret is told once, when it is made."""

    made_at: str | None
    read_at: Annotated[str | None, Field(description="By a calendar program, to the minute.")]


class CalendarMade(CalendarState):
    """A calendar that was just made."""

    url: Annotated[str, Field(description="Shown this once. Whoever has it reads the calendar.")]
    path: str


async def read_calendar(request: Request) -> Response:
    """Whether the caller has a calendar, and when it was read."""
    return said(await _state(parts(request), asker(request).principal))


async def make_calendar(request: Request) -> Response:
    """Make a secret URL of what is due to the caller, for calendar programs. An earlier one ends."""
    no_query(request)
    behind, who, secret = parts(request), asker(request).principal, fresh(PREFIX)
    await Calendars(behind.store.pool).make(who, digest(secret))
    path = f"/calendar/{secret}.ics"
    return said(await _state(behind, who) | {"url": f"{str(request.base_url).rstrip('/')}{path}", "path": path}, 201)


async def end_calendar(request: Request) -> Response:
    """End the caller's calendar at once; ending none changes nothing."""
    no_query(request)
    await Calendars(parts(request).store.pool).end(asker(request).principal)
    return Response(status_code=204)


async def read_calendar_feed(request: Request) -> Response:
    """What is due to one person, as iCalendar. The secret in the path is the credential; a wrong one is not there."""
    behind = parts(request)
    surroundings(request).limits.stranger(request.scope)
    person = await Calendars(behind.store.pool).reader(digest(request.path_params["secret"]))
    if person is None or (await behind.roster.directory()).left(person):
        raise Problem("NotFound")
    body = await _written(behind, person)
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=300"}
    if tag in (given.strip() for given in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="text/calendar")


async def _state(behind: Parts, who: str) -> dict[str, Any]:
    made_at, read_at = await Calendars(behind.store.pool).living(who) or (None, None)
    return {"made_at": made_at and moment(made_at), "read_at": read_at and moment(read_at)}


async def _written(behind: Parts, person: str) -> bytes:
    database = behind.store.pool
    language = (await Preferences(database).of(person)).language
    versions = await Calendars(database).projects(person, MOST_PROJECTS)
    known = {version.project_id: version for version in versions}
    calendar = Calendar()
    calendar.add("prodid", "-//Tandem//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", _in(NAME, language))
    entries = [_duty(duty, known, language) for duty in await waiting(database, person, behind.now(), MOST_DUTIES)]
    for version in versions:
        try:
            project = (await behind.step.states.current(version.project_id)).project
        except StreamArchived:
            continue
        entries += _of_project(project, version, language)
    for entry in [entry for entry in entries if entry is not None][:MOST_ENTRIES]:
        calendar.add_component(entry)
    return bytes(calendar.to_ical())


def _duty(duty: Waiting, known: dict[str, Version], language: str) -> Event | None:
    """What waits and has a time; check-ins are the project's own entries."""
    if duty.due_at is None or duty.kind == "check-in":
        return None
    what = _in(KINDS.get(duty.kind, (duty.kind, duty.kind)), language)
    version = known.get(duty.project_id) or Version(duty.project_id, 0, duty.since)
    uid = f"{duty.kind}-{duty.ref}-{duty.project_id}"
    return _entry(uid, f"[{duty.code}] {what}: {title_in(duty.title, language)}", duty.due_at, version)


def _of_project(project: Project, version: Version, language: str) -> Iterator[Event]:
    current = None if project.held else project.check_ins.current
    if current is not None:
        title = f"[{project.code}] {_in(CHECK_IN, language)} {current.id}"
        yield _entry(f"check-in-{current.id}-{project.id}", title, current.due_at, version)
    for milestone in project.plan.baseline.milestones if project.plan.baseline else ():
        if milestone.id not in project.plan.reached:
            title = f"[{project.code}] {_in(MILESTONE, language)}: {milestone.name}"
            yield _entry(f"milestone-{milestone.id}-{project.id}", title, milestone.due, version)


def _entry(uid: str, title: str, due: datetime | date, version: Version) -> Event:
    """An entry that nobody is busy for; with nothing in it but what the facts say, so that equal is equal."""
    entry = Event()
    entry.add("uid", f"{uid}@tandem")
    entry.add("summary", title)
    if isinstance(due, datetime):
        entry.add("dtstart", due - LONG)
        entry.add("dtend", due)
    else:
        entry.add("dtstart", due)
    entry.add("dtstamp", version.changed_at)
    entry.add("last-modified", version.changed_at)
    entry.add("sequence", version.version)
    entry.add("transp", "TRANSPARENT")
    return entry


def _in(words: tuple[str, str], language: str) -> str:
    return words[language == "zh"]


OPERATIONS = (
    Operation("GET", "/v1/me/calendar", "readCalendar", "account", read_calendar, CalendarState, problems=READING),
    Operation("POST", "/v1/me/calendar", "makeCalendar", "account", make_calendar, CalendarMade, 201, problems=WRITING),
    Operation("DELETE", "/v1/me/calendar", "endCalendar", "account", end_calendar, None, 204, problems=WRITING),
    Operation(
        "GET",
        "/calendar/{secret}.ics",
        "readCalendarFeed",
        "account",
        read_calendar_feed,
        None,
        problems=(404, 503),
        content={"text/calendar": {"schema": {"type": "string"}}},
        others=NOT_MODIFIED,
        extra={"parameters": [path_parameter("secret", "Shown once, when the calendar was made.")]},
    ),
)
