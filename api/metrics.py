"""Counters in Prometheus' text format. In memory, per process, no labels that clients can invent."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds: upper bounds of the histogram of answers."""


class Metrics:
    """What this process has answered."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.commands: Counter[tuple[str, str]] = Counter()
        self.refusals: Counter[tuple[str]] = Counter()
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request, by its route's template."""
        self.requests[method, route, str(status)] += 1
        self._seconds += seconds
        place = next((i for i, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))
        self._buckets[place] += 1

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """The whole exposition; `gauges` maps a name to its help and value."""
        lines: list[str] = []
        lines += _counter(
            "tandem_http_requests_total", "Requests answered.", ("method", "route", "status"), self.requests
        )
        lines += _counter(
            "tandem_commands_total", "Commands by what became of them.", ("command", "outcome"), self.commands
        )
        lines += _counter("tandem_refusals_total", "Refusals by code.", ("code",), self.refusals)
        lines += self._histogram()
        for name, (about, value) in gauges.items():
            lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge", f"{name} {value:.12g}"]
        return "\n".join(lines) + "\n"

    def _histogram(self) -> Iterable[str]:
        name, total = "tandem_http_request_seconds", 0
        yield f"# HELP {name} Time to answer, until the last byte."
        yield f"# TYPE {name} histogram"
        for bound, count in zip((*BOUNDS, "+Inf"), self._buckets, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._seconds:.6f}"
        yield f"{name}_count {total}"


def _counter(name: str, about: str, labels: tuple[str, ...], counts: Mapping[Any, int]) -> Iterable[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} counter"
    for values, count in sorted(counts.items()):
        shown = ",".join(f'{label}="{value}"' for label, value in zip(labels, values, strict=True))
        yield f"{name}{{{shown}}} {count}"
