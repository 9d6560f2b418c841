"""Appends that fit, for tests: hashes chained, ids as in production."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from activities.ports import GENESIS, Append, Duty, Fact, Page
from domain.canonical import fingerprint, leaf_hash

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def fact(stream: str, version: int, command_id: str, prev_hash: bytes = GENESIS, **changed: Any) -> Fact:
    """A sealed fact; `changed` replaces any field before sealing."""
    fields: dict[str, Any] = {
        "stream": stream,
        "version": version,
        "event_id": uuid5(NAMESPACE_URL, f"{stream}/{command_id}/{version}"),
        "type": "RiskRaised",
        "schema_version": 1,
        "recorded_at": START + timedelta(seconds=version, microseconds=7),
        "effective_at": START,
        "metadata": {"actor": {"principal": "li.wei"}, "command_id": command_id},
        "data": {"title": "供应商延期", "no": version},
        "prev_hash": prev_hash,
    } | changed
    return Fact(**fields, leaf_hash=leaf_hash(**fields))


def append(
    stream: str,
    expected: int = 0,
    command_id: str = "c-1",
    prev_hash: bytes = GENESIS,
    facts: int = 1,
    page: Page | None = None,
    asked: Any = None,
    **changed: Any,
) -> Append:
    """An append of `facts` facts; `asked` is what the command's fingerprint is of (default: its id)."""
    made: list[Fact] = []
    for version in range(expected + 1, expected + facts + 1):
        made.append(fact(stream, version, command_id, made[-1].leaf_hash if made else prev_hash, **changed))
    answer = {"version": expected + facts, "command": command_id}
    asked_for = fingerprint(command_id if asked is None else asked)
    return Append(stream, expected, command_id, asked_for, made, answer, page)


def after(earlier: Append, command_id: str, facts: int = 1, page: Page | None = None, **changed: Any) -> Append:
    """The append that continues another one."""
    last = earlier.facts[-1]
    return append(earlier.stream, last.version, command_id, last.leaf_hash, facts, page, **changed)


def page(stream: str, **changed: Any) -> Page:
    """What pages show of a project of one sponsor."""
    fields: dict[str, Any] = {
        "project_id": stream,
        "code": f"P-{stream}",
        "title": "示例 sample",
        "stage": "KICKOFF",
        "held": False,
        "ended": False,
        "next_due": None,
        "people": {"SPONSOR": ["li.wei"]},
        "duties": None,
    } | changed
    return Page(**fields)


def duty(person: str = "li.wei", ref: str = "charter", due_at: datetime | None = None) -> Duty:
    """A signature that somebody waits for."""
    return Duty(person, "sign", ref, f"Sign {ref}", START, due_at)


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping as a dict, to compare."""
    return dict(value)
