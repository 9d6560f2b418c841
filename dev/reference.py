"""The reference pages, written from the registries: `python -m dev.reference` writes, `--check` compares.

Nothing on these pages is typed by hand: a command, an event, a refusal, a policy or a setting that changes
in the source changes its page, and a test fails until the pages are written again. The list of stored
names is kept in the same way, except that it only grows.
"""

import ast
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, SecretStr

from config import Settings
from dev.promises import ROOT, Refusal, merged, refusals, stored_names
from dev.shapes import Shapes, meanings, table
from domain.messages import COMMANDS, EVENTS, Command, Event
from domain.project.catalog import CONCEPTS
from domain.template import Policy, Slot
from domain.values import EVERYBODY, EVERY_STAGE, Role, Stage

PAGES = ROOT / "docs" / "reference"
STORED_NAMES = ROOT / "tests" / "architecture" / "stored_names.json"
TEMPLATES = ROOT / "domain" / "templates"
NOTE = "<!-- Written by `python -m dev.reference`. Change the source, not this page. -->"
ROLES = [role for role in Role if role in EVERYBODY]
STAGES = [stage for stage in Stage if stage in EVERY_STAGE]
RECORDS: Mapping[str, str] = {
    "malformed": "the command cannot be read",
    "not-allowed": "this person may not",
    "not-found": "there is no such thing",
    "state": "not now",
    "stale": "what was looked at is no longer what stands there",
    "rule": "a rule of governance says no",
}


def page(title: str, lead: str, sections: Iterable[str]) -> str:
    return f"{NOTE}\n\n# {title}\n\n{lead}\n\n" + "\n\n".join(s.strip() for s in sections) + "\n"


def by_concept[K: Command | Event](registry: Mapping[str, type[K]]) -> Iterator[tuple[str, list[type[K]]]]:
    """The registry's classes by the module that defines them, in the order of the catalog."""
    order = {concept.__name__: index for index, concept in enumerate(CONCEPTS)}
    kinds = sorted(registry.values(), key=lambda kind: order[kind.__module__])
    for module, group in groupby(kinds, key=lambda kind: kind.__module__):
        yield module.rsplit(".", 1)[-1], list(group)
