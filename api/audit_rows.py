"""Events, refusals and looks as the audit view shows them to one reader: a page of a window at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from activities.archived import StreamArchived
from activities.folding import PREFIX
from activities.indexing import acting, outside
from activities.ports import Recorded, RefusalLine
from activities.searchwords import words_of
from api.happenings import Eyes
from api.opening import opened
from api.parts import Parts
from api.plain import moment, plain
from api.showing import state
from domain.decider import COMMANDS
from domain.permissions import START
from domain.project.aggregate import Project
from domain.sight import Visibility
from projections.project import one
from store.auditing import Reading, Readings, WantedReadings
from store.searching import Events, Found, Refusal, Refusals, Wanted, Window, search
from store.sight import NO_PROJECT, Scope, Unseen

Item = dict[str, Any]
LEFT_OUT = {"_actions", "version", "changed_at"}
"""What every event changes, or what depends on who looks."""
MOST_FIELDS = 200
NAMING = {"project", "text", "correlation", "command_id", "request", "actor", "on_behalf_of"}
"""Filters that can name something of one project."""


class View(Protocol):
    """One of the lists of the audit view, as one reader sees it."""

    what: str
    number: str
    """The field of an item by which it is numbered."""

    async def head(self) -> int:
        """The first number that does not exist yet."""
        ...

    async def reach(self) -> int | None:
        """Below which number the index finds everything; None where there is no index."""
        ...

    async def page(self, window: Window) -> Found[Item]:
        """Items of the window; perhaps fewer than its limit although there is a rest."""
        ...


class EventView:
    """Events, each with its sentence in both languages, its rule, its chain, and the difference that it made."""

    what = "events"
    number = "position"

    def __init__(
        self, behind: Parts, reader: str, language: str, wanted: Wanted, scope: Scope, *, difference: bool
    ) -> None:
        self._behind = behind
        self._reader = reader
        self._wanted = wanted
        self._difference = difference
        self._eyes = Eyes(behind, reader, language)
        self._both = {name: Eyes(behind, reader, name) for name in ("en", "zh")}
        self._shelf = Events(behind.store.pool, scope)

    async def head(self) -> int:
        """The first position without an event."""
        return (await self._shelf.bounds())[1]

    async def reach(self) -> int | None:
        """Below which position events are indexed."""
        return (await self._shelf.bounds())[0]

    async def page(self, window: Window) -> Found[Item]:
        """Events of the window; what is closed to the reader is found by its outside alone."""
        found = await search(self._shelf, self._wanted, window)
        seen = await self._eyes.see(found.rows)
        both = {name: await eyes.see(found.rows) for name, eyes in self._both.items()}
        items = []
        for place, (fact, item) in enumerate(zip(found.rows, seen, strict=True)):
            if item["sealed"] and not self._found_outside(fact):
                continue
            told = {name: spoken[place]["sentence"] for name, spoken in both.items()}
            items.append({**item, **_chain(fact), "sentences": told, **await self._made(fact)})
        return Found(items, found.rest)

    def _found_outside(self, fact: Recorded) -> bool:
        query = self._wanted.query
        return query is None or query.among(set(words_of(outside(fact.type, acting(fact.metadata)))))

    async def _made(self, fact: Recorded) -> Item:
        if not self._difference:
            return {}
        return {"difference": await difference(self._behind, self._reader, fact)}


def _chain(fact: Recorded) -> Item:
    names = ("command", "command_id", "correlation_id", "causation_id", "request_id")
    return {name: fact.metadata.get(name) for name in names}


async def difference(behind: Parts, reader: str, fact: Recorded) -> list[Item]:
    """The fields of the project that the event changed, as the reader may see them: path, before, after."""
    if not fact.stream.startswith(PREFIX):
        return []
    project_id = fact.stream.removeprefix(PREFIX)
    try:
        revealed = (await behind.step.states.current(project_id)).project.retrospective.revealed
        before = (await behind.past.as_of(project_id, fact.version - 1)).project
        after = (await behind.past.as_of(project_id, fact.version)).project
    except StreamArchived:
        return []

    def shown(project: Project) -> Item:
        # Both as of one instant: what time itself changes is no doing of the event.
        return state(project, reader, fact.recorded_at, revealed=revealed) if project.exists else {}

    pairs = list(changed(shown(before), shown(after)))
    made = [{"path": path, "before": old, "after": new} for path, old, new in pairs[:MOST_FIELDS]]
    return list(await opened(behind, fact.stream, reader, made, "en"))


def changed(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """What differs between two JSON values, by JSON pointer; things in lists are told apart by their ids."""
    if before == after:
        return
    left, right = _fields(before), _fields(after)
    if left is None or right is None:
        yield path, before, after
        return
    for name in dict.fromkeys([*left, *right]):
        if path or name not in LEFT_OUT:
            step = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
            yield from changed(left.get(name), right.get(name), step)


def _fields(value: Any) -> Item | None:
    """An object's fields, or a list's things by id; None for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(one, dict) and "id" in one for one in value):
        return {str(one["id"]): one for one in value}
    return {} if value == [] else None


class RefusalView:
    """Refused commands: who tried what, and which rule said no."""

    what = "refusals"
    number = "id"

    def __init__(self, behind: Parts, reader: str, wanted: Wanted, scope: Scope) -> None:
        self._behind = behind
        self._reader = reader
        self._wanted = wanted
        self._scope = scope
        self._shelf = Refusals(behind.store.pool, scope)

    async def head(self) -> int:
        """The first id without a refusal."""
        return (await self._shelf.bounds())[1]

    async def reach(self) -> int | None:
        """Below which id refusals are indexed."""
        return (await self._shelf.bounds())[0]

    async def page(self, window: Window) -> Found[Item]:
        """Refusals of the window; what is closed to the reader is found by its outside alone."""
        found = await search(self._shelf, self._wanted, window)
        nowhere = await self._nowhere([line for _, line in found.rows])
        items = []
        for refusal in found.rows:
            vain = self._in_vain(refusal, nowhere)
            sealed = vain or await self._sealed(refusal)
            if not sealed or self._found_outside(refusal):
                items.append(_refusal(refusal, sealed=sealed, vain=vain))
        return Found(items, found.rest)

    async def _nowhere(self, lines: Sequence[RefusalLine]) -> set[str]:
        """What was asked of projects that do not exist for the reader: there others alone know what they asked, and of
        which id, whether that is a project's or nothing's.
        """
        streams = {line.stream for line in lines if line.code == NO_PROJECT}
        ids = [stream.removeprefix(PREFIX) for stream in streams]
        seen = await Unseen(self._behind.store.pool).seen(self._scope.keys, ids) if ids else set()
        return {stream for stream in streams if stream.removeprefix(PREFIX) not in seen}

    def _in_vain(self, refusal: Refusal, nowhere: set[str]) -> bool:
        line = refusal[1]
        return line.code == NO_PROJECT and line.stream in nowhere and not self._own(refusal)

    def _own(self, refusal: Refusal) -> bool:
        return bool(self._reader == refusal[1].actor.get("principal"))

    async def _sealed(self, refusal: Refusal) -> bool:
        """Whether it is as closed as if it had succeeded (Z1): to all but whoever tried, until both are in."""
        _, line = refusal
        if self._own(refusal):
            return False
        if line.type == START and line.data.get("visibility", Visibility.OPEN) != Visibility.OPEN:
            # What was to be a project for few eyes was none yet.
            return True
        kind = COMMANDS.get(line.type)
        if kind is None or not kind.blind:
            return False
        try:
            folded = await self._behind.step.states.current(line.stream.removeprefix(PREFIX))
        except StreamArchived:
            return True
        return not folded.project.retrospective.revealed

    def _found_outside(self, refusal: Refusal) -> bool:
        query, line = self._wanted.query, refusal[1]
        texts = [*outside(line.type, line.actor), line.code, line.rule or ""]
        return query is None or query.among(set(words_of(texts)))


def _refusal(refusal: Refusal, *, sealed: bool, vain: bool) -> Item:
    number, line = refusal
    return {
        "id": number,
        "at": moment(line.at),
        "project": None if vain else line.stream.removeprefix(PREFIX),
        "command": line.type,
        "command_id": line.command_id,
        "actor": dict(line.actor),
        "code": line.code,
        "rule": line.rule,
        "detail": None if sealed else line.detail,
        "channel": line.channel,
        "data": None if sealed else line.data,
        "sealed": sealed,
    }


class ReadingView:
    """Looks into the audit view itself."""

    what = "reads"
    number = "id"

    def __init__(self, behind: Parts, reader: str, wanted: WantedReadings, scope: Scope) -> None:
        self._readings = Readings(behind.store.pool)
        self._database = behind.store.pool
        self._reader = reader
        self._scope = scope
        self._wanted = wanted if scope.person is None else replace(wanted, own=reader)

    async def head(self) -> int:
        """The first id that no look has yet."""
        return await self._readings.head()

    async def reach(self) -> int | None:
        """There is no index."""
        return None

    async def page(self, window: Window) -> Found[Item]:
        """Looks of the window."""
        looks: Sequence[Any] = await self._readings.of(self._wanted, replace(window, limit=window.limit + 1))
        items = [await self._shown(look) for look in looks[: window.limit]]
        if len(looks) <= window.limit:
            return Found(items, None)
        number = looks[window.limit].id
        return Found(items, replace(window, high=number + 1) if window.newest else replace(window, low=number))

    async def _shown(self, look: Reading) -> Item:
        """A look of somebody else without what its filter names: that may be of a project which the reader has not."""
        shown: Item = plain(look)
        asked = look.filter
        if look.reader == self._reader or not NAMING & asked.keys():
            return shown
        if await one(self._database, self._scope.keys, asked.get("project", "")) is not None:
            return shown
        return {**shown, "filter": {name: "…" if name in NAMING else value for name, value in asked.items()}}
