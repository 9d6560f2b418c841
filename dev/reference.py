"""The reference pages, written from the registries: `python -m dev.reference` writes, `--check` compares.

Nothing on these pages is typed by hand: a command, an event, a refusal, a policy or a setting that changes
in the source changes its page, and a test fails until the pages are written again. The list of stored
names and the golden events are kept in the same way, except that they only grow.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TypeVar

from pydantic import SecretStr

from api.contract import operations
from api.operation import Operation
from api.problems import KINDS, PRECONDITION, STATUS
from auth.guard import scope_needed
from config import Settings
from dev import asyncapi, golden
from dev.promises import ROOT, Refusal, merged, ours, refusals, stored_names
from dev.shapes import Shapes, meanings, table, words
from domain import permissions
from domain.messages import COMMANDS, EVENTS, Command, Event
from domain.project.catalog import CONCEPTS, concept_of
from domain.refusals import OTHERWISE, Grounds
from domain.template import DecisionPolicy, Policy, Slot
from domain.values import EVERY_STAGE, EVERYBODY, Role, Stage

PAGES = ROOT / "docs" / "reference"
STORED_NAMES = ROOT / "tests" / "architecture" / "stored_names.json"
TEMPLATES = ROOT / "domain" / "templates"
NOTE = "<!-- Written by `python -m dev.reference`. Change the source, not this page. -->"
ROLES = [role for role in Role if role in EVERYBODY]
STAGES = [stage for stage in Stage if stage in EVERY_STAGE]
GROUNDS = {
    Grounds.MALFORMED: "The command cannot be read",
    Grounds.NOT_ALLOWED: "This person may not",
    Grounds.NOT_FOUND: "There is no such thing",
    Grounds.STATE: "Not now",
    Grounds.STALE: "What was looked at is no longer what stands there",
    Grounds.RULE: "A rule of governance says no",
}
ROUTES = {
    operation.name[0].upper() + operation.name[1:]: f"{operation.method} {operation.path}" for operation in operations()
}
"""Where each command is asked for over HTTP; the lifecycle's own have no route."""
Kind = TypeVar("Kind", bound=type[Command] | type[Event])


def page(title: str, lead: str, sections: Iterable[str]) -> str:
    """One page: its note, its heading, what it is, and its sections."""
    return f"{NOTE}\n\n# {title}\n\n{lead}\n\n" + "\n\n".join(s.strip() for s in sections) + "\n"


def by_concept(registry: Mapping[str, Kind]) -> Iterator[tuple[str, list[Kind]]]:
    """The registry's classes by the module that defines them, in the order of the catalog."""
    order = {concept.__name__: index for index, concept in enumerate(CONCEPTS)}
    kinds = sorted(filter(ours, registry.values()), key=lambda kind: order[kind.__module__])
    for module, group in groupby(kinds, key=lambda kind: kind.__module__):
        yield module.rsplit(".", 1)[-1].replace("_", " "), list(group)


def prose(kind: type) -> str:
    """The docstring without its indentation."""
    return "\n".join(line.strip() for line in (kind.__doc__ or "").strip().splitlines())


def names(values: Iterable[str], every: Iterable[str] = ()) -> str:
    """Names in their own order as code, or `every` where nothing is left out."""
    given = set(values)
    if every and given >= set(every):
        return "every"
    return ", ".join(f"`{value}`" for value in [*Role, *Stage] if value in given)


def example(value: Mapping[str, object]) -> str:
    return "```json\n" + json.dumps(value, ensure_ascii=False, indent=2) + "\n```"


def commands_page() -> str:
    """Every command with its route, who may ask when, its fields and an example."""
    shapes = Shapes()
    sections = [
        f"## {concept.capitalize()}\n\n" + "\n\n".join(_command(kind, shapes) for kind in kinds)
        for concept, kinds in by_concept(COMMANDS)
    ]
    lead = (
        "What can be asked of a project. A body is strict JSON: no unknown field, numbers with decimals as strings. "
        "Who may ask is told by role and stage; the rules in [governance.md](../governance.md) say the rest."
    )
    return page("Commands", lead, [*sections, "## Shapes", *shapes.sections()])


def _command(kind: type[Command], shapes: Shapes) -> str:
    asked_by = "the lifecycle alone" if Role.SYSTEM in kind.roles else names(kind.roles)
    asked_at = ROUTES.get(kind.__name__)
    facts = [
        f"- Route: `{asked_at}`" if asked_at else "- Route: none; the workflow asks for it",
        f"- Roles: {asked_by}",
        f"- Stages: {names(kind.stages, EVERY_STAGE)}",
        f"- While the project is on hold: {'yes' if kind.while_held else 'no'}",
    ]
    return "\n\n".join(
        [f"### {kind.__name__}", prose(kind), "\n".join(facts), shapes.describe(kind), example(kind.example)]
    )


def events_page() -> str:
    """Every event with its version, its sentences and its fields."""
    shapes = Shapes()
    sections = [
        f"## {concept.capitalize()}\n\n" + "\n\n".join(_event(kind, shapes) for kind in kinds)
        for concept, kinds in by_concept(EVENTS)
    ]
    lead = (
        "What can happen to a project. Names, versions and fields are stored for ever: "
        "see [how shapes evolve](../how-to/upgrade.md)."
    )
    return page("Events", lead, [*sections, "## Shapes", *shapes.sections()])


def _event(kind: type[Event], shapes: Shapes) -> str:
    facts = [
        f"- Version: {kind.schema_version}",
        f"- About: {concept_of(kind)}; allowed by {kind.allowed_by}",
        f"- en: {kind.en}",
        f"- zh: {kind.zh}",
        f"- Tells people: {'yes' if kind.tells is not Event.tells else 'no'}",
    ]
    return "\n\n".join([f"### {kind.__name__}", prose(kind), "\n".join(facts), shapes.describe(kind)])


def refusals_page() -> str:
    """Every refusal code with its grounds, its rules and what it says."""
    rows = [_refusal(code, list(group)) for code, group in groupby(refusals(), key=lambda r: r.code)]
    grounds = table(
        ["grounds", "HTTP", "means"],
        [[f"`{g}`", str(STATUS[g]), f"{GROUNDS[g]}. {OTHERWISE[g]}"] for g in Grounds],
    )
    codes = table(["code", "grounds", "rule", "says", "where"], rows)
    others = table(
        ["code", "HTTP", "says"],
        [[f"`{code}`", str(kind.status), f"{kind.en}. {kind.about}"] for code, kind in sorted(KINDS.items())],
    )
    lead = (
        "How the rules say no. An answer carries `code`, `rule` (a number of [governance.md](../governance.md)) where "
        "one stands behind it, and `next_step`: what can be done now. A refusal changes nothing. ‹…› is filled in. "
        f"`{PRECONDITION}`, the answer to an outdated `If-Match`, is 412."
    )
    return page("Refusals", lead, [grounds, codes, "## Problems that are no rule's", others])


def _refusal(code: str, places: list[Refusal]) -> list[str]:
    def each(values: Iterable[str]) -> str:
        return "<br>".join(dict.fromkeys(values))

    return [
        f"`{code}`",
        each(f"`{p.grounds}`" for p in places),
        ", ".join(dict.fromkeys(rule for p in places for rule in p.rules)),
        each(p.detail for p in places),
        each(f"`{p.module}`" for p in places),
    ]


def policies_page() -> str:
    """Every process template in tables, and what each field of a template means."""
    shapes = Shapes()
    fields = shapes.describe(Policy)
    found = [Policy.model_validate_json(path.read_bytes()) for path in sorted(TEMPLATES.glob("*.json"))]
    lead = (
        "A process template is the policy of a project as data. A project embeds the version it started with in "
        "its first event and keeps it (DR19)."
    )
    sections = [_template(policy) for policy in found]
    return page("Policies", lead, [*sections, f"## Fields of a template\n\n{fields}", "## Shapes", *shapes.sections()])


def _template(policy: Policy) -> str:
    calendar = policy.calendar
    decisions = [_decision_row(kind, decided) for kind, decided in policy.decisions.items()]
    stages = [[f"`{s}`", str(p.limit_days), _percents(p.remind_percent)] for s, p in policy.stages.items()]
    rows = [
        [
            f"`{row.name}`",
            "any" if row.max_cost_bp is None else f"up to {row.max_cost_bp / 100:g} %",
            "any" if row.max_delay_days is None else f"up to {row.max_delay_days} working days",
            "yes" if row.kpi_targets else "no",
            _slots(row.slots),
        ]
        for row in policy.changes.rows
    ]
    working = (
        f"Working time: weekdays {', '.join(map(str, calendar.weekdays))} (0 is Monday), {calendar.opens:%H:%M} to "
        f"{calendar.closes:%H:%M} in {calendar.timezone}, public holidays of {calendar.region or 'nowhere'}."
    )
    return "\n\n".join(
        [
            f"## {policy.title} (`{policy.template}` {policy.version})",
            working,
            "### Decisions",
            table(["kind", "slots", "working days", "reminders", "silence leads to", "escalation"], decisions),
            "### Stages",
            table(["stage", "working days", "reminders"], stages),
            "### Who decides a change",
            table(["row", "cost of the budget", "milestones move", "KPI targets", "slots"], rows),
        ]
    )


def _decision_row(kind: str, policy: DecisionPolicy) -> list[str]:
    return [
        f"`{kind}`",
        _slots(policy.slots),
        str(policy.limit_days),
        _percents(policy.remind_percent),
        policy.on_timeout.lower(),
        " then ".join(policy.escalation) or "–",
    ]


def _percents(values: Iterable[int]) -> str:
    return ", ".join(f"{value} %" for value in values)


def _slots(slots: Iterable[Slot]) -> str:
    return "<br>".join(_slot(slot) for slot in slots)


def _slot(slot: Slot) -> str:
    notes = [
        "veto" if slot.veto else "",
        f"over {slot.only_above.amount:,} {slot.only_above.currency}" if slot.only_above else "",
        *(duty.lower().replace("_", " ") for duty in slot.separation),
        f"else {', '.join(slot.substitutes)}" if slot.substitutes else "",
    ]
    said = ", ".join(note for note in notes if note)
    return f"{slot.role}{f' ({said})' if said else ''}"


def permissions_page() -> str:
    """Who may ask for what in which stage, and whom every other operation is for."""
    heads = ["command", *ROLES, *(s.lower().replace("_", " ") for s in STAGES), "on hold"]
    given = dict(permissions.commands())
    rows = [
        [
            f"[{kind.__name__}](commands.md#{kind.__name__.lower()})",
            *(_yes(role in kind.roles) for role in ROLES),
            *(_yes(stage in kind.stages) for stage in STAGES),
            _yes(kind.while_held),
        ]
        for _, kinds in by_concept(COMMANDS)
        for kind in kinds
        if kind.__name__ in given
    ]
    lead = (
        "Who may ask for what, and when: the role is marked and the stage is marked. A decision asks for more: "
        "slots, turn, separation of duties. In a closed project nothing can be asked. "
        "What the lifecycle alone may do is not listed. `GET /v1/permissions` says the same, "
        "and with `?project=` what of it applies to the caller."
    )
    return page("Permissions", lead, ["## Commands on a project", table(heads, rows), *_rights()])


def _rights() -> list[str]:
    """Whom the operations are for that are no commands on a project."""
    rows = [
        [
            f"`{asked.name}`",
            f"`{asked.method} {asked.path}`",
            right.en,
            _scope(asked),
            f"`{right.code}`" if right.organisation else "",
        ]
        for asked in operations()
        if (right := permissions.RIGHTS.get(asked.name))
    ]
    lead = (
        "Organisation roles are granted in the directory. A token reaches no further than its scope; "
        "where *in person* stands, no token will do. Whoever does not see a project is told that there is none (404). "
        "PMO officers are the PMO of the organisation; while it has none, whoever is PMO of a project. "
        "What is not listed is denied to everybody."
    )
    return ["## Everything else", lead, table(["operation", "route", "for", "scope", "otherwise"], rows)]


def _scope(asked: Operation) -> str:
    if not asked.path.startswith("/v1"):
        return ""
    needed = scope_needed(asked.method, asked.path)
    return "in person" if needed is None else f"`{needed}`"


def _yes(marked: bool) -> str:
    return "●" if marked else ""


def settings_page() -> str:
    """Every setting with its environment variable, default and meaning."""
    notes, prefix = meanings(Settings), Settings.model_config.get("env_prefix", "")
    holds = Settings.model_json_schema()["properties"]
    rows = [
        [f"`{prefix}{name.upper()}`", words(holds[name]), _shown(field.default), notes.get(name, "")]
        for name, field in Settings.model_fields.items()
    ]
    lead = "Read once from the environment, or from a file `.env` in the folder where a program starts."
    return page("Settings", lead, [table(["variable", "holds", "default", "meaning"], rows)])


def _shown(default: object) -> str:
    if isinstance(default, SecretStr):
        return f"`{default.get_secret_value()}`"
    if default in (None, ""):
        return "–"
    return f"`{str(default).removeprefix(f'{ROOT}/')}`"


def pages() -> dict[str, str]:
    """Every reference page by its path from the root."""
    written = {
        "commands": commands_page(),
        "events": events_page(),
        "permissions": permissions_page(),
        "policies": policies_page(),
        "refusals": refusals_page(),
        "settings": settings_page(),
    }
    return {(PAGES / f"{name}.md").relative_to(ROOT).as_posix(): text for name, text in written.items()}


def kept_names() -> dict[str, list[str]]:
    """The stored names that were promised so far, by kind."""
    if not STORED_NAMES.exists():
        return {}
    kept: dict[str, list[str]] = json.loads(STORED_NAMES.read_text(encoding="utf-8"))
    return kept


def files() -> dict[str, str]:
    """Everything that this module writes, by its path from the root."""
    grown = json.dumps(merged(kept_names(), stored_names()), indent=1) + "\n"
    events = {(PAGES / "asyncapi.yaml").relative_to(ROOT).as_posix(): asyncapi.text()}
    return pages() | events | golden.missing() | {STORED_NAMES.relative_to(ROOT).as_posix(): grown}


def differing() -> list[str]:
    """The paths whose file is not what the source says."""
    return [p for p, text in files().items() if not (ROOT / p).exists() or (ROOT / p).read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    """Write what differs; with `--check` only say what does, and give 1."""
    stale = differing()
    if "--check" in arguments:
        for path in stale:
            print(f"{path} is not what the source says; run: python -m dev.reference")
        return 1 if stale else 0
    for path, text in files().items():
        if path in stale:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
