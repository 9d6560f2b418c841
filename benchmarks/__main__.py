"""`python -m benchmarks`: measure, show, write down; exit code 1 where a bar is missed."""

import argparse
import asyncio
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from benchmarks.figures import FIGURES, measure_of
from benchmarks.measure import Figure, Rounds, machine
from benchmarks.report import show, write
from benchmarks.site import Site, started_at

MOST_SECONDS = 900
"""Of the whole run; what is not measured by then counts as failed."""


def main() -> int:
    """Measure what was asked for; the exit code."""
    asked = _asked()
    console = Console()
    rounds = Rounds(asked.rounds or (2 if asked.quick else 5), asked.quick)
    facts: dict[str, Any] = {"at": started_at(), "rounds": rounds.count, "quick": rounds.quick, **machine()}
    folder = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
    try:
        figures, failed = uvloop.run(_measure(folder, asked.only or list(FIGURES), rounds, console))
    except asyncio.CancelledError:
        console.print("Stopped; nothing is written.", style="red")
        return 128 + signal.SIGTERM
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(figures, console)
    facts["load_after"] = [round(load, 2) for load in os.getloadavg()]
    console.print(f"{facts['cores']} cores, fdatasync {facts['fdatasync_ms']} ms, load before {facts['load'][0]}")
    if facts["load"][0] > facts["cores"] / 4:
        console.print(
            "The machine was busy: figures over HTTP lean against us, see benchmarks/README.md", style="yellow"
        )
    console.print(
        f"Written to {write(figures, facts | {'failed': failed}).name}; what each figure means: benchmarks/README.md"
    )
    return 1 if failed or any(figure.kept is False for figure in figures) else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(FIGURES), metavar="NAME", help=", ".join(FIGURES))
    parser.add_argument("--rounds", type=int, help="rounds of each comparison (5; 2 in a quick run)")
    parser.add_argument("--quick", action="store_true", help="a quarter of everything: whether it runs, not how fast")
    return parser.parse_args()


async def _measure(
    folder: Path, names: list[str], rounds: Rounds, console: Console
) -> tuple[list[Figure], dict[str, str]]:
    """The figures, and by name what kept the others from being measured."""
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    if task := asyncio.current_task():
        # Told to stop from outside, we stop our servers first.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with Site(folder) as site:
        end = time.monotonic() + MOST_SECONDS
        for name in names:
            began = time.monotonic()
            try:
                with console.status(name):
                    async with asyncio.timeout(max(0.0, end - began)):
                        figures.extend(await measure_of(name)(site, rounds))
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {error}"
                console.print(f"{name} could not be measured", style="red")
                console.print_exception()
            console.print(f"{name}: {time.monotonic() - began:.0f} s", style="dim")
    return figures, failed


if __name__ == "__main__":
    raise SystemExit(main())
