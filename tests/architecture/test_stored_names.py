"""Names that were stored are promises: to databases, to running workflows, to other people's programs."""

import json

import domain.project.catalog  # noqa: F401  fills the registries
from dev.promises import merged, stored_names
from tests.architecture.source import ROOT

KEPT = json.loads((ROOT / "tests" / "architecture" / "stored_names.json").read_text(encoding="utf-8"))


def gone(kept: dict[str, list[str]], today: dict[str, list[str]]) -> list[str]:
    return [f"{kind}: {name}" for kind, names in kept.items() for name in names if name not in today.get(kind, ())]


def test_no_stored_name_is_gone() -> None:
    missing = gone(KEPT, stored_names())
    assert not missing, f"this name is stored and may be neither removed nor renamed: {missing}"


def test_every_new_name_is_on_the_list() -> None:
    new = gone(stored_names(), KEPT)
    assert not new, f"run `python -m dev.reference` to promise {new}"


def test_a_removed_event_is_noticed() -> None:
    before, today = stored_names(), stored_names()
    today["events"].remove("VoteCast.v1")
    assert gone(before, today) == ["events: VoteCast.v1"]


def test_writing_the_list_again_never_takes_a_name_away() -> None:
    assert merged({"events": ["Old.v1"]}, {"events": ["New.v1"]}) == {"events": ["New.v1", "Old.v1"]}


def test_the_list_has_every_kind() -> None:
    empty = [kind for kind, names in stored_names().items() if not names]
    assert not empty, f"nothing was found for {empty}: the collector no longer understands the source"
