"""What changed in a project between two moments."""

from typing import Annotated, Any

import typer

from dev.verbs.asked import JsonOption, TokenOption, UrlOption, api, asking, print_lines, segment

MOMENT = "A version, a time such as 2026-03-02T09:00:00Z, or a day"


def diff(
    project_id: Annotated[str, typer.Argument(metavar="ID")],
    since: Annotated[str, typer.Option("--from", help=f"{MOMENT}.")],
    to: Annotated[str | None, typer.Option("--to", help=f"{MOMENT}; now, if left out.")] = None,
    chinese: Annotated[bool, typer.Option("--zh", help="In Chinese.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """What changed between two moments: what happened, and which figures differ; the JSON Patch with --json."""
    import json

    with asking(as_json):
        changed = api(url, token).get(f"/v1/projects/{segment(project_id)}/diff", **{"from": since, "to": to})
    if as_json:
        print(json.dumps(changed, ensure_ascii=False))
    else:
        print_lines(told(changed, "zh" if chinese else "en"))


def told(changed: dict[str, Any], language: str) -> list[str]:
    """The difference as lines for reading."""
    from dev.asking import table

    ends = (f"{changed[end]['version']} ({changed[end]['at']})" for end in ("before", "after"))
    rows = [[str(event["version"]), event["recorded_at"], event[language]] for event in changed["events"]]
    lines = [" → ".join(ends), *table(rows)] if rows else [" → ".join(ends)]
    if changed["left_out"]:
        lines.append(f"… +{changed['left_out']}")
    return [*lines, *(figure[language] for figure in changed["figures"])]
