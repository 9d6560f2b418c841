"""One file a figure: `measure(site, rounds)` gives its lines."""

from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import cast

from benchmarks.measure import Figure, Rounds
from benchmarks.site import Site

Measure = Callable[[Site, Rounds], Awaitable[Sequence[Figure]]]

FIGURES = {
    "approval-alone": "approval_alone",
    "approval-throughput": "approval_throughput",
    "against-updates": "against_updates",
    "guarding": "guarding",
    "cpu": "cpu_by_approval",
    "following": "following",
    "settling": "settling",
    "appending": "appending",
    "warm-state": "warm_state",
    "time-travel": "time_travel",
    "folding": "folding",
    "deciding": "deciding",
    "history": "history",
    "memory": "memory_use",
    "sealing": "sealing",
    "verifying": "verifying",
    "exporting": "exporting",
}
"""Name → module. Loaded when measured: what one of them is compared with, the others need not have."""


def measure_of(name: str) -> Measure:
    """How the figure of this name is measured."""
    return cast(Measure, import_module(f"benchmarks.figures.{FIGURES[name]}").measure)
