"""Every shape of an event that was ever stored is still read, and says what it said."""

import json
from typing import Any

import pytest

from dev import golden
from domain.decider import event_from
from domain.messages import EVENTS, to_data
from tests.architecture.source import ROOT

FILES = sorted(golden.FOLDER.glob("*.json"))
PROMISED = json.loads((ROOT / "tests" / "architecture" / "stored_names.json").read_text(encoding="utf-8"))["events"]


def test_every_promised_shape_has_a_golden_file() -> None:
    assert [path.stem for path in FILES] == sorted(PROMISED), "run: python -m dev.reference"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_still_read(path: Any) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    read = event_from(stored["type"], stored["schema_version"], stored["data"])
    assert type(read) is EVENTS[stored["type"]]
    if stored["schema_version"] == read.schema_version:
        assert holds(to_data(read), stored["data"]), "the shape of a stored event has changed: make it a new version"


def holds(now: Any, then: Any) -> bool:
    """Whether everything that was said then is said now; new fields may have come."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(name in now and holds(now[name], value) for name, value in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(map(holds, now, then))
    return bool(now == then)


def test_a_changed_shape_is_noticed() -> None:
    assert holds({"a": 1, "b": [{"c": "x", "new": None}]}, {"a": 1, "b": [{"c": "x"}]})
    assert not holds({"a": 1}, {"a": 1, "b": 2})
    assert not holds({"a": "1"}, {"a": 1})
