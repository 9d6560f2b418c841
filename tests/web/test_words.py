"""Both languages say everything that the pages say."""

import re
from string import Formatter
from typing import Any, get_args

import pytest
from jinja2 import nodes
from pydantic import BaseModel

from domain.decider import COMMANDS
from domain.project.agreement import AgreementContent
from domain.project.charter import CharterContent
from domain.project.plan import PlanContent
from tests.architecture.source import ROOT
from web.forms import Field, Filling, everything, fields_of
from web.language import LANGUAGES, catalogue, coded
from web.page import ENVIRONMENT
from web.wording import BOUNDED, HINTS, PLAIN, purpose_of

SAME = {"PMO", "KPI", "kpi", "raci", "pmo", "RACI"}
"""Words that are the same in both languages."""


def said() -> set[str]:
    """Every message of templates and modules."""
    loader = ENVIRONMENT.loader
    assert loader is not None
    found = set()
    for name in loader.list_templates():
        source = loader.get_source(ENVIRONMENT, name)[0]
        for call in ENVIRONMENT.parse(source).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "_":
                found.add(str(call.args[0].as_const()))
    for path in (ROOT / "web").glob("*.py"):
        found |= set(re.findall(r'\bsay\(\s*"([^"]+)"', path.read_text(encoding="utf-8")))
    return found | set(PLAIN.values()) | set(BOUNDED.values()) | set(HINTS.values())


def fields(kind: Any) -> set[str]:
    """The names of the fields of a content, nested ones included."""
    names = set()
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            names |= {name} | fields(field.annotation)
    return names.union(*(fields(part) for part in get_args(kind)))


def test_messages_are_found() -> None:
    assert {"Inbox", "Mark as read", "Too many attempts. Try again after {until}."} <= said()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_missing(language: str) -> None:
    assert said() - set(catalogue(language)) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_name_what_the_message_names(language: str) -> None:
    for message, words in catalogue(language).items():
        assert names(message) == names(words), message


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_what_is_signed_reads_in_chinese() -> None:
    signed = fields(CharterContent) | fields(AgreementContent) | fields(PlanContent)
    assert len(signed) > 20
    assert {name for name in signed if name not in catalogue("zh")} == set()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_its_words_in_both_languages(name: str) -> None:
    asked = everything(fields_of(COMMANDS[name], Filling(COMMANDS[name].example)))
    codes = {name} | {word for one in asked for word in words_of(one)}
    assert {code for code in codes if coded(code, "zh") == coded(code, "en") and code not in SAME} == set()
    assert purpose_of(COMMANDS[name], "zh").lang == "zh"


def words_of(field: Field) -> set[str]:
    """What of a field is shown as a word."""
    rows = set() if field.label.isdigit() else {field.label}
    return rows | {code for code, words in field.offers if code == words}


def test_an_unknown_code_is_still_readable() -> None:
    assert coded("WithdrawRisk", "en") == "Withdraw risk"
    assert coded("quite_new", "zh") == "Quite new"
