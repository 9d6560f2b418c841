"""The first page: what waits for the reader, what the reader waits for, and what the reader was told."""

from starlette.responses import Response

from api.asking import whole
from api.inbox import MOST_ID
from api.problems import Problem
from api.waiting import awaited_by, decision_time_left, projects_of, with_projects_of, working_time_left
from projections.duties import Waiting, waiting
from projections.messages import Messages
from projections.preferences import Preferences
from web.page import Page

MOST = 50
FORMS = {
    "confirm-role": "confirm-role?grant={ref}",
    "check-in": "hold-check-in?check_in={ref}",
    "triage": "triage-change?change={ref}",
    "open-decision": "open-change-decision?change={ref}",
    "evaluate": "submit-evaluation",
    "measure": "record-measurement?kpi={ref}",
    "hand-on": "assign-role",
}
"""Where a duty of a kind is done; those on a decision on its page."""


async def inbox(page: Page) -> Response:
    """Duties, overdue first; open decisions that the reader asked for; messages, the newest first."""
    database, who, now = page.behind.store.pool, page.who.principal, page.behind.now()
    messages = await _messages(page)
    duties = await waiting(database, who, now, MOST)
    projects = await with_projects_of(page.behind, duties, await projects_of(page.behind, who, None))
    awaited = awaited_by(who, projects, now)
    return page.show(
        "inbox.html",
        duties=[(one, working_time_left(projects.get(one.project_id), one, now), leads_to(one)) for one in duties],
        zones={key: project.rules.calendar.timezone for key, project in projects.items()},
        awaited=[(one, decision_time_left(one.project, one.decision, now)) for one in awaited],
        lines=await messages.of(who, limit=MOST),
        unread=await messages.unread(who),
        zone=(await Preferences(database).of(who)).time_zone,
        now=now,
    )


def leads_to(duty: Waiting) -> str:
    """Where the duty is done."""
    about, project = duty.ref.partition("/")[0], f"/projects/{duty.project_id}"
    if duty.kind in {"sign", "sign-for", "answer"}:
        return f"{project}/decisions/{about}"
    return f"{project}/do/{FORMS[duty.kind].format(ref=about)}" if duty.kind in FORMS else project


async def mark_read(page: Page) -> Response:
    """One message of the reader's is read."""
    number = whole(page.request.path_params["message"], MOST_ID)
    if number is None or not await (await _messages(page)).mark_read(page.who.principal, number):
        raise Problem("NoMessage")
    return page.go("/#messages")


async def mark_all_read(page: Page) -> Response:
    """Every message of the reader's is read."""
    await (await _messages(page)).mark_all_read(page.who.principal)
    return page.go("/#messages")


async def _messages(page: Page) -> Messages:
    """The reader's inbox, without what projects said that do not exist for the reader any more."""
    return Messages(page.behind.store.pool, await page.behind.sight.keys(page.who.principal))
