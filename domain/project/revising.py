"""What is being signed gets edited: what differs, whether the signatures stand.

Source: docs/governance.md, DR8, DR9.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from domain.canonical import fingerprint
from domain.messages import to_data
from domain.project.decision_events import SubjectAnnotated
from domain.project.resolution import make_room, open_about, supersede
from domain.template import Kind
from domain.values import Value

if TYPE_CHECKING:
    from domain.story import Story

MOST_DIFFERENCES = 20


def signed_hash(content: Value, unsigned: Iterable[str]) -> str:
    """SHA-256 of the fields that are signed: what a vote is bound to (DR8)."""
    kept = {name: value for name, value in to_data(content).items() if name not in set(unsigned)}
    return fingerprint(kept).hex()


def differing(before: Value, after: Value) -> tuple[str, ...]:
    """What differs, as people read it: `kpis.on-time.weight_bp: 2500 → 3000`. The first ones, and how many more."""
    found = list(_differences("", to_data(before), to_data(after)))
    more = len(found) - MOST_DIFFERENCES
    return (*found[:MOST_DIFFERENCES], *([f"{more} more"] if more > 0 else []))


def _differences(place: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    before, after = _named(old), _named(new)
    if before is None or after is None:
        yield f"{place}: {_short(old)} → {_short(new)}"
        return
    for name in dict.fromkeys([*before, *after]):
        yield from _differences(f"{place}.{name}".lstrip("."), before.get(name), after.get(name))


def _named(value: Any) -> Mapping[str, Any] | None:
    """The parts of a value by name: fields, or list entries by their own id, activity or place."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list) and all(isinstance(entry, Mapping) and "id" in entry for entry in value):
        return {str(entry["id"]): entry for entry in value}
    return None


def _short(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        value = list(value.values())
    text = ", ".join(map(_short, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def revise(story: Story, kind: Kind, subject_id: str, changed: tuple[str, ...], *, same: bool) -> None:
    """DR9: what is being signed was edited. Signed fields: votes are void; others: noted, votes stand."""
    make_room(story, kind, subject_id)
    decision = open_about(story.project, kind, subject_id)
    if decision is None:
        return
    if same:
        story.record(SubjectAnnotated(decision=decision.id, changed=changed))
    else:
        supersede(story, decision, f"the {subject_id} was edited: {'; '.join(changed)}", changed)
