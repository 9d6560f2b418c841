"""Canonical bytes: known vectors, the reference writer, and what is refused."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from types import MappingProxyType
from typing import Any
from unicodedata import normalize
from uuid import UUID

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from domain.canonical import DEPTH_BOUND, NotCanonical, canonical, fingerprint, instant, leaf_hash

BOUND = 2**53
EVENT: Mapping[str, Any] = {
    "stream": "project-1",
    "version": 1,
    "event_id": UUID("0190f0a0-0000-7000-8000-000000000001"),
    "type": "RiskRaised",
    "schema_version": 1,
    "recorded_at": datetime(2026, 3, 2, 9, 0, 0, 7, tzinfo=UTC),
    "effective_at": datetime(2026, 3, 2, 17, 0, tzinfo=timezone(timedelta(hours=8))),
    "metadata": {"command_id": "c-1"},
    "data": {"title": "供应商"},
    "prev_hash": bytes(32),
}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")).map(
    lambda text: normalize("NFC", text)
)
KEYS = TEXT.filter(lambda text: all(character <= "\uffff" for character in text))
PROFILE = st.recursive(
    st.none() | st.booleans() | st.integers(1 - BOUND, BOUND - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": [None, True, "x"]}, b'{"a":[null,true,"x"],"b":1}'),
        ({"\u20ac": 1, "\r": 2, "1": 3, "\u00f6": 4, "\uffee": 5}, '{"\\r":2,"1":3,"ö":4,"€":1,"\uffee":5}'.encode()),
        ('\x1f\x08\t\n\f\r"\\/\x7f', b'"\\u001f\\b\\t\\n\\f\\r\\"\\\\/\x7f"'),
        ("😀", '"😀"'.encode()),
        ("\\u0000", b'"\\\\u0000"'),
        ((1, -(BOUND - 1)), b"[1,-9007199254740991]"),
        (MappingProxyType({"a": MappingProxyType({})}), b'{"a":{}}'),
    ],
)
def test_known_vectors(value: Any, written: bytes) -> None:
    assert canonical(value) == written
    assert fingerprint(value) == sha256(written).digest()


@given(PROFILE)
@example({"e": "\u0301", "n": "\n\u0303"})
def test_the_reference_writes_the_same(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.text(st.characters()))
def test_a_string_is_written_exactly_when_the_profile_allows_it(text: str) -> None:
    fits = "\x00" not in text and normalize("NFC", text) == text
    fits = fits and not any("\ud800" <= character <= "\udfff" for character in text)
    try:
        canonical({"key": [text]})
        written = True
    except NotCanonical:
        written = False
    assert written == fits


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        -0.0,
        1e22,
        float("nan"),
        float("inf"),
        BOUND,
        -BOUND,
        2**70,
        "a\x00b",
        "\ud800",
        "\udc00\ud800",
        "e\u0301",
        {"e\u0301": 1},
        {"\x00": 1},
        {"😀": 1},
        {1: 2},
        {None: 2},
        b"bytes",
        {1, 2},
        datetime(2026, 3, 2, tzinfo=UTC),
        UUID(int=1),
        Ellipsis,
    ],
    ids=ascii,
)
def test_refused(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical({"key": value})
    with pytest.raises(NotCanonical):
        canonical([value])


@pytest.mark.parametrize("depth", [DEPTH_BOUND + 1, 10_000])
def test_too_deep(depth: int) -> None:
    with pytest.raises(NotCanonical):
        canonical(nested(depth))


def test_the_deepest_value_is_written() -> None:
    assert canonical(nested(DEPTH_BOUND)) == b"[" * DEPTH_BOUND + b"]" * DEPTH_BOUND


def test_a_value_that_holds_itself_is_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(NotCanonical):
        canonical(ring)


def test_twins_hash_apart() -> None:
    values = ["1", 1, True, None, "", [], {}, [[]], {"a": None}]
    assert len({fingerprint(value) for value in values}) == len(values)


def test_the_leaf_is_the_hash_of_the_whole_envelope() -> None:
    envelope = {
        **EVENT,
        "event_id": "0190f0a0-0000-7000-8000-000000000001",
        "recorded_at": "2026-03-02T09:00:00.000007Z",
        "effective_at": "2026-03-02T09:00:00.000000Z",
        "prev_hash": "00" * 32,
    }
    assert leaf_hash(**EVENT) == sha256(b"\x00" + rfc8785.dumps(envelope)).digest()


@pytest.mark.parametrize(
    "changed",
    [
        {"stream": "project-2"},
        {"version": 2},
        {"event_id": UUID(int=2)},
        {"type": "RiskClosed"},
        {"schema_version": 2},
        {"recorded_at": datetime(2026, 3, 2, 9, 0, 0, 8, tzinfo=UTC)},
        {"effective_at": datetime(2026, 3, 2, 9, 0, 1, tzinfo=UTC)},
        {"metadata": {"command_id": "c-2"}},
        {"data": {"title": "供应"}},
        {"prev_hash": b"\x01" * 32},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_every_field_is_attested(changed: dict[str, Any]) -> None:
    assert leaf_hash(**{**EVENT, **changed}) != leaf_hash(**EVENT)


@pytest.mark.parametrize(
    "changed",
    [
        {"prev_hash": b"short"},
        {"stream": "e\u0301"},
        {"type": "\ud800"},
        {"version": BOUND},
        {"data": {"amount": 1.5}},
        {"metadata": {"note": "\x00"}},
        {"recorded_at": datetime(2026, 3, 2)},  # noqa: DTZ001
        {"effective_at": datetime.max.replace(tzinfo=UTC)},
        {"effective_at": datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_an_envelope_outside_of_the_profile_has_no_leaf(changed: dict[str, Any]) -> None:
    with pytest.raises(NotCanonical):
        leaf_hash(**{**EVENT, **changed})


def test_an_instant_has_six_digits() -> None:
    assert instant(datetime(2026, 3, 2, 9, tzinfo=UTC)) == "2026-03-02T09:00:00.000000Z"
    assert instant(datetime(2, 1, 1, tzinfo=UTC)) == "0002-01-01T00:00:00.000000Z"
