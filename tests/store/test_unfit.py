"""Appends that can never be stored are refused before anything is sent, and harm nobody else."""

import asyncio
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.hashed import hashed, written
from activities.ports import Append, Fact, VerdictKind
from domain.canonical import NotCanonical
from store.batch import UnfitAppend, ready
from store.postgres import PostgresStore
from tests.store.building import append, page

GOOD = append("p1", facts=2)


def with_fact(**changed: Any) -> Append:
    """The good append with its last fact changed after it was sealed."""
    return replace(GOOD, facts=[GOOD.facts[0], replace(GOOD.facts[1], **changed)])


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"in": value}
    return value


UNFIT = {
    "no facts": replace(GOOD, facts=[]),
    "no stream": replace(GOOD, stream=""),
    "long stream": append("p" * 201),
    "NUL in stream": replace(GOOD, stream="p\x00"),
    "no command id": replace(GOOD, command_id=""),
    "long command id": replace(GOOD, command_id="c" * 201),
    "surrogate in command id": replace(GOOD, command_id="\ud800"),
    "short fingerprint": replace(GOOD, fingerprint=b"short"),
    "expects any version": replace(GOOD, expected_version=-1),
    "expects minus two": replace(GOOD, expected_version=-2),
    "expects the last bigint": replace(GOOD, expected_version=2**63 - 1),
    "fact of another stream": with_fact(stream="p2"),
    "version with a hole": with_fact(version=3),
    "version twice": with_fact(version=1),
    "event id twice": with_fact(event_id=GOOD.facts[0].event_id),
    "torn chain": with_fact(prev_hash=b"\x01" * 32),
    "short prev_hash": replace(GOOD, facts=[replace(GOOD.facts[0], prev_hash=b"")]),
    "another leaf": with_fact(leaf_hash=b"\x01" * 32),
    "edited after sealing": with_fact(data={"title": "edited"}),
    "no type": with_fact(type=""),
    "long type": with_fact(type="T" * 201),
    "schema version 0": with_fact(schema_version=0),
    "schema version too big": with_fact(schema_version=2**31),
    "naive instant": with_fact(recorded_at=datetime(2026, 3, 2)),  # noqa: DTZ001
    "last instant": with_fact(effective_at=datetime.max.replace(tzinfo=UTC)),
    "data that is no object": with_fact(data=[]),
    "NUL": with_fact(data={"a": "\x00"}),
    "NUL in key": with_fact(data={"\x00": 1}),
    "lone surrogate": with_fact(data={"a": "\udc00"}),
    "NFD": with_fact(data={"a": "e\u0301"}),
    "astral key": with_fact(metadata={"😀": 1}),
    "NaN": with_fact(data={"a": float("nan")}),
    "infinity": with_fact(data={"a": float("inf")}),
    "minus zero": with_fact(data={"a": -0.0}),
    "float of 2^53": with_fact(data={"a": 2.0**53}),
    "integer of 2^53": with_fact(data={"a": 2**53}),
    "integer of 2^70": with_fact(data={"a": 2**70}),
    "bytes": with_fact(data={"a": b""}),
    "900 deep": with_fact(data=deep(900)),
    "65,536 bytes": with_fact(data={"a": "x" * 65_536}),
    "float in answer": replace(GOOD, answer={"a": 0.5}),
    "NUL in page": replace(GOOD, page=page("p1", title="\x00")),
    "surrogate in page": replace(GOOD, page=page("p1", title="\ud800")),
    "object in page": replace(GOOD, page=page("p1", people={"PMO": object()})),
}


@pytest.mark.parametrize("name", UNFIT)
def test_unfit(name: str) -> None:
    with pytest.raises((UnfitAppend, NotCanonical)):
        ready(UNFIT[name])


def test_what_was_changed_after_hashing_is_hashed_again() -> None:
    made = {field.name: getattr(GOOD.facts[0], field.name) for field in fields(Fact) if field.name != "leaf_hash"}
    known = hashed(**made)
    assert written(known) == ready(replace(GOOD, facts=[known])).contents[0]
    assert ready(replace(GOOD, facts=[known])).contents == ready(replace(GOOD, facts=[GOOD.facts[0]])).contents
    with pytest.raises(UnfitAppend, match="leaf_hash"):
        ready(replace(GOOD, facts=[replace(known, data={"title": "edited"})]))
    with pytest.raises(UnfitAppend, match="bytes"):
        ready(replace(GOOD, facts=[hashed(**made | {"data": {"a": "x" * 65_536}})]))


async def test_nothing_unfit_is_sent(store: PostgresStore) -> None:
    good = [store.append(append(f"g{no}")) for no in range(len(UNFIT))]
    bad = [store.append(unfit) for unfit in UNFIT.values()]
    outcomes = await asyncio.gather(
        *(call for pair in zip(good, bad, strict=True) for call in pair), return_exceptions=True
    )
    assert all(isinstance(outcome, UnfitAppend | NotCanonical) for outcome in outcomes[1::2])
    assert await store.head() == len(good)
    assert (await store.append(GOOD)).kind is VerdictKind.OK
