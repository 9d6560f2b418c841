"""What people are told when something is refused, collected from the source: each sentence needs its Chinese words.

A sentence is a template: `‹person› is ‹role› already.` names what is filled in, `‹1›` stands for what has no name.
The Chinese words are in api/locales; `api/chinese.py` says how they are found.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from api.chinese import ERROR, NEXT_STEP
from api.problems import KINDS
from dev.field_messages import DATES, PYDANTIC
from dev.promises import filled_in, sources, text
from domain.refusals import OTHERWISE

SPEAKING = ("domain", "activities", "store", "auth", "api", "web")
CODED_BY = {
    "malformed": "Malformed",
    "NotAnObject": "Malformed",
    "NotCanonical": "Malformed",
    "UnfitAppend": "Malformed",
    "Unauthenticated": "Unauthenticated",
    "Weak": "WeakPassword",
    "Forged": "BadCosignature",
    "invalid": "Invalid",
    "ValueError": ERROR,
}
"""What raises or makes a sentence → what the sentence belongs to."""
PHRASES = {"barred": "SeparationOfDuties", "closing_obstacles": "NotReadyToClose"}
"""Functions that write a part of a refusal: the last of three in their tables, and what they return."""
UNSAID = {
    "api/scim_groups.py",
    "auth/confirmation.py",
    "domain/calendar.py",
    "domain/checkpoint.py",
    "domain/template.py",
    "store/anchors.py",
}
"""Modules whose ValueErrors are of settings, templates and programs, not of what somebody has sent."""


@dataclass(frozen=True, slots=True, order=True)
class Sentence:
    """One sentence: the code (or kind of sentence) it belongs to, and its template."""

    context: str
    template: str


def sentences() -> list[Sentence]:
    """Every sentence that a refusal or a problem can say."""
    found = {Sentence(code, kind.about) for code, kind in KINDS.items()}
    found |= {Sentence(NEXT_STEP, step) for step in OTHERWISE.values()}
    found |= {Sentence(ERROR, message) for message in (*PYDANTIC, *DATES)}
    for path, tree in sources(*SPEAKING):
        assigned = _assigned(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                found |= {Sentence(context, said) for context, said in _said(node, assigned, path)}
            elif isinstance(node, ast.Dict):
                found |= {Sentence(ERROR, said) for said in _messages(node)}
            elif isinstance(node, ast.FunctionDef) and node.name in PHRASES:
                found |= {Sentence(PHRASES[node.name], said) for said in _phrases(node)}
    return sorted(found)


Assigned = dict[str, list[ast.expr]]


def _assigned(tree: ast.Module) -> Assigned:
    """Names of a module that are given a text, and the texts."""
    found: Assigned = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() | ast.JoinedStr() | ast.IfExp() as value):
                found.setdefault(name, []).append(value)
    return found


def _said(call: ast.Call, assigned: Assigned, path: str) -> Iterator[tuple[str, str]]:
    """Every (context, template) of a call that says no."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    named = {k.arg: k.value for k in call.keywords if k.arg}
    if (step := named.get("next_step")) is not None:
        yield from ((NEXT_STEP, said) for said in _templates(step, assigned))
    match name, call.args:
        case "not_found", [what, *_]:
            kind = "".join(f"-{c.lower()}" if c.isupper() else c for c in text(what)).lstrip("-")
            yield f"No{text(what)}", f"There is no {kind} ‹name› in this project."
        case "not_allowed", [detail, *_]:
            yield from _of(text(named.get("code", ast.Constant("NotAllowed"))), detail, assigned)
        case ("broken", [_, code, detail, *_]) | (
            ("wrong_state" | "stale" | "_refused" | "Refused" | "Problem"),
            [ast.Constant() as code, detail, *_],
        ):
            yield from _of(text(code), detail, assigned)
        case "invalid", [_, message, *_]:
            yield from _of(CODED_BY[name], message, assigned)
        case _, [detail, *_] if name in CODED_BY and not (name == "ValueError" and path in UNSAID):
            yield from _of(CODED_BY[name], detail, assigned)


def _of(code: str, detail: ast.expr, assigned: Assigned) -> Iterator[tuple[str, str]]:
    """The templates of a detail, and of the parts of it that are chosen beside it."""
    yield from ((code, said) for said in _templates(detail, assigned))
    if isinstance(detail, ast.JoinedStr):
        for part in detail.values:
            if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
                chosen = [v for v in assigned.get(part.value.id, []) if isinstance(v, ast.IfExp)]
                yield from ((code, said) for value in chosen for said in _templates(value, assigned))


def _templates(node: ast.expr, assigned: Assigned) -> Iterator[str]:
    """What the expression may read, as far as the source has it in words; a name reads what it was given."""
    match node:
        case ast.Constant(value=str(words)):
            yield words
        case ast.JoinedStr(values=parts):
            yield numbered(parts)
            yield from (said for part in parts for said in _instead(part))
        case ast.IfExp(body=first, orelse=second):
            yield from (*_templates(first, assigned), *_templates(second, assigned))
        case ast.Name(id=name):
            for given in assigned.get(name, []):
                yield from _templates(given, {})


def numbered(parts: Iterable[ast.expr]) -> str:
    """A template with every place named once: ‹amount›, ‹amount 2›; what has no name is ‹1›, ‹2›."""
    told, seen = "", Counter[str]()
    for part in parts:
        if not isinstance(part, ast.FormattedValue):
            told += text(part)
            continue
        name = filled_in(part.value)
        seen[name] += 1
        if name == "…":
            told += f"‹{seen[name]}›"
        else:
            told += name if seen[name] == 1 else f"{name[:-1]} {seen[name]}›"
    return told


def _instead(part: ast.expr) -> Iterator[str]:
    """What is said where a list is empty: `{', '.join(seats) or 'nobody'}`."""
    match part:
        case ast.FormattedValue(value=ast.BoolOp(values=[*_, ast.Constant(value=str(words))])):
            yield words


def _messages(node: ast.Dict) -> Iterator[str]:
    """The message of an entry of `errors`, where it is written in its place."""
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == "message" and isinstance(value, ast.JoinedStr):
            yield from _templates(value, {})


def _phrases(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        match node:
            case (
                ast.Tuple(elts=[_, _, (ast.Constant() | ast.JoinedStr()) as said])
                | ast.Return(value=ast.JoinedStr() as said)
            ):
                yield from _templates(said, {})
