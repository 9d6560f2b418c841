"""`tandem project diff` and `show` ask for the moments named, and say in lines what the API says."""

from typing import Any

from typer.testing import CliRunner

import cli
from tests.dev.test_cli import api

run = CliRunner()
CHANGED: dict[str, Any] = {
    "before": {"version": 3, "at": "2026-03-02T01:00:00Z"},
    "after": {"version": 9, "at": "2026-04-02T01:00:00Z"},
    "events": [{"version": 4, "recorded_at": "2026-03-03T01:00:00Z", "en": "It was measured", "zh": "已测量"}],
    "left_out": 5,
    "figures": [{"en": "KPI score: – → 0.5000", "zh": "KPI 得分:– → 0.5000"}],
    "patch": [],
}


def test_diff_names_both_moments_and_tells_events_and_figures() -> None:
    with api(200, CHANGED) as (url, asked):
        done = run.invoke(cli.app, ["project", "diff", "P/1", "--from", "3", "--to", "2026-04-02", "--url", url])
    assert asked[0]["path"] == "/v1/projects/P%2F1/diff?from=3&to=2026-04-02"
    assert done.output.splitlines() == [
        "3 (2026-03-02T01:00:00Z) → 9 (2026-04-02T01:00:00Z)",
        "4  2026-03-03T01:00:00Z  It was measured",
        "… +5",
        "KPI score: – → 0.5000",
    ]


def test_diff_speaks_chinese_or_json() -> None:
    with api(200, CHANGED) as (url, asked):
        chinese = run.invoke(cli.app, ["project", "diff", "P-1", "--from", "3", "--zh", "--url", url])
        whole = run.invoke(cli.app, ["project", "diff", "P-1", "--from", "3", "--json", "--url", url])
    assert asked[0]["path"] == "/v1/projects/P-1/diff?from=3"
    assert "已测量" in chinese.output
    assert "KPI 得分:– → 0.5000" in chinese.output
    assert '"patch": []' in whole.output


def test_diff_of_what_does_not_exist_ends_with_3() -> None:
    with api(404, {"status": 404, "title": "No such version", "code": "NoSuchVersion"}) as (url, _):
        assert run.invoke(cli.app, ["project", "diff", "P-1", "--from", "99", "--url", url]).exit_code == 3


def test_show_asks_on_both_axes() -> None:
    with api(200, {"id": "P-1"}) as (url, asked):
        run.invoke(cli.app, ["project", "show", "P-1", "--as-of", "7", "--effective-at", "2026-04-01", "--url", url])
    assert asked[0]["path"] == "/v1/projects/P-1?as_of=7&effective_at=2026-04-01"
