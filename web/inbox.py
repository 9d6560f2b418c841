"""The first page: what waits for the reader, and what the reader was told."""

from starlette.responses import Response

from api.inbox import MOST_ID
from api.problems import Problem
from projections.duties import waiting
from projections.messages import Messages
from web.page import Page

MOST = 50


async def inbox(page: Page) -> Response:
    """Duties, overdue first, then messages, the newest first."""
    database, who, now = page.behind.store.pool, page.who.principal, page.behind.now()
    lines = await Messages(database).of(who, limit=MOST)
    return page.show(
        "inbox.html",
        duties=await waiting(database, who, now, MOST),
        lines=lines,
        unread=await Messages(database).unread(who),
        now=now,
    )


async def mark_read(page: Page) -> Response:
    """One message of the reader's is read."""
    text = str(page.request.path_params["message"])
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= MOST_ID):
        raise Problem("NoMessage")
    if not await Messages(page.behind.store.pool).mark_read(page.who.principal, int(text)):
        raise Problem("NoMessage")
    return page.go("/")
