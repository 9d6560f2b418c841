"""Whatever can be refused is said in Chinese too: the catalogue in api/locales has the sentences of the source."""

import ast
import re

from api.chinese import LOCALES, PLACE, VALUE, catalogue
from dev.promises import refusals
from dev.sentences import Sentence, numbered, sentences
from domain.project.checkins import CheckInState
from domain.words import ZH
from tests.spec import STANDARD

CATALOGUE = "api/locales/zh/LC_MESSAGES/refusals.po"
SAID = {(one.context, one.template) for one in sentences()}
SAID_ELSEWHERE = {"Malformed", "NotReadyToClose", "…"}
"""Codes whose details are handed in: by the callers of `malformed`, by the closing rules, by `_refused`."""


def test_sentences_are_found() -> None:
    assert len(SAID) > 450
    assert ("AlreadyAssigned", "‹person› as ‹role› waits for confirmation already.") in SAID
    assert ("next step", "Let the PMO triage it first.") in SAID
    assert ("next step", "Wait for ‹decision›.") in SAID
    assert ("NotReadyToClose", "Settle ‹others› first.") in SAID
    assert ("Unsigned", "A command that comes as a signal must carry the API's signature.") in SAID
    assert Sentence("TooLarge", "A body has at most 256 KiB.") in sentences()


def test_every_refusal_of_the_source_is_among_them() -> None:
    known = {context for context, _ in SAID}
    assert {one.code for one in refusals()} - SAID_ELSEWHERE - known == set()


def test_every_sentence_has_chinese_words() -> None:
    missing = sorted(SAID - set(catalogue()))
    assert not missing, f"Put Chinese words for these (msgctxt, msgid) into {CATALOGUE}: {missing}"


def test_no_words_are_left_over() -> None:
    left = sorted((context, said) for context, said in set(catalogue()) - SAID if context != VALUE)
    assert not left, f"Nothing says these any more, so take them out of {CATALOGUE}: {left}"


def test_chinese_words_have_exactly_the_places_of_the_english() -> None:
    wrong = [key for key, words in catalogue().items() if sorted(PLACE.findall(key[1])) != sorted(PLACE.findall(words))]
    assert not wrong, f"The ‹places› differ in {CATALOGUE}: {wrong}"


def test_chinese_words_are_chinese() -> None:
    found = [
        key for key, words in catalogue().items() if words != key[1] and not re.search("[\u3002\u4e00-\u9fff]", words)
    ]
    assert not found, f"Not Chinese in {CATALOGUE}: {found}"
    assert [path.name for path in (LOCALES / "zh" / "LC_MESSAGES").iterdir()] == ["refusals.po"]


def test_words_of_values_are_needed_and_stated_once() -> None:
    values = {said for context, said in catalogue() if context == VALUE}
    assert values & set(ZH) == set()
    needed = {*CheckInState, *STANDARD.agreement.categories, "KPI", "milestone", "List", "Tuple"}
    assert values == {str(value) for value in needed} - set(ZH)


def test_places_without_a_name_are_numbered_and_none_is_named_twice() -> None:
    [line] = ast.parse("f'{a.amount} {b.amount} {x[1]} {y()} {decision.id}'").body
    assert isinstance(line, ast.Expr)
    assert isinstance(line.value, ast.JoinedStr)
    assert numbered(line.value.values) == "‹amount› ‹amount 2› ‹1› ‹2› ‹decision›"
    for _, template in SAID:
        places = PLACE.findall(template)
        assert len(places) == len(set(places)), template
