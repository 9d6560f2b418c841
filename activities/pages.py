"""The rows that projections keep of a project, computed from its state."""

from dataclasses import replace

from activities.folding import Shown
from activities.ports import Duty, Page
from domain.inbox import duties
from domain.notice import Duty as Owed
from domain.project.aggregate import Project
from domain.project.passing import next_due
from domain.project.visibility import locks_of
from domain.values import Role


def page(before: Project, after: Project) -> Page:
    """The page of `after`; of duties, what differs from those of `before`."""
    return _page(duties(before) if before.exists else None, after, duties(after))


def page_after(was: Shown | None, after: Project) -> tuple[Page, Shown]:
    """The page of `after` and what it shows, given what the version before has shown (None: unknown)."""
    now = duties(after)
    fresh = _page(None if was is None else was.duties, after, now)
    heading = fresh.heading
    if was is not None and was.heading == heading:
        fresh = replace(fresh, brief=True)
    return fresh, Shown(heading, now)


def _page(was: tuple[Owed, ...] | None, after: Project, now: tuple[Owed, ...]) -> Page:
    fresh, over = _changes(was, now)
    return Page(
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
        locks=locks_of(after),
    )


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
