"""Who may import whom, and what the rules and the workflows may not know."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, modules, relative, tree

SCRIPTS = Path(sys.executable).parent


def run(*command: str, given: str = "") -> subprocess.CompletedProcess[str]:
    program = shutil.which(command[0], path=str(SCRIPTS))
    assert program, f"{command[0]} is not installed beside {sys.executable}"
    return subprocess.run([program, *command[1:]], cwd=ROOT, input=given, capture_output=True, text=True, check=False)


def test_the_import_contracts_hold() -> None:
    done = run("lint-imports", "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", ["domain", "workflows"])
@pytest.mark.parametrize(
    "line",
    [
        "from datetime import datetime\n\nNOW = datetime.now()\n",
        "import time\n\nNOW = time.time()\n",
        "from uuid import uuid4\n\nID = uuid4()\n",
        "import random\n\nCHANCE = random.random()\n",
        "import secrets\n\nCHANCE = secrets.token_hex()\n",
        "import os\n\nHOME = os.environ['HOME']\n",
        "from pathlib import Path\n\nTEXT = Path('a').read_text()\n",
    ],
)
def test_clock_chance_and_environment_are_banned(folder: str, line: str) -> None:
    done = run("ruff", "check", "--select", "TID251", "--stdin-filename", f"{folder}/probe.py", "-", given=line)
    assert done.returncode == 1
    assert "TID251" in done.stdout


def test_the_rules_and_the_workflows_keep_their_bans() -> None:
    done = run("ruff", "check", "--select", "TID251", "domain", "workflows")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("folder", ["domain", "workflows"])
def test_no_file_is_opened(folder: str) -> None:
    opening = [
        f"{relative(path)}:{node.lineno}"
        for path in modules()
        if relative(path).startswith(f"{folder}/")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    ]
    assert not opening


def test_workflows_import_no_rule() -> None:
    """What a workflow branches on, a step has returned: an edit of a rule never breaks a replay."""
    importing = [
        f"{relative(path)}:{node.lineno}"
        for path in modules()
        if relative(path).startswith("workflows/")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "domain"
    ]
    assert not importing


def test_only_the_step_appends() -> None:
    """`store.append` has one caller for projects and one for the records beside them; nothing else makes facts."""
    callers = {
        relative(path)
        for path in modules()
        if not relative(path).startswith("store/")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("store.append")
    }
    assert callers == {"activities/decide.py", "activities/keeping.py"}


@pytest.mark.parametrize("folder", ["domain", "activities", "workflows", "store", "api", "auth"])
def test_nothing_but_the_settings_reads_the_environment(folder: str) -> None:
    reading = [
        f"{relative(path)}:{node.lineno}"
        for path in modules()
        if relative(path).startswith(f"{folder}/")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}
    ]
    assert not reading
