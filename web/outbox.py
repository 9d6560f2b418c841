"""What was sent to the reader beyond the inbox, or would have been; to all, for those who look after it."""

from starlette.responses import Response

from api.outbox import read_letter
from domain.directory.record import OrganisationRole
from projections.deliveries import Deliveries
from projections.outbox import Outbox
from web.page import Page

MOST = 50
KEEPERS = frozenset({OrganisationRole.PMO, OrganisationRole.ADMINISTRATOR})


async def show(page: Page) -> Response:
    """The newest first: letters that are kept, and what became of each notice in each channel."""
    behind, deliveries = page.behind, Deliveries(page.behind.store.pool)
    reader = await behind.sight.reader(page.who.principal)
    keeper = bool(reader.roles & KEEPERS)
    return page.show(
        "outbox.html",
        letters=await Outbox(behind.store.pool, behind.vault).page(None, MOST, reader.person, reader),
        sent=await deliveries.to(reader, None, MOST),
        keeper=keeper,
        failed=await deliveries.failed(reader, MOST) if keeper else [],
    )


async def letter(page: Page) -> Response:
    """A letter as a file; to its reader, and whoever the API gives it to."""
    page.request.scope.setdefault("state", {})["identity"] = page.who
    return await read_letter(page.request)
