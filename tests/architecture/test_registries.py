"""Everything is derived from the registries, so every command and event has to be whole."""

import ast
import re
import string
from typing import Any

import pytest

import domain.project.catalog  # noqa: F401  fills the registries
from dev.promises import ours
from domain.decider import read_strictly
from domain.messages import COMMANDS, EVENTS, Command, Event
from domain.project import catalog
from domain.project.passing import PASSINGS
from domain.project.resolution import EFFECTS
from domain.template import Kind
from domain.values import EVERY_STAGE, EVERYBODY, Role
from tests.architecture.source import ROOT, tree

COMMAND_KINDS = sorted(filter(ours, COMMANDS.values()), key=lambda kind: kind.__name__)
EVENT_KINDS = sorted(filter(ours, EVENTS.values()), key=lambda kind: kind.__name__)
RULES = (ROOT / "docs" / "governance.md").read_text(encoding="utf-8")


def name(kind: type[Any]) -> str:
    return kind.__name__


@pytest.mark.parametrize("kind", COMMAND_KINDS, ids=name)
class TestEveryCommand:
    def test_says_what_it_does(self, kind: type[Command]) -> None:
        assert "__doc__" in vars(kind)
        assert len((kind.__doc__ or "").split()) >= 4

    def test_has_an_example_that_can_be_sent(self, kind: type[Command]) -> None:
        assert "example" in vars(kind)
        assert type(read_strictly(kind.__name__, kind.example)) is kind

    def test_names_the_roles_that_may_ask(self, kind: type[Command]) -> None:
        assert kind.roles
        assert kind.roles <= EVERYBODY or kind.roles == {Role.SYSTEM}

    def test_names_the_stages_in_which_it_makes_sense(self, kind: type[Command]) -> None:
        assert kind.stages
        assert kind.stages <= EVERY_STAGE

    def test_has_a_route_of_its_own(self, kind: type[Command]) -> None:
        assert [k for k in COMMAND_KINDS if k.route() == kind.route()] == [kind]


@pytest.mark.parametrize("kind", EVENT_KINDS, ids=name)
class TestEveryEvent:
    def test_says_what_happened(self, kind: type[Event]) -> None:
        assert "__doc__" in vars(kind)
        assert len((kind.__doc__ or "").split()) >= 3

    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_has_a_sentence_made_of_its_fields(self, kind: type[Event], language: str) -> None:
        sentence = getattr(kind, language)
        assert sentence
        assert placeholders(sentence) <= {"actor", *kind.model_fields}

    def test_tells_the_same_in_both_languages(self, kind: type[Event]) -> None:
        assert placeholders(kind.en) == placeholders(kind.zh)

    def test_names_the_rule_that_allows_it(self, kind: type[Event]) -> None:
        assert re.search(rf"^- \*\*{kind.allowed_by}\.\*\*", RULES, re.MULTILINE)

    def test_can_be_read_in_every_version(self, kind: type[Event]) -> None:
        older = {(kind.__name__, version) for version in range(1, kind.schema_version)}
        assert older <= set(catalog.UPCASTERS)


def placeholders(sentence: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(sentence) if field}


def test_the_catalog_lists_every_module_of_the_project() -> None:
    listed = {f"{concept.__name__.rsplit('.', 1)[-1]}.py" for concept in catalog.CONCEPTS}
    defining = {
        path.name
        for path in (ROOT / "domain" / "project").glob("*.py")
        for node in tree(path).body
        if isinstance(node, ast.ClassDef) and any(ast.unparse(b) in {"Command", "Event"} for b in node.bases)
    }
    assert defining <= listed


def test_every_decision_has_an_effect() -> None:
    assert set(EFFECTS) == set(Kind)


def test_every_clock_has_somebody_who_acts_when_it_is_due() -> None:
    started = {
        kind
        for path in (ROOT / "domain" / "project").glob("*.py")
        for kind in re.findall(r'f"([a-z-]+)/\{', path.read_text(encoding="utf-8"))
    }
    assert started
    assert started == set(PASSINGS)
