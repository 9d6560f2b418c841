"""What the receivers saw, against what the facts owe: nothing lost, and nothing twice without a kill in between."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import orjson

Key = tuple[str, str]
"""The id of a message, and where it was sent."""
BEHIND = 5.0
"""Seconds by which the clock of a webhook's round, which is the engine's, may be behind: so long a step waits for a
worker that has much to do. A repeat comes ten seconds after its first at the earliest."""
ON_ITS_WAY = 2.0
"""Seconds for which what a killed worker had sent may still come in."""


@dataclass(frozen=True)
class Try:
    """One time that a message came in. Seconds since 1970; `taken` is None where it was not."""

    arrived: float
    taken: float | None
    manner: str


@dataclass(frozen=True)
class Tally:
    """How one receiver fared."""

    owed: int
    tries: int
    refused: int
    lost: tuple[Key, ...]
    unowed: tuple[Key, ...]
    """Taken, and nobody was owed it."""
    again: tuple[Key, ...]
    """Taken a second time: a worker was killed after the first, and before that was noted."""
    unexcused: tuple[str, ...]
    """Taken a second time for no such reason, and when."""


def read(path: Path) -> dict[Key, list[Try]]:
    """What a book has up to now."""
    tries: dict[Key, list[Try]] = defaultdict(list)
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            told = orjson.loads(line)
            tries[told["message"], told["to"]].append(Try(told["arrived"], told["taken"], told["manner"]))
    return tries


def missing(tries: Mapping[Key, Sequence[Try]], wanted: Iterable[Key]) -> list[Key]:
    """What has not been taken yet."""
    return [key for key in wanted if not any(t.taken for t in tries.get(key, ()))]


def _times(first: Try, second: Try, kills: Sequence[float], noted: float | None) -> str:
    """In seconds from the first arrival, for whoever looks for the cause."""
    last = max((kill for kill in kills if kill <= second.arrived), default=None)
    marks = {"taken": first.taken, "noted": noted, "last kill": last, "came again": second.arrived}
    return ", ".join(f"{what} {at - first.arrived:+.2f}" for what, at in marks.items() if at is not None)


def tallied(
    tries: Mapping[Key, Sequence[Try]], wanted: Sequence[Key], kills: Sequence[float], noted: Mapping[Key, float]
) -> Tally:
    """`kills`: when a worker was killed; `noted`: when our side first knew that it was taken."""
    again: list[Key] = []
    unexcused: list[str] = []
    for key, seen in tries.items():
        taken = sorted((t for t in seen if t.taken), key=lambda t: t.arrived)
        for first, second in pairwise(taken):
            killed = any(first.arrived - ON_ITS_WAY <= kill <= second.arrived for kill in kills)
            excused = killed and noted.get(key, second.arrived) >= second.arrived - BEHIND
            if excused:
                again.append(key)
            else:
                unexcused.append(f"{key}: {_times(first, second, kills, noted.get(key))}")
    known = set(wanted)
    return Tally(
        owed=len(wanted),
        tries=sum(map(len, tries.values())),
        refused=sum(t.taken is None for seen in tries.values() for t in seen),
        lost=tuple(missing(tries, wanted)),
        unowed=tuple(key for key, seen in tries.items() if key not in known and any(t.taken for t in seen)),
        again=tuple(again),
        unexcused=tuple(unexcused),
    )
