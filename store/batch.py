"""From appends to the arrays of one call, and back to verdicts. What could abort a batch is refused here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

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
    FROM tandem.append($1, $2::text::bigint[], $3::text::int[], $4, $5, $6, $7, $8,
                       $9::text::int[], $10::text::bigint[], $11::text::uuid[], $12, $13::text::int[],
                       $14::text::timestamptz[], $15::text::timestamptz[], $16, $17, $18)
"""
"""Arrays of what is neither text nor bytes are sent as text: the driver looks at each value of the others twice."""


class UnfitAppend(ValueError):
    """The append can never be stored as it is; nothing was sent to the database."""


class ChainBroken(Exception):
    """The first fact does not name the hash of the stored event before it: one of the two was altered."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An append checked and encoded, JSON as bytes."""

    append: Append
    answer: bytes
    page: bytes | None
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
    page = None if append.page is None else page_document(append.page)
    size = len(answer) + len(page or b"") + sum(one.size for one in contents)
    return Ready(append, answer, page, contents, size)


def page_document(page: Page) -> bytes:
    """The page as JSON, its fields by name, instants in RFC 3339. Raises UnfitAppend."""
    try:
        document = orjson.dumps(_brief(page) if page.brief else page, default=_plain)
    except TypeError as error:
        raise UnfitAppend(f"the page cannot be written down: {error}") from error
    if b"\\u0000" in document:
        raise UnfitAppend("the page has U+0000 in a string")
    return document


def _brief(page: Page) -> dict[str, object]:
    """What may differ from the page before; a duty that is written again need not be removed."""
    said: dict[str, object] = {"project_id": page.project_id, "next_due": page.next_due}
    if page.duties is not None:
        written = {(duty.person, duty.kind, duty.ref) for duty in page.duties}
        said |= {"duties": page.duties, "over": [key for key in page.over or () if key not in written]}
    return said


def arguments(batch: Sequence[Ready]) -> tuple[str | list[Any], ...]:
    """The arrays for SQL: eight by append, ten by event."""
    appends = [item.append for item in batch]
    facts = [(no, fact) for no, append in enumerate(appends, 1) for fact in append.facts]
    contents = [one for item in batch for one in item.contents]
    return (
        [append.stream for append in appends],
        _array(append.expected_version for append in appends),
        _array(len(append.facts) for append in appends),
        [append.command_id for append in appends],
        [append.fingerprint for append in appends],
        [append.facts[0].prev_hash for append in appends],
        [item.answer for item in batch],
        [item.page for item in batch],
        _array(no for no, _ in facts),
        _array(fact.version for _, fact in facts),
        _array(fact.event_id.hex for _, fact in facts),
        [fact.type for _, fact in facts],
        _array(fact.schema_version for _, fact in facts),
        _array(instant(fact.recorded_at) for _, fact in facts),
        _array(instant(fact.effective_at) for _, fact in facts),
        [fact.leaf_hash for _, fact in facts],
        [one.metadata for one in contents],
        [one.data for one in contents],
    )


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
