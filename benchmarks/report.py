"""The result as a table and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Figure

LATEST = Path(__file__).parent / "results" / "latest.json"


def show(figures: Sequence[Figure], console: Console) -> None:
    """A line a figure."""
    table = Table(title="medians of rounds interleaved in one run")
    table.add_column("figure", max_width=64)
    for column in ("ours", "other", "ratio", "bar"):
        table.add_column(column, justify="right")
    table.add_column("ok?")
    for figure in figures:
        shown = [_amount(figure.ours, figure.unit), _amount(figure.other, figure.unit), _amount(figure.ratio, "×")]
        table.add_row(f"{figure.name}\n[dim]{figure.says}", *shown, _bar(figure), _word(figure.kept))
    console.print(table)


def write(figures: Sequence[Figure], facts: Mapping[str, Any]) -> Path:
    """Everything, the rounds' own values included, in one file that the next run replaces."""
    LATEST.parent.mkdir(exist_ok=True)
    lines = [asdict(figure) | {"kept": figure.kept} for figure in figures]
    LATEST.write_text(json.dumps({**facts, "figures": lines}, indent=2, default=str) + "\n")
    return LATEST


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    number = f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"
    return f"{number} {unit}".strip() if unit != "×" else f"{value:.2f}×"


def _bar(figure: Figure) -> str:
    if figure.bar is None:
        return ""
    return f"{figure.bar}{'×' if figure.ratio is not None else ' ' + figure.unit}"


def _word(kept: bool | None) -> str:
    return {True: "[green]yes", False: "[red]NO", None: ""}[kept]
