"""The project's own files, as the tests of its architecture read them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("domain", "activities", "workflows", "store", "projections", "notifications", "auth", "api", "web", "dev")
"""The product: what is imported when Tandem runs, and what starts it on one machine."""
ENTRY_POINTS = ("worker.py", "server.py", "cli.py", "config.py")


def modules() -> Iterator[Path]:
    """Every Python file of the product, in order."""
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob("*.py"))
    yield from (ROOT / name for name in ENTRY_POINTS if (ROOT / name).exists())


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), relative(path))


def tracked() -> list[Path]:
    """Every text file that is in the repository or about to be: ignored and binary files are not."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8000]]
