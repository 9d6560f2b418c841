"""Small functions, small files: nobody has to scroll to understand one."""

import ast
from pathlib import Path
from statistics import median, quantiles

import pytest

from tests.architecture.source import FOLDERS, ROOT, modules, relative, tree

MOST_LINES_OF_A_FILE = 400
LONGER = {"verifier/tandem_verify.py": 550}
"""An auditor is handed this one file and reads it alone: it imports nothing of Tandem, and is not cut in two."""
MOST_LINES_OF_A_FUNCTION = 50
Function = ast.FunctionDef | ast.AsyncFunctionDef


def length(function: Function) -> int:
    """Lines from `def` to the end, docstring not counted."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    match function.body[0]:
        case ast.Expr(value=ast.Constant(value=str())) as docstring if len(function.body) > 1:
            return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)
        case _:
            return lines


def functions(paths: list[Path]) -> dict[str, int]:
    """The length of every function, by file and name."""
    return {
        f"{relative(path)}:{node.lineno} {node.name}": length(node)
        for path in paths
        for node in ast.walk(tree(path))
        if isinstance(node, Function)
    }


def test_no_file_is_longer_than_400_lines() -> None:
    paths = [
        *modules(),
        *(path for folder in ("tests", "benchmarks", "verifier") for path in (ROOT / folder).rglob("*.py")),
    ]
    lines = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert {path: n for path, n in lines.items() if n > LONGER.get(path, MOST_LINES_OF_A_FILE)} == {}


def test_no_function_is_longer_than_50_lines() -> None:
    found = functions(list(modules()))
    assert {name: n for name, n in found.items() if n > MOST_LINES_OF_A_FUNCTION} == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_functions_are_short(folder: str) -> None:
    lengths = list(functions(sorted((ROOT / folder).rglob("*.py"))).values())
    if len(lengths) < 10:
        assert max(lengths, default=0) <= MOST_LINES_OF_A_FUNCTION
        return
    assert median(lengths) <= 7
    assert quantiles(lengths, n=10)[-1] <= 25


def test_a_docstring_does_not_count() -> None:
    with_words = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n').body[0]
    assert isinstance(with_words, ast.FunctionDef)
    assert length(with_words) == 2
