"""What pages read of a project: as it is, for this reader; and what has happened last, in words."""

import re
from typing import Any

from activities.folding import stream_of
from api.happenings import Eyes
from api.past import existing
from api.problems import Problem
from domain.project.aggregate import Project
from domain.project.decision import Decision
from web.page import Page

MOST_DONE = 20
_VERSIONS = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


async def project_of(page: Page, project_id: str | None = None) -> Project:
    """A project, otherwise the one of the address. Raises Problem where there is none for this reader."""
    return await existing(page.behind, project_id or page.request.path_params["id"], page.who.principal)


def decision_of(page: Page, project: Project, decision: str | None = None) -> Decision:
    """A decision, otherwise the one of the address. Raises Problem where there is none."""
    found = project.decisions.get(decision or page.request.path_params["decision"])
    if found is None:
        raise Problem("NoDecision")
    return found


async def happened(page: Page, project: Project, after: int, limit: int) -> list[dict[str, Any]]:
    """Events after a version, oldest first, each with its `sentence`."""
    facts = await page.behind.store.read(stream_of(project.id), after=after, limit=limit)
    return await Eyes(page.behind, page.who.principal, page.language).see(facts)


async def just_done(page: Page, project: Project) -> list[str]:
    """What the form before this page has led to, in sentences; nothing where none has led here."""
    found = _VERSIONS.fullmatch(page.request.query_params.get("done", ""))
    if found is None:
        return []
    first, last = int(found[1]), min(int(found[2]), int(found[1]) + MOST_DONE - 1)
    if not 1 <= first <= last:
        return []
    return [one["sentence"] or one["type"] for one in await happened(page, project, first - 1, last - first + 1)]
