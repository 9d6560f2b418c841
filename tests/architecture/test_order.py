"""The order in which files are tried names files that are there."""

from tests.architecture.source import ROOT
from tests.conftest import LONGEST_FIRST


def test_every_long_file_is_there_and_named_once() -> None:
    assert [name for name in LONGEST_FIRST if not (ROOT / name).is_file()] == []
    assert len(set(LONGEST_FIRST)) == len(LONGEST_FIRST)
