"""Finding events and refusals: in their indexes, and in what these do not reach yet. Writing the indexes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from activities.indexing import Entry, entries_of, refused_entry
from activities.ports import Recorded, RefusalLine
from activities.searchwords import WORDING, Query
from store.connect import Pool
from store.rows import COLUMNS, recorded
from store.sight import Scope

Row = TypeVar("Row")
Refusal = tuple[int, RefusalLine]
MOST_SCANNED = 5_000
"""So many rows that no index reaches are looked through for one page; the next page goes on from there."""
CHUNK = 500
# Only constants are put into SQL (S608 is excused for that); whatever a caller gives is a parameter.
RANGE = f"SELECT {COLUMNS} FROM tandem.event WHERE position >= $1 AND position < $2 ORDER BY position"  # noqa: S608
PICKED = f"SELECT {COLUMNS} FROM tandem.event WHERE position = ANY ($1)"  # noqa: S608
LINE = "id, at, stream, command_id, type, actor, data, code, rule, detail, channel"
REFUSAL_RANGE = f"SELECT {LINE} FROM tandem.refusal WHERE id >= $1 AND id < $2 ORDER BY id"  # noqa: S608
REFUSALS_PICKED = f"SELECT {LINE} FROM tandem.refusal WHERE id = ANY ($1)"  # noqa: S608
STAGES = """
    SELECT s.stream, coalesce(
      (SELECT i.stage FROM (SELECT i.stage, i.version FROM tandem.event_index i
                            WHERE i.stream = s.stream AND i.position < s.position
                            ORDER BY i.position DESC LIMIT 1) i
       WHERE i.version = s.version - 1),
      (SELECT CASE e.type WHEN 'StageEntered' THEN e.data ->> 'stage' ELSE 'CLOSED' END
       FROM tandem.event e
       WHERE e.stream = s.stream AND e.version < s.version AND e.type IN ('StageEntered', 'ProjectClosed')
       ORDER BY e.version DESC LIMIT 1))
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS s (stream, version, position)
"""
"""Each stream's stage before one of its events: as indexed with the event before, else by looking back."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for; None is no condition."""

    stream: str | None = None
    actor: str | None = None
    on_behalf_of: str | None = None
    types: Sequence[str] | None = None
    stage: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""
    correlation: str | None = None
    command: str | None = None
    request: str | None = None
    code: str | None = None
    rule: str | None = None
    query: Query | None = None

    def lets(self, entry: Entry) -> bool:
        """Whether the entry answers every condition: the same as `where`, for what is in no index yet."""
        return all(
            test(entry, value) for name, (_, test) in TESTS.items() if (value := getattr(self, name)) is not None
        )

    def where(self, arguments: list[Any]) -> str:
        """The conditions in SQL; their values are put behind `arguments`."""
        clauses = []
        for name, (sql, _) in TESTS.items():
            if (value := getattr(self, name)) is not None:
                arguments.append(value.tsquery() if isinstance(value, Query) else value)
                clauses.append(f" AND {sql.format(f'${len(arguments)}')}")
        return "".join(clauses)


Test = Callable[[Entry, Any], bool]


def _same(name: str) -> tuple[str, Test]:
    return f"{name} = {{}}", lambda entry, value: getattr(entry, name) == value


TESTS: Mapping[str, tuple[str, Test]] = {
    "types": ("type = ANY ({})", lambda entry, types: entry.type in types),
    "since": ("recorded_at >= {}", lambda entry, since: entry.recorded_at >= since),
    "until": ("recorded_at < {}", lambda entry, until: entry.recorded_at < until),
    "query": ("words @@ {}::text::tsquery", lambda entry, query: query.among(set(entry.words))),
} | {
    name: _same(name)
    for name in ("stream", "actor", "on_behalf_of", "stage", "correlation", "command", "request", "code", "rule")
}
"""Each condition in SQL over an index, and over an entry."""


@dataclass(frozen=True, slots=True)
class Window:
    """Where to look, low <= number < high, from which end, and how much to bring."""

    low: int
    high: int
    newest: bool
    limit: int


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """Rows in the order asked for, and the window in which the search goes on; None: that was all."""

    rows: list[Row]
    rest: Window | None


class Shelf(Protocol[Row]):
    """Events or refusals, by number."""

    async def bounds(self) -> tuple[int, int]:
        """Below which number they are indexed, and the first number that does not exist."""
        ...

    async def indexed(self, wanted: Wanted, window: Window) -> list[int]:
        """Numbers from the index, in the order of the window."""
        ...

    async def picked(self, numbers: Sequence[int]) -> list[Row]:
        """The rows of these numbers, in their order."""
        ...

    async def between(self, low: int, high: int) -> list[tuple[Entry, Row]]:
        """The rows of a range, oldest first, worked out as an index would have them."""
        ...


async def search(shelf: Shelf[Row], wanted: Wanted, window: Window) -> Found[Row]:
    """Up to `limit` rows of the window; fewer, with a rest, where much lies beyond what is indexed."""
    if wanted.query is not None and not wanted.query.terms:
        return Found([], None)
    while True:
        reach, head = await shelf.bounds()
        found = await _search(shelf, wanted, replace(window, high=min(window.high, head)), reach)
        if (await shelf.bounds())[0] >= reach:
            return found
        # Meanwhile the index was emptied, to be written anew: look again.


async def _search(shelf: Shelf[Row], wanted: Wanted, window: Window, reach: int) -> Found[Row]:
    parts = [_from_index, _from_tail]
    found: list[Row] = []
    for part in reversed(parts) if window.newest else parts:
        more = await part(shelf, wanted, replace(window, limit=window.limit - len(found)), reach)
        found += more.rows
        if more.rest is not None:
            return Found(found, replace(more.rest, limit=window.limit))
    return Found(found, None)


async def _from_index(shelf: Shelf[Row], wanted: Wanted, window: Window, reach: int) -> Found[Row]:
    inside = replace(window, high=min(window.high, reach))
    if inside.low >= inside.high:
        return Found([], None)
    numbers = await shelf.indexed(wanted, replace(inside, limit=inside.limit + 1))
    rows = await shelf.picked(numbers[: inside.limit])
    if len(numbers) <= inside.limit:
        return Found(rows, None)
    return Found(rows, _from(window, numbers[inside.limit]))


async def _from_tail(shelf: Shelf[Row], wanted: Wanted, window: Window, reach: int) -> Found[Row]:
    low, high = max(window.low, reach), window.high
    rows: list[Row] = []
    for _ in range(MOST_SCANNED // CHUNK):
        if low >= high:
            return Found(rows, None)
        start, stop = (max(low, high - CHUNK), high) if window.newest else (low, min(high, low + CHUNK))
        pairs = await shelf.between(start, stop)
        for entry, row in reversed(pairs) if window.newest else pairs:
            if not wanted.lets(entry):
                continue
            if len(rows) == window.limit:
                return Found(rows, _from(window, entry.number))
            rows.append(row)
        low, high = (low, start) if window.newest else (stop, high)
    if low >= high:
        return Found(rows, None)
    return Found(rows, replace(window, high=high) if window.newest else replace(window, low=low))


def _from(window: Window, number: int) -> Window:
    """The window that begins with this number."""
    return replace(window, high=number + 1) if window.newest else replace(window, low=number)


class Events:
    """The shelf of events."""

    def __init__(self, pool: Pool, scope: Scope | None = None) -> None:
        self._pool = pool
        self._scope = scope

    async def bounds(self) -> tuple[int, int]:
        """Below which position they are indexed, and the first position that does not exist."""
        return await _bounds(self._pool, "event", "SELECT next_position FROM tandem.log_head")

    async def indexed(self, wanted: Wanted, window: Window) -> list[int]:
        """Positions from the index, in the order of the window."""
        return await _indexed(self._pool, "event_index", "position", wanted, window, self._scope)

    async def picked(self, numbers: Sequence[int]) -> list[Recorded]:
        """The facts at these positions, in their order."""
        facts = {row["position"]: recorded(row) for row in await self._pool.fetch(PICKED, numbers)}
        return [facts[number] for number in numbers if number in facts]

    async def between(self, low: int, high: int) -> list[tuple[Entry, Recorded]]:
        """The facts of a range, oldest first, each as an index would have it."""
        rows = await self._pool.fetch(*_within(RANGE, self._scope, low, high))
        facts = [recorded(row) for row in rows]
        stages = await self._stages(list({fact.stream: fact for fact in reversed(facts)}.values()))
        return list(zip(entries_of(facts, stages), facts, strict=True))

    async def _stages(self, firsts: Sequence[Recorded]) -> dict[str, str]:
        """The stage of each stream before one of its facts."""
        columns = [[fact.stream for fact in firsts], [f.version for f in firsts], [f.position for f in firsts]]
        found = await self._pool.fetch(STAGES, *columns) if firsts else []
        return {stream: stage for stream, stage in found if stage is not None}


class Refusals:
    """The shelf of refusals."""

    def __init__(self, pool: Pool, scope: Scope | None = None) -> None:
        self._pool = pool
        self._scope = scope

    async def bounds(self) -> tuple[int, int]:
        """Below which id they are indexed, and the first id that does not exist."""
        return await _bounds(self._pool, "refusal", "SELECT coalesce(max(id), 0) + 1 FROM tandem.refusal")

    async def indexed(self, wanted: Wanted, window: Window) -> list[int]:
        """Ids from the index, in the order of the window."""
        return await _indexed(self._pool, "refusal_index", "id", wanted, window, self._scope)

    async def picked(self, numbers: Sequence[int]) -> list[Refusal]:
        """The refusals with these ids, in their order."""
        lines = {row[0]: RefusalLine(*row[1:]) for row in await self._pool.fetch(REFUSALS_PICKED, numbers)}
        return [(number, lines[number]) for number in numbers if number in lines]

    async def between(self, low: int, high: int) -> list[tuple[Entry, Refusal]]:
        """The refusals of a range, oldest first, each as an index would have it."""
        rows = await self._pool.fetch(*_within(REFUSAL_RANGE, self._scope, low, high, refusals=True))
        lines = [(row[0], RefusalLine(*row[1:])) for row in rows]
        return [(refused_entry(number, line), (number, line)) for number, line in lines]


class Indexes:
    """Satisfies `activities.indexing.Indexes`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._events = Events(pool)
        self._refusals = Refusals(pool)

    async def reach(self) -> tuple[int, int, int]:
        """Below which position events, below which id refusals are indexed, and by which wording."""
        rows = await self._pool.fetch("SELECT what, upto, wording FROM tandem.index_reach ORDER BY what")
        (_, events, wording), (_, refusals, _) = rows
        return events, refusals, wording

    async def begin_anew(self, wording: int) -> None:
        """Empty both indexes, unless they are of this wording or a newer one."""
        await self._pool.execute("SELECT tandem.index_anew($1)", wording)

    async def entries(self, low: int, high: int) -> list[tuple[Entry, Recorded]]:
        """The events with low <= position < high, oldest first."""
        return await self._events.between(low, high)

    async def refused(self, low: int, high: int) -> list[tuple[Entry, Refusal]]:
        """The refusals with low <= id < high, oldest first."""
        return await self._refusals.between(low, high)

    async def heads(self) -> tuple[int, int]:
        """The first position without an event, and the first id without a refusal that is there by now."""
        return (await self._events.bounds())[1], (await self._refusals.bounds())[1]

    async def settled(self) -> int:
        """The first id below which no refusal will appear any more."""
        return int(await self._pool.fetchval("SELECT tandem.settled_refusals()")) + 1

    async def index_events(self, start: int, upto: int, entries: Sequence[Entry]) -> bool:
        """Write the entries of [start, upto), all or none; False where the index did not reach to `start`."""
        return await self._write("SELECT tandem.index_events($1, $2, $3, $4)", start, upto, entries)

    async def index_refusals(self, start: int, upto: int, entries: Sequence[Entry]) -> bool:
        """The same for refusals."""
        return await self._write("SELECT tandem.index_refusals($1, $2, $3, $4)", start, upto, entries)

    async def _write(self, sql: str, start: int, upto: int, entries: Sequence[Entry]) -> bool:
        return bool(await self._pool.fetchval(sql, start, upto, WORDING, index_rows(entries)))


def index_rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """As the functions that write the indexes take them."""
    return [asdict(entry) | {"words": _tsvector(entry.words)} for entry in entries]


def _tsvector(words: Sequence[str]) -> str:
    """As PostgreSQL writes it; words are letters and digits, so quotes are enough."""
    return " ".join(f"'{word}'" for word in words)


async def _bounds(pool: Pool, what: str, head: str) -> tuple[int, int]:
    # The reach first: whatever lies below it was in the index when the head was asked for.
    sql = f"SELECT (SELECT upto FROM tandem.index_reach WHERE what = $1 AND wording = $2), ({head})"  # noqa: S608
    row = await pool.fetchrow(sql, what, WORDING)
    assert row is not None
    return row[0] or 0, row[1]


def _within(sql: str, scope: Scope | None, *bounds: int, refusals: bool = False) -> list[Any]:
    """A statement that reads a range, and its arguments: within the scope alone."""
    arguments: list[Any] = [*bounds]
    if scope is None:
        return [sql, *arguments]
    start, order, end = sql.rpartition(" ORDER BY ")
    return [f"{start} AND {scope.condition(arguments, refusals=refusals)}{order}{end}", *arguments]


async def _indexed(
    pool: Pool, table: str, number: str, wanted: Wanted, window: Window, scope: Scope | None
) -> list[int]:
    arguments: list[Any] = [window.low, window.high, window.limit]
    seen = "" if scope is None else f" AND {scope.condition(arguments, refusals=number == 'id')}"
    order = "DESC" if window.newest else "ASC"
    sql = (
        f"SELECT {number} FROM tandem.{table} WHERE {number} >= $1 AND {number} < $2{seen}{wanted.where(arguments)} "  # noqa: S608
        f"ORDER BY {number} {order} LIMIT $3"
    )
    return [row[0] for row in await pool.fetch(sql, *arguments)]
