"""Stored names, collected from the source: what histories, databases and other people's programs rely on.

A name that was stored is a promise. `merged` only ever adds to the list; taking a name away is done by
hand, in a commit that says why nothing can have stored it.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from activities.folding import PREFIX
from api.contract import operations
from api.problems import KINDS
from domain.messages import COMMANDS, EVENTS

ROOT = Path(__file__).resolve().parent.parent
SAYING_NO = ("domain", "activities", "auth", "api")


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """One place in the source that says no."""

    code: str
    grounds: str
    rules: tuple[str, ...]
    detail: str
    module: str


def sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Every module of these folders as (path from the root, syntax tree), in order."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def refusals() -> list[Refusal]:
    """Every refusal that the source can give, by code."""
    found = {
        refusal
        for path, tree in sources(*SAYING_NO)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (refusal := _refusal(node, path))
    }
    return sorted(found)


def _refusal(call: ast.Call, path: str) -> Refusal | None:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    named = {k.arg: k.value for k in call.keywords if k.arg}
    match name, call.args:
        case "broken", [rule, code, detail, *_]:
            return Refusal(text(code), "rule", texts(rule), text(detail), path)
        case "wrong_state" | "stale", [code, detail, *_]:
            grounds = "state" if name == "wrong_state" else "stale"
            return Refusal(text(code), grounds, texts(named.get("rule")), text(detail), path)
        case "not_allowed", [detail, *_]:
            own = text(named["code"]) if "code" in named else "NotAllowed"
            return Refusal(own, "not-allowed", texts(named.get("rule")), text(detail), path)
        case "not_found", [what, *_]:
            return Refusal(f"No{text(what)}", "not-found", (), f"There is no {text(what).lower()} of that name.", path)
        case "Refused", [ast.Constant() as code, detail, *_]:
            given = named.get("grounds")
            grounds = given.attr.lower().replace("_", "-") if isinstance(given, ast.Attribute) else "rule"
            return Refusal(text(code), grounds, texts(named.get("rule")), text(detail), path)
    return None


def text(node: ast.expr | None) -> str:
    """A string as it is written, with `…` where something is filled in."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(text(part) for part in parts)
        case ast.FormattedValue(value=value):
            return filled_in(value)
        case _:
            return "…"


def filled_in(node: ast.expr) -> str:
    """What stands there in an answer: `{decision.id}` reads ‹decision›, a list is named after what it lists."""
    match node:
        case ast.Call(func=ast.Attribute(attr="join"), args=[listed]):
            return filled_in(listed)
        case ast.Call(func=ast.Name(id="sorted"), args=[listed]):
            return filled_in(listed)
        case ast.Attribute(value=ast.Name(id=owner), attr="id" | "name" | "code"):
            return f"‹{owner.replace('_', ' ')}›"
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return f"‹{name.strip('_').replace('_', ' ')}›"
        case _:
            return "…"


def texts(node: ast.expr | None) -> tuple[str, ...]:
    """Every string that the expression may amount to, in order."""
    match node:
        case ast.Constant(value=str(value)):
            return (value,)
        case ast.IfExp(body=first, orelse=second):
            return (*texts(first), *texts(second))
        case _:
            return ()


def decorated(folder: str, decorator: str) -> list[str]:
    """The names given by a Temporal decorator such as `workflow.defn`; a method's own where none is given."""
    found = [
        text(name) if name is not None else node.name
        for _, tree in sources(folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for given, name in map(_decoration, node.decorator_list)
        if given == decorator
    ]
    return sorted(found)


def _decoration(node: ast.expr) -> tuple[str, ast.expr | None]:
    if isinstance(node, ast.Call):
        return ast.unparse(node.func), next((k.value for k in node.keywords if k.arg == "name"), None)
    return ast.unparse(node), None


def ours(kind: type) -> bool:
    """Whether the class belongs to the rules, and not to somebody's test."""
    return kind.__module__.startswith("domain.")


def stored_names() -> dict[str, list[str]]:
    """Every stored name of today, by kind."""
    commands = [kind for kind in COMMANDS.values() if ours(kind)]
    events = [kind for kind in EVENTS.values() if ours(kind)]
    return {
        "activities": decorated("activities", "activity.defn"),
        "commands": sorted(kind.__name__ for kind in commands),
        "events": sorted(f"{kind.__name__}.v{v}" for kind in events for v in range(1, kind.schema_version + 1)),
        "problems": sorted(KINDS),
        "refusals": sorted({r.code for r in refusals()}),
        "routes": sorted(f"{operation.method} {operation.path}" for operation in operations()),
        "signals": decorated("workflows", "workflow.signal"),
        "streams": [PREFIX],
        "workflows": decorated("workflows", "workflow.defn"),
    }


def merged(kept: Mapping[str, Iterable[str]], today: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """What was promised before, with what is new."""
    return {kind: sorted({*kept.get(kind, ()), *today.get(kind, ())}) for kind in sorted({*kept, *today})}
