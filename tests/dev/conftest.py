"""Folders whose path is short and open enough for a server that runs as another account."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-test-"))
    yield folder
    shutil.rmtree(folder)
