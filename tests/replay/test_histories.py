"""Every recorded history: small enough to be kept, and without a trace of the machine that recorded it."""

from pathlib import Path

import pytest

from tests.replay.keeping import events
from tests.replay.scrub import IDENTITY, MOST_BYTES, texts

FILES = sorted(Path(__file__).parent.glob("*histories/*.json"))
TRACES = ("Traceback", ".py", "whsec_")


def test_every_folder_of_histories_is_looked_at() -> None:
    folders = {folder.name for folder in Path(__file__).parent.iterdir() if folder.name.endswith("histories")}
    assert {file.parent.name for file in FILES} == folders


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_file_is_small_and_tells_of_no_machine(file: Path) -> None:
    assert file.stat().st_size < MOST_BYTES
    told = set(texts(events(file)))
    assert {text for text in told if "@" in text} == {IDENTITY}
    assert not {text for text in told if any(trace in text for trace in TRACES)}
