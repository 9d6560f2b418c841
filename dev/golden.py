"""A stored event of every shape, made once and kept for ever in tests/golden/events.

`python -m dev.reference` writes the file of a new event or a new version and never touches one that is
there: what was stored then has to be read now.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from dev.promises import ROOT, ours
from domain.decider import event_from
from domain.messages import COMMANDS, EVENTS, Event, to_data

FOLDER = ROOT / "tests" / "golden" / "events"
PATTERNS = {
    r"^[a-z][a-z0-9._-]{0,63}$": "li.wei",
    r"^[A-Za-z][A-Za-z0-9_-]{0,39}$": "M1",
    r"^[0-9a-f]{64}$": "0f" * 32,
    r"^[A-Z]{3}$": "CNY",
    r"^R-[1-9][0-9]{0,8}$": "R-2",
    r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$": "1250.50",
}
TEXT = "Renewal 续费"
NAMES = {
    "change": "C-1",
    "check_in": "K-1",
    "code": "P-00001",
    "content_hash": "0f" * 32,
    "decision": "D-1",
    "grant": "G-1",
    "kpi": "online-share",
    "last_editor": "li.wei",
    "lesson": "L-1",
    "measurement": "ME-1",
    "owner": "li.wei",
    "person": "li.wei",
    "requester": "li.wei",
    "slot": "pmo",
    "source": "D-1",
}
"""What stands in a text field of this name."""
FORMATS = {"date": "2026-03-02", "date-time": "2026-03-02T01:00:00Z", "time": "09:00:00"}


def path_of(name: str, version: int) -> str:
    """Where the golden file of this shape is, from the root."""
    return (FOLDER / f"{name}.v{version}.json").relative_to(ROOT).as_posix()


def missing() -> dict[str, str]:
    """The golden files that today's events still lack, by path."""
    wanted = {path_of(kind.__name__, kind.schema_version): kind for kind in EVENTS.values() if ours(kind)}
    return {path: written(kind) for path, kind in sorted(wanted.items()) if not (ROOT / path).exists()}


def written(kind: type[Event]) -> str:
    """An event of this kind as it is stored today."""
    name, version = kind.__name__, kind.schema_version
    schema = TypeAdapter(kind).json_schema()
    event = event_from(name, version, _sample(schema, schema.get("$defs", {})))
    stored = {"type": name, "schema_version": version, "data": to_data(event)}
    return json.dumps(stored, ensure_ascii=False, indent=1) + "\n"


def _sample(schema: Mapping[str, Any], shapes: Mapping[str, Any]) -> Any:
    """A value of this schema, every optional field filled in."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        known = _known()
        return known[name] if name in known else _sample(shapes[name], shapes)
    if schema.get("pattern") in PATTERNS:
        return PATTERNS[schema["pattern"]]
    if "anyOf" in schema:
        return _sample(next(s for s in schema["anyOf"] if s.get("type") != "null"), shapes)
    if "const" in schema or "enum" in schema:
        return schema.get("const", next(iter(schema.get("enum", [None]))))
    return _plain(schema, shapes)


def _field(name: str, schema: Mapping[str, Any], shapes: Mapping[str, Any]) -> Any:
    value = _sample(schema, shapes)
    return NAMES.get(name, value) if isinstance(value, str) and value == TEXT else value


def _plain(schema: Mapping[str, Any], shapes: Mapping[str, Any]) -> Any:
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {name: _field(name, field, shapes) for name, field in schema["properties"].items()}
        case "object":
            inner = schema.get("additionalProperties")
            return {"M1": _sample(inner, shapes)} if isinstance(inner, Mapping) else {}
        case "array":
            return [_sample(schema["items"], shapes) for _ in range(max(1, schema.get("minItems", 1)))]
        case "integer":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case _:
            return FORMATS.get(schema.get("format", ""), TEXT)


def _known() -> dict[str, Any]:
    """Values whose parts have to agree with each other, from the commands' own examples."""
    policy = json.loads((ROOT / "domain" / "templates" / "standard.json").read_text(encoding="utf-8"))
    return {
        "AgreementContent": COMMANDS["ProposeAgreement"].example["content"],
        "CharterContent": COMMANDS["DraftCharter"].example["content"],
        "DecisionPolicy": policy["decisions"]["CHARTER"],
        "PlanContent": COMMANDS["ProposePlan"].example["content"],
        "Policy": policy,
    }
