"""From appends to the arrays of one call, and back to verdicts. What could abort a batch is refused here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import orjson

from activities.hashed import Written, hashed, written
from activities.ports import GENESIS, Append, Fact, Page, Verdict, VerdictKind
from domain.canonical import NotCanonical, canonical, check_text, instant

ENTRY_BOUND = 65_535
"""Bytes of one canonical envelope: what an entry of a published log bundle can hold."""
NAME_BOUND = 200
"""Characters of a stream, type or command id."""
VERSION_BOUND = 2**53
_KINDS = {kind.value: kind for kind in VerdictKind}
_ATTESTED = [field.name for field in fields(Fact) if field.name != "leaf_hash"]

SQL = """
    SELECT verdict, head, last_position, first_answer
    FROM tandem.append_together(
      $1, $2::text::bigint[], $3::text::int[], $4::text::int[], $5, $6, $7, $8, $9, $10, $11::text::timestamptz[],
      $12::text::int[], $13::text::bigint[], $14::text::uuid[], $15, $16::text::int[], $17::text::timestamptz[],
      $18::text::timestamptz[], $19, $20, $21, $22, $23)
"""
"""Arrays of what is neither text nor JSON are sent as text, hashes as one: the driver looks at each value twice."""


class UnfitAppend(ValueError):
    """The append can never be stored as it is; nothing was sent to the database."""


class ChainBroken(Exception):
    """The first fact does not name the hash of the stored event before it: one of the two was altered."""


class Shown(NamedTuple):
    """What there is to write of a page: all of it, or what is not as it was."""

    whole: bytes | None = None
    project: str | None = None
    """Whose page only has another version, and what follows."""
    due: datetime | None = None
    duties: bytes = b""
    """To write: JSON objects with commas between them."""
    over: bytes = b""
    """To remove: JSON arrays with commas between them."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An append checked and encoded, JSON as bytes."""

    append: Append
    answer: bytes
    shown: Shown
    contents: list[Written]
    """Of each fact."""
    size: int
    """Bytes of JSON, for the bound of a batch."""


def ready(append: Append) -> Ready:
    """Check everything that the database would refuse, and that hashes and versions chain.

    Raises UnfitAppend, and NotCanonical where a value has no canonical bytes.
    """
    _check_names(append)
    _check_chain(append)
    contents = [_written(fact) for fact in append.facts]
    answer = canonical(append.answer)
    shown = _shown(append.page)
    size = len(answer) + len(shown.whole or b"") + len(shown.duties) + sum(one.size for one in contents)
    return Ready(append, answer, shown, contents, size)


def page_document(page: Page) -> bytes:
    """The whole page as JSON, its fields by name, instants in RFC 3339. Raises UnfitAppend."""
    return _document(page)


def _shown(page: Page | None) -> Shown:
    if page is None:
        return Shown()
    if not page.brief:
        return Shown(whole=page_document(page))
    return Shown(None, page.project_id, page.next_due, *_changed(page))


def _changed(page: Page) -> tuple[bytes, bytes]:
    """The duties to write and those to remove; one that is written again need not be removed."""
    if page.duties is None:
        return b"", b""
    owner, written = orjson.dumps(page.project_id), {(duty.person, duty.kind, duty.ref) for duty in page.duties}
    duties = [b'{"project_id":%b,%b' % (owner, _document(duty)[1:]) for duty in page.duties]
    over = [_document((page.project_id, *key)) for key in page.over or () if key not in written]
    return b",".join(duties), b",".join(over)


def _document(value: object) -> bytes:
    try:
        document = orjson.dumps(value, default=_plain)
    except TypeError as error:
        raise UnfitAppend(f"the page cannot be written down: {error}") from error
    if b"\\u0000" in document:
        raise UnfitAppend("the page has U+0000 in a string")
    return document


def arguments(batch: Sequence[Ready]) -> tuple[str | bytes | list[Any], ...]:
    """The arrays for SQL: eleven by append, ten by event; and duties."""
    appends, shown = [item.append for item in batch], [item.shown for item in batch]
    facts = [(no, fact) for no, append in enumerate(appends, 1) for fact in append.facts]
    contents = [one for item in batch for one in item.contents]
    return (
        [append.stream for append in appends],
        _array(append.expected_version for append in appends),
        _array(len(append.facts) for append in appends),
        _array(accumulate(len(append.facts) for append in appends)),
        [append.command_id for append in appends],
        b"".join([append.fingerprint for append in appends]),
        b"".join([append.facts[0].prev_hash for append in appends]),
        [item.answer for item in batch],
        [one.whole for one in shown] if any(one.whole for one in shown) else [],
        [one.project for one in shown],
        _array("NULL" if one.due is None else instant(one.due) for one in shown),
        _array(no for no, _ in facts),
        _array(fact.version for _, fact in facts),
        _array(fact.event_id.hex for _, fact in facts),
        [fact.type for _, fact in facts],
        _array(fact.schema_version for _, fact in facts),
        _array(instant(fact.recorded_at) for _, fact in facts),
        _array(instant(fact.effective_at) for _, fact in facts),
        b"".join([fact.leaf_hash for _, fact in facts]),
        [one.metadata for one in contents],
        [one.data for one in contents],
        _joined(one.duties for one in shown),
        _joined(one.over for one in shown),
    )


def _joined(parts: Iterable[bytes]) -> bytes:
    """One JSON array of all of them."""
    return b"[" + b",".join(filter(None, parts)) + b"]"


def _array(values: Iterable[object]) -> str:
    """PostgreSQL's text of an array, of values that need no quotes."""
    return "{" + ",".join(map(str, values)) + "}"


def verdicts(rows: Iterable[Sequence[Any]]) -> list[Verdict | ChainBroken]:
    """One per append, in order."""
    return [
        ChainBroken("the stored stream does not end with the hash that the new facts continue")
        if kind == "broken"
        else Verdict(_KINDS[kind], head, position, answer)
        for kind, head, position, answer in rows
    ]


def _check_names(append: Append) -> None:
    for what, name in (("stream", append.stream), ("command_id", append.command_id)):
        _check_name(what, name)
        check_text(name)
    if len(append.fingerprint) != 32:
        raise UnfitAppend("fingerprint must have 32 bytes")
    if not append.facts:
        raise UnfitAppend("an append needs a fact")
    if not 0 <= append.expected_version < VERSION_BOUND - len(append.facts):
        raise UnfitAppend("expected_version must lie between 0 and 2^53")


def _check_name(what: str, text: str) -> None:
    if not 0 < len(text) <= NAME_BOUND:
        raise UnfitAppend(f"{what} must have 1 to {NAME_BOUND} characters")


def _check_chain(append: Append) -> None:
    facts, version = append.facts, append.expected_version
    if version == 0 and facts[0].prev_hash != GENESIS:
        raise UnfitAppend("the first fact of a stream must continue 32 zero bytes")
    for fact in facts:
        version += 1
        if fact.version != version or fact.stream != append.stream:
            raise UnfitAppend("facts must be of the append's stream, their versions dense after the expected one")
    if len(facts) > 1:
        _check_several(facts)


def _check_several(facts: Sequence[Fact]) -> None:
    if any(later.prev_hash != earlier.leaf_hash for earlier, later in pairwise(facts)):
        raise UnfitAppend("each fact must name the hash of the one before it")
    if len({fact.event_id for fact in facts}) != len(facts):
        raise UnfitAppend("an event id occurs twice")


def _written(fact: Fact) -> Written:
    _check_name("type", fact.type)
    if not 0 < fact.schema_version < 2**31:
        raise UnfitAppend("schema_version must lie between 1 and 2^31")
    found = written(fact) or _hashed_again(fact)
    if found.size > ENTRY_BOUND:
        raise UnfitAppend(f"an event takes {found.size} bytes, more than {ENTRY_BOUND}")
    return found


def _hashed_again(fact: Fact) -> Written:
    """For facts that were not made by `hashed`, or were changed afterwards."""
    for content in (fact.metadata, fact.data):
        if not isinstance(content, Mapping):
            raise NotCanonical("metadata and data must be objects")
    again = hashed(**{name: getattr(fact, name) for name in _ATTESTED})
    if again.leaf_hash != fact.leaf_hash:
        raise UnfitAppend("leaf_hash is not the hash of the fact")
    return again.written


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | frozenset | set):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
