"""Who may: the table of rights as people read it, and which of it is theirs."""

from starlette.responses import Response

from api.permissions import standing
from domain.permissions import RIGHTS, commands, holds
from domain.values import EVERY_STAGE, EVERYBODY, Role, Stage
from web.page import Page

ROLES = [role for role in Role if role in EVERYBODY]
STAGES = [stage for stage in Stage if stage in EVERY_STAGE]


async def show(page: Page) -> Response:
    """Commands by role and stage; everything else by whom it is for, with a mark at what is the reader's."""
    page.request.scope.setdefault("state", {})["identity"] = page.who
    mine = await standing(page.request)
    groups: dict[str, list[str]] = {}
    for name, right in RIGHTS.items():
        groups.setdefault(right.zh if page.language == "zh" else right.en, []).append(name)
    held = {right.zh if page.language == "zh" else right.en: holds(right, mine) for right in RIGHTS.values()}
    return page.show(
        "permissions.html", roles=ROLES, stages=STAGES, commands=dict(commands()), groups=groups, held=held
    )
