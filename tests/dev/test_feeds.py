"""Webhooks and consumers on the command line: what is asked of the API, and what is shown."""

import json
from typing import Any

import pytest

import cli
from tests.dev.test_cli import api, run

HOOK: dict[str, Any] = {
    "id": "w1",
    "enabled": True,
    "paused_until": None,
    "lag": 3,
    "behind": 1,
    "url": "https://hooks.example.com/",
}
ATTEMPT = {
    "at": "2026-03-02T01:00:00Z",
    "state": "retrying",
    "status": None,
    "latency_ms": 12,
    "type": "tandem.project.vote_cast.v1",
    "event": "e1",
}


@pytest.mark.parametrize(
    ("change", "shown"),
    [({}, "enabled"), ({"paused_until": "2026-03-02T01:00:00Z"}, "paused"), ({"enabled": False}, "disabled")],
)
def test_endpoints_are_listed_with_their_state(change: dict[str, Any], shown: str) -> None:
    with api(200, {"items": [HOOK | change], "next": None}) as (url, asked):
        answer = run.invoke(cli.app, ["webhook", "list", "--url", url])
    assert answer.stdout.splitlines()[1].split() == ["w1", shown, "3", "1", "https://hooks.example.com/"]
    assert [(request["method"], request["path"]) for request in asked] == [("GET", "/v1/webhooks")]


def test_a_secret_goes_to_stdout_alone() -> None:
    with api(201, HOOK | {"secret": "whsec_abc"}) as (url, asked):
        words = ["webhook", "add", "https://hooks.example.com/", "--type", "VoteCast", "--key", "k1", "--url", url]
        answer = run.invoke(cli.app, words)
    assert answer.stdout == "whsec_abc\n"
    assert asked[0]["sent"]["types"] == ["VoteCast"]
    assert asked[0]["idempotency-key"] == "k1"


def test_what_is_to_be_sent_is_named() -> None:
    with api(202, {"events": ["e1", "e2"]}) as (url, asked):
        tested = run.invoke(cli.app, ["webhook", "test", "w1", "--url", url])
        again = run.invoke(cli.app, ["webhook", "resend", "w1", "--from", "3", "--to", "9", "--url", url])
    assert tested.stdout == again.stdout == "e1\ne2\n"
    assert [request["path"] for request in asked] == ["/v1/webhooks/w1/test", "/v1/webhooks/w1/resend"]
    assert asked[1]["sent"] == {"event": None, "first": 3, "last": 9}


def test_the_log_and_the_consumers_are_tables_or_json() -> None:
    with api(200, {"items": [ATTEMPT], "next": None}) as (url, asked):
        log = run.invoke(cli.app, ["webhook", "log", "w1", "--state", "retrying", "--url", url])
        plain = run.invoke(cli.app, ["webhook", "log", "w1", "--json", "--url", url])
    assert log.stdout.splitlines()[1].split() == [ATTEMPT["at"], "retrying", "–", "12", "ms", ATTEMPT["type"], "e1"]
    assert json.loads(plain.stdout) == [ATTEMPT]
    assert asked[0]["path"] == "/v1/webhooks/w1/deliveries?limit=50&state=retrying"
    consumer = {"name": "warehouse", "checkpoint": 4, "lag": 2, "leased_until": None}
    with api(200, {"items": [consumer], "next": None}) as (url, _):
        answer = run.invoke(cli.app, ["consumer", "list", "--url", url])
    assert answer.stdout.splitlines()[1].split() == ["warehouse", "4", "2", "–"]


def test_a_refusal_is_an_exit_code() -> None:
    problem = {"title": "The webhook is disabled", "status": 409, "code": "WebhookDisabled"}
    with api(409, problem) as (url, _):
        answer = run.invoke(cli.app, ["webhook", "test", "w1", "--url", url])
    assert (answer.exit_code, answer.stderr) == (5, "The webhook is disabled\n")
