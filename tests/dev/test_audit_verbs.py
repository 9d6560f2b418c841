"""`tandem audit` asks with the filters named, tells what it found in lines, and takes files away whole."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typer.testing import CliRunner

import cli
from tests.dev.test_cli import api

run = CliRunner()
EVENT = {
    "position": 7,
    "recorded_at": "2026-03-02T01:00:00Z",
    "actor": {"principal": "li.wei", "on_behalf_of": "sun.lei"},
    "rule": "DR6",
    "type": "VoteCast",
    "sentences": {"en": "sun.lei approved", "zh": "sun.lei 同意"},
}
REFUSAL = {"id": 3, "at": "2026-03-02T01:00:00Z", "actor": {"principal": "li.wei"}, "command": "Vote"}
REFUSAL |= {"code": "NotYours", "rule": None, "detail": "It is not your turn."}
LOOK = {"id": 1, "at": "2026-03-02T01:00:00Z", "reader": "an.jing", "what": "events", "format": "pdf"}
LOOK |= {"rows": None, "filter": {"text": "预算"}}


def page(*items: Any) -> dict[str, Any]:
    return {"items": list(items), "next": None, "previous": None}


def ask(words: str, answer: Any, status: int = 200) -> tuple[Any, dict[str, list[str]], str]:
    """What it said, with which filters it asked, and where."""
    with api(status, answer) as (url, asked):
        done = run.invoke(cli.app, ["audit", *words.split(), "--url", url])
    where = urlsplit(asked[0]["path"])
    return done, parse_qs(where.query), where.path


def test_events_are_asked_for_by_every_filter_and_told_in_lines() -> None:
    words = "events --project P-1 --actor li.wei --on-behalf-of sun.lei --type VoteCast --type VoteChanged"
    words += " --concept decision --stage EXECUTION --from 2026-01-01 --to 2026-02-01 --text 预算"
    words += " --correlation c --command-id k --request r"
    done, query, path = ask(words + " --oldest --limit 9", page(EVENT))
    assert path == "/v1/audit/events"
    assert query == {
        "project": ["P-1"],
        "actor": ["li.wei"],
        "on_behalf_of": ["sun.lei"],
        "type": ["VoteCast", "VoteChanged"],
        "concept": ["decision"],
        "stage": ["EXECUTION"],
        "from": ["2026-01-01"],
        "to": ["2026-02-01"],
        "text": ["预算"],
        "correlation": ["c"],
        "command_id": ["k"],
        "request": ["r"],
        "order": ["oldest"],
        "limit": ["9"],
    }
    assert done.output.splitlines()[1].split() == [
        "7",
        "2026-03-02T01:00:00Z",
        "li.wei",
        "for",
        "sun.lei",
        "DR6",
        "sun.lei",
        "approved",
    ]
    assert "sun.lei 同意" in ask("events --zh", page(EVENT))[0].output


def test_refusals_and_looks_are_told_in_lines() -> None:
    done, query, path = ask("refusals --code NotYours --rule DR6 --text turn", page(REFUSAL))
    assert (path, query["code"], query["rule"]) == ("/v1/audit/refusals", ["NotYours"], ["DR6"])
    assert "It is not your turn." in done.output
    done, query, path = ask("reads --reader an.jing --what events", page(LOOK))
    assert (path, query["reader"], query["what"]) == ("/v1/audit/reads", ["an.jing"], ["events"])
    assert "broke off" in done.output
    assert "预算" in done.output


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "found.csv"
    done, query, _ = ask(f"events -o {file} --actor li.wei", page(EVENT))
    assert (done.exit_code, query) == (0, {"actor": ["li.wei"], "format": ["csv"]})
    assert '"position": 7' in file.read_text()
    refused = {"status": 422, "title": "Too many", "code": "TooManyRows", "detail": "More than 2,000 rows."}
    done, query, _ = ask(f"refusals --format pdf -o {tmp_path / 'pack.pdf'}", refused, 422)
    assert (done.exit_code, query["format"]) == (1, ["pdf"])
    assert [path.name for path in tmp_path.iterdir()] == ["found.csv"]
    done, query, _ = ask("reads --format ndjson", page(LOOK))
    assert "an.jing" in done.output
    assert query == {"format": ["ndjson"]}
