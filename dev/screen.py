"""What the launcher tells the person at the terminal: one line a step, then where to go."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from dev.doctor import Finding, State
from dev.home import Running

_MARKS = {State.OK: "[green]✓[/]", State.NOTE: "[yellow]·[/]", State.WRONG: "[red]✗[/]"}


class Step:
    """One line being worked on; `where` and `remark` are filled in as they become known."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.where = ""
        self.remark = ""


class Screen:
    """Plain lines, so that they read the same in a terminal, a pipe and a log."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Print the step with its duration when it is done; a step that raises is marked as failed."""
        step, start = Step(name), time.monotonic()
        try:
            yield step
        except Exception:
            self._line("[red]✗[/]", step, start)
            raise
        self._line("[green]✓[/]", step, start)

    def say(self, words: str) -> None:
        """One plain line."""
        self.console.print(f"  {escape(words)}", soft_wrap=True, highlight=False)

    def fail(self, words: str) -> None:
        """What went wrong, in words."""
        self.console.print(f"  [red]{escape(words)}[/]", soft_wrap=True, highlight=False)

    def ready(self, running: Running, home: Path) -> None:
        """Where to go, what to try, how to stop."""
        lines = [
            "",
            f"Tandem         {running.url}",
            f"API reference  {running.url}/docs",
            f"Temporal page  {running.temporal_page}",
            f"Logs           {near(home / 'logs')}",
            "",
            "Sign in as anybody, for instance ana:",
            f"  curl -H 'Authorization: Bearer dev:ana' {running.url}/v1/inbox",
            f"Ctrl-C stops everything; data stays in {near(home)}.",
        ]
        for line in lines:
            self.say(line)

    def findings(self, found: Iterable[Finding]) -> None:
        """What the doctor found, each with its next step."""
        for finding in found:
            mark = _MARKS[finding.state]
            line = f"{mark} {finding.name:<18} {escape(finding.words)}"
            self.console.print(line, soft_wrap=True, highlight=False)
            if finding.next_step:
                self.console.print(f"  {'':<18} → {escape(finding.next_step)}", soft_wrap=True, highlight=False)

    def _line(self, mark: str, step: Step, start: float) -> None:
        seconds = f"{time.monotonic() - start:.1f} s"
        text = escape(f"{step.name:<18} {step.where:<38} {seconds:>6}   {step.remark}".rstrip())
        self.console.print(f"  {mark} {text}", soft_wrap=True, highlight=False)


def near(path: Path) -> str:
    """The path as seen from the current folder where it lies below it, else whole."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
