"""The rows that projections keep of a project, computed from its state."""

from activities.ports import Duty, Page
from domain.inbox import duties
from domain.notice import Duty as Owed
from domain.project.aggregate import Project
from domain.project.passing import next_due
from domain.values import Role


def page(before: Project, after: Project) -> Page:
    """The page of `after`; duties only where they differ from those of `before`."""
    return page_after(duties(before) if before.exists else None, after)[0]


def page_after(was: tuple[Owed, ...] | None, after: Project) -> tuple[Page, tuple[Owed, ...]]:
    """The page of `after` and its duties, given those of the version before (None: unknown)."""
    now = duties(after)
    shown = Page(
        project_id=after.id,
        code=after.code,
        title=after.title,
        stage=after.stage.value,
        held=after.held,
        ended=after.ended,
        next_due=next_due(after),
        people={role.value: after.team.holders(role) for role in Role if after.team.holders(role)},
        duties=None if now == was else tuple(_row(d) for d in now),
    )
    return shown, now


def _row(duty: Owed) -> Duty:
    return Duty(**{name: getattr(duty, name) for name in Duty.__slots__})
