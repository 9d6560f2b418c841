"""The audit view on the command line: search events, refusals and looks, and take what is found away as a file."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dev.verbs.asked import TokenOption, UrlOption, api, asking, print_lines

audit = typer.Typer(help="Search the record, and take what is found away.", no_args_is_help=True)
BINARY = {"xlsx", "pdf"}
PAGE = 200

ProjectOption = Annotated[str | None, typer.Option("--project", metavar="ID", help="Its id or its code.")]
ActorOption = Annotated[str | None, typer.Option(help="By this principal.")]
ForOption = Annotated[str | None, typer.Option("--on-behalf-of", help="On behalf of this person.")]
TypeOption = Annotated[list[str] | None, typer.Option("--type", help="Of these types; as often as needed.")]
FromOption = Annotated[str | None, typer.Option("--from", help="Recorded then or later: an instant or a day (UTC).")]
ToOption = Annotated[str | None, typer.Option("--to", help="Recorded before then; a day counts whole.")]
TextOption = Annotated[str | None, typer.Option(help="Words that all have to be there, Chinese too.")]
CommandOption = Annotated[str | None, typer.Option("--command-id", help="By the command with this id.")]
OldestOption = Annotated[bool, typer.Option("--oldest", help="The oldest first.")]
LimitOption = Annotated[int, typer.Option(min=1, help="At most so many lines to read; a file holds everything.")]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="json, ndjson, csv, xlsx or pdf; lines for reading, if left out.")
]
OutputOption = Annotated[Path | None, typer.Option("-o", "--output", help="Where to write it; else to stdout.")]
ChineseOption = Annotated[bool, typer.Option("--zh", help="In Chinese.")]


@audit.command("events")
def events(
    project: ProjectOption = None,
    actor: ActorOption = None,
    on_behalf_of: ForOption = None,
    kind: TypeOption = None,
    concept: Annotated[list[str] | None, typer.Option(help="About these: decision, change …")] = None,
    stage: Annotated[str | None, typer.Option(help="What left the project in this stage.")] = None,
    since: FromOption = None,
    until: ToOption = None,
    text: TextOption = None,
    correlation: Annotated[str | None, typer.Option(help="Of the chain with this id.")] = None,
    command_id: CommandOption = None,
    request: Annotated[str | None, typer.Option(help="Of the request with this id.")] = None,
    difference: Annotated[bool, typer.Option("--difference", help="With what each changed (json, ndjson).")] = False,
    oldest: OldestOption = False,
    limit: LimitOption = 50,
    chinese: ChineseOption = False,
    form: FormatOption = None,
    output: OutputOption = None,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Events of all projects, the newest first. The look is noted."""
    query = {"project": project, "actor": actor, "on_behalf_of": on_behalf_of, "type": kind, "concept": concept}
    query |= {"stage": stage, "from": since, "to": until, "text": text, "correlation": correlation}
    query |= {"command_id": command_id, "request": request, "expand": "difference" if difference else None}
    heads = ["POSITION", "RECORDED", "BY", "RULE", "WHAT"]
    language = "zh" if chinese else "en"

    def row(item: Any) -> list[str]:
        what = item["sentences"][language] or item["type"]
        return [str(item["position"]), item["recorded_at"], _who(item["actor"]), item["rule"] or "", what]

    _Look("events", _asked(query, oldest), limit, form, output).show(url, token, heads, row)


@audit.command("refusals")
def refusals(
    project: ProjectOption = None,
    actor: ActorOption = None,
    on_behalf_of: ForOption = None,
    kind: TypeOption = None,
    code: Annotated[str | None, typer.Option(help="With this code, such as WrongRole.")] = None,
    rule: Annotated[str | None, typer.Option(help="By this rule, such as DR6.")] = None,
    since: FromOption = None,
    until: ToOption = None,
    text: TextOption = None,
    command_id: CommandOption = None,
    oldest: OldestOption = False,
    limit: LimitOption = 50,
    form: FormatOption = None,
    output: OutputOption = None,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Refused commands, the newest first: who tried what, and which rule said no. The look is noted."""
    query = {"project": project, "actor": actor, "on_behalf_of": on_behalf_of, "type": kind, "code": code}
    query |= {"rule": rule, "from": since, "to": until, "text": text, "command_id": command_id}
    heads = ["ID", "AT", "BY", "COMMAND", "CODE", "RULE", "DETAIL"]

    def row(item: Any) -> list[str]:
        said = [item["code"], item["rule"] or "", item["detail"] or ""]
        return [str(item["id"]), item["at"], _who(item["actor"]), item["command"], *said]

    _Look("refusals", _asked(query, oldest), limit, form, output).show(url, token, heads, row)


@audit.command("reads")
def reads(
    reader: Annotated[str | None, typer.Option(help="By this principal.")] = None,
    what: Annotated[str | None, typer.Option(help="At events, refusals or reads.")] = None,
    since: FromOption = None,
    until: ToOption = None,
    oldest: OldestOption = False,
    limit: LimitOption = 50,
    form: FormatOption = None,
    output: OutputOption = None,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Who looked into the audit view, at what, and how much went out."""
    import json

    query = {"reader": reader, "what": what, "from": since, "to": until}
    heads = ["ID", "AT", "BY", "WHAT", "FORM", "ROWS", "FILTER"]

    def row(item: Any) -> list[str]:
        asked = json.dumps(item["filter"], ensure_ascii=False) if item["filter"] else ""
        rows = "broke off" if item["rows"] is None else str(item["rows"])
        return [str(item["id"]), item["at"], item["reader"], item["what"], item["format"], rows, asked]

    _Look("reads", _asked(query, oldest), limit, form, output).show(url, token, heads, row)


class _Look:
    """One look: lines for reading, or a file."""

    def __init__(self, what: str, query: dict[str, Any], limit: int, form: str | None, output: Path | None) -> None:
        self._path = f"/v1/audit/{what}"
        self._query = query
        self._limit = limit
        self._form = form
        self._output = output

    def show(self, url: str | None, token: str, heads: list[str], row: Any) -> None:
        from dev.asking import table

        if self._form is not None or self._output is not None:
            self._take(url, token)
            return
        with asking(as_json=False):
            items = list(api(url, token).items(self._path, cursor="cursor", limit=self._limit, **self._query))
        print_lines(table([heads, *(row(item) for item in items)]))

    def _take(self, url: str | None, token: str) -> None:
        form = self._form or (self._output.suffix[1:] if self._output else "json")
        if self._output is None and form in BINARY and sys.stdout.isatty():
            typer.echo(f"{form} is no text: name a file with -o.", err=True)
            raise typer.Exit(2)
        asked = self._query | {"format": form} | ({"limit": min(self._limit, PAGE)} if form == "json" else {})
        with asking(as_json=False):
            if self._output is None:
                api(url, token).download(self._path, sys.stdout.buffer, **asked)
                return
            draft = self._output.with_name(f"{self._output.name}.part")
            try:
                with draft.open("wb") as file:
                    api(url, token).download(self._path, file, **asked)
                draft.replace(self._output)
            except OSError as wrong:
                typer.echo(f"{self._output} cannot be written: {wrong}", err=True)
                raise typer.Exit(1) from None
            finally:
                draft.unlink(missing_ok=True)


def _asked(query: dict[str, Any], oldest: bool) -> dict[str, Any]:
    given = {name: value for name, value in query.items() if value not in (None, [])}
    return given | ({"order": "oldest"} if oldest else {})


def _who(actor: dict[str, Any]) -> str:
    return f"{actor['principal']} for {actor['on_behalf_of']}" if actor.get("on_behalf_of") else actor["principal"]
