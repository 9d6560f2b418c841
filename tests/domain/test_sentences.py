"""Every stored event reads as a sentence, in both languages; codes read as words."""

import json
import re
from enum import StrEnum
from pathlib import Path

import pytest

from domain.decider import event_from
from domain.messages import EVENTS, Event
from domain.project.changes import ChangeState
from domain.project.decision import Choice, State
from domain.template import Kind
from domain.values import Role, Stage
from domain.words import ZH, word

GOLDEN = sorted(Path("tests/golden/events").glob("*.json"))
HAN = re.compile(r"[\u4e00-\u9fff]")
CODES = set(ZH) - {"PMO", "GO"}


def stored(path: Path) -> Event:
    data = json.loads(path.read_text(encoding="utf-8"))
    return event_from(data["type"], data["schema_version"], data["data"])


@pytest.mark.parametrize("language", ["en", "zh", "zh-CN"])
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_stored_event_reads_as_a_sentence(path: Path, language: str) -> None:
    words = stored(path).sentence(language, "li.wei")
    assert len(words) >= 7
    assert not re.search(r"[{}]|None|Decimal|datetime|=", words)
    assert not set(re.findall(r"\b[A-Z][A-Z_]+\b", words)) & CODES


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS.keys())
def test_the_sentences_are_in_their_language(kind: type[Event]) -> None:
    if kind.en or kind.zh:
        assert HAN.search(kind.zh)
        assert not HAN.search(kind.en)
        assert set(re.findall(r"{(\w+)}", kind.zh)) == set(re.findall(r"{(\w+)}", kind.en))


@pytest.mark.parametrize("codes", [Stage, Role, Kind, Choice, State, ChangeState], ids=lambda codes: codes.__name__)
def test_every_code_has_its_word(codes: type[StrEnum]) -> None:
    for code in codes:
        assert HAN.search(word(code, "zh")) or code == "PMO"
        assert word(code, "en") != code or code == "PMO"


@pytest.mark.parametrize(
    ("code", "en", "zh"),
    [("KPI_AGREEMENT", "KPI agreement", "KPI 协议"), ("PMO", "PMO", "PMO"), ("nonesuch", "nonesuch", "nonesuch")],
)
def test_words(code: str, en: str, zh: str) -> None:
    assert (word(code, "en"), word(code, "zh-CN")) == (en, zh)
