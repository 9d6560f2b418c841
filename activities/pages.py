"""The rows that projections keep of a project, computed from its state."""

from activities.ports import Duty, Page
from domain.inbox import duties
from domain.notice import Duty as Owed
from domain.project.aggregate import Project
from domain.project.passing import next_due
from domain.values import Role


def page(before: Project, after: Project) -> Page:
    """The page of `after`; of duties, what differs from those of `before`."""
    return page_after(duties(before) if before.exists else None, after)[0]


def page_after(was: tuple[Owed, ...] | None, after: Project) -> tuple[Page, tuple[Owed, ...]]:
    """The page of `after` and its duties, given those of the version before (None: unknown)."""
    now = duties(after)
    fresh, over = _changes(was, now)
    shown = Page(
        project_id=after.id,
        code=after.code,
        title=after.title,
        stage=after.stage.value,
        held=after.held,
        ended=after.ended,
        next_due=next_due(after),
        people={role.value: after.team.holders(role) for role in Role if after.team.holders(role)},
        duties=fresh,
        over=over,
    )
    return shown, now


def _changes(
    was: tuple[Owed, ...] | None, now: tuple[Owed, ...]
) -> tuple[tuple[Duty, ...] | None, tuple[tuple[str, str, str], ...] | None]:
    """What a page says of duties: those to write, and the keys of those to remove; a changed one is both."""
    if was is None:
        return tuple(_row(d) for d in now), None
    if was == now:
        return None, None
    over = tuple((d.person, d.kind, d.ref) for d in was if d not in now)
    return tuple(_row(d) for d in now if d not in was), over


def _row(duty: Owed) -> Duty:
    return Duty(**{name: getattr(duty, name) for name in Duty.__slots__})
