"""The command line: quick to answer, HTTP alone, exit codes that scripts can rely on."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

import cli
from config import Settings
from dev import ports
from dev.home import CHECKOUT
from dev.masking import masked

HEAVY = ("temporalio", "fastapi", "asyncpg", "pydantic", "httpx2", "domain", "store", "uvicorn")
run = CliRunner()


class Recorder(BaseHTTPRequestHandler):
    """Answers every request with the same status and body, and remembers what was asked."""

    status: ClassVar[int]
    body: ClassVar[Any]
    asked: ClassVar[list[dict[str, Any]]]

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, sent: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked.append({"method": self.command, "path": self.path, "sent": sent, **headers})
        content = json.dumps(self.body).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Silence."""


@contextmanager
def api(status: int, body: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An API that answers so; its address and what it was asked."""
    answers = type("Answers", (Recorder,), {"status": status, "body": body, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", answers.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_help_loads_nothing_heavy() -> None:
    script = f"""
import sys
from typer.testing import CliRunner
import cli
answer = CliRunner().invoke(cli.app, ["--help"])
assert answer.exit_code == 0 and "doctor" in answer.output, answer.output
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (401, 4), (403, 4), (404, 3), (409, 5), (412, 5), (422, 1), (429, 6), (500, 1), (503, 6)],
)
def test_exit_codes(status: int, code: int) -> None:
    problem = {"title": "No", "detail": "The rules say no.", "rule": "DR1", "next_step": "Ask the sponsor."}
    with api(status, problem) as (url, _):
        answer = run.invoke(cli.app, ["project", "show", "p1", "--url", url])
    assert answer.exit_code == code
    assert answer.stdout == ""
    assert "The rules say no. (rule DR1)\nAsk the sponsor." in answer.stderr


def test_a_refusal_is_json_where_json_was_asked_for() -> None:
    with api(404, {"title": "No", "code": "NoProject"}) as (url, _):
        answer = run.invoke(cli.app, ["project", "show", "p1", "--json", "--url", url])
    assert answer.exit_code == 3
    assert json.loads(answer.stderr)["code"] == "NoProject"


def test_wrong_fields_count_as_wrongly_asked() -> None:
    problem = {"detail": "Cannot be read.", "errors": [{"pointer": "/reason", "message": "too short"}]}
    with api(422, problem) as (url, _):
        answer = run.invoke(cli.app, ["project", "list", "--url", url])
    assert answer.exit_code == 2
    assert "/reason: too short" in answer.stderr


def test_an_api_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_URL", f"http://127.0.0.1:{ports.any_port()}")
    words = ["do", "hold-project", "--project", "p1", "--field", "reason=x", "--key", "k1"]
    answer = run.invoke(cli.app, words)
    assert answer.exit_code == 6
    assert "Send it again with --key k1: it counts once." in answer.stderr
    assert "tandem doctor" in answer.stderr


def test_do_sends_one_command() -> None:
    outcome = {"id": "p1", "stage": "kickoff", "version": 9}
    with api(200, outcome) as (url, asked):
        words = ["--field", "decision=d1", "--field", "revision=2", "--field", "reason=7", "--json", '{"value": "x"}']
        more = ["--key", "k1", "--if-version", "8", "--url", url, "--token", "dev:ana"]
        answer = run.invoke(cli.app, ["do", "vote", "--project", "p1", *words, *more])
    assert answer.exit_code == 0, answer.stderr
    assert json.loads(answer.stdout) == outcome
    [request] = asked
    assert (request["method"], request["path"]) == ("POST", "/v1/projects/p1/vote")
    assert request["sent"] == {"value": "x", "decision": "d1", "revision": 2, "reason": "7"}
    assert request["idempotency-key"] == "k1"
    assert request["if-match"] == '"8"'
    assert request["authorization"] == "Bearer dev:ana"


def test_starting_a_project_needs_no_project() -> None:
    with api(201, {"id": "p1"}) as (url, asked):
        answer = run.invoke(cli.app, ["do", "start-project", "--json", "-", "--url", url], input='{"title": "T"}')
    assert answer.exit_code == 0
    assert (asked[0]["path"], asked[0]["sent"]) == ("/v1/projects", {"title": "T"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["do", "vot", "--project", "p"], "Did you mean: vote?"),
        (["do", "vote"], "needs --project"),
        (["do", "vote", "--project", "p", "--field", "colour=red"], "has no field 'colour'"),
        (["do", "vote", "--project", "p", "--field", "revision"], "takes key=value"),
        (["do", "vote", "--project", "p", "--field", "revision=two"], "revision is not text"),
        (["do", "vote", "--project", "p", "--json", "[1]"], "takes an object"),
    ],
)
def test_what_cannot_be_understood_is_not_sent(words: list[str], said: str) -> None:
    with api(200, {}) as (url, asked):
        answer = run.invoke(cli.app, [*words, "--url", url])
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert asked == []


def test_every_command_can_be_listed_and_described() -> None:
    from dev.wording import listing
    from domain.messages import COMMANDS

    routes = [route for route, _ in listing()]
    assert routes == sorted(command.route() for command in COMMANDS.values())
    for route in routes:
        answer = run.invoke(cli.app, ["do", route, "--describe"])
        assert json.loads(answer.stdout)["command"] == route


def test_lists_go_on_over_pages() -> None:
    page = {"items": [{"code": "TDM-1", "stage": "kickoff", "title": "T", "id": "p1"}] * 2, "next": "c1"}
    with api(200, page) as (url, asked):
        answer = run.invoke(cli.app, ["project", "list", "--limit", "3", "--url", url])
    assert answer.stdout.splitlines() == ["CODE   STAGE    TITLE  ID", *["TDM-1  kickoff  T      p1"] * 3]
    assert [request["path"] for request in asked] == ["/v1/projects?limit=3", "/v1/projects?limit=1&cursor=c1"]


def test_passwords_are_masked() -> None:
    settings = Settings(
        database_url="postgresql://app:se:cret@h/db?sslmode=on&password=hidden1&x=1",
        migration_url="host=h password=hidden2",
    )
    shown = masked(settings)
    assert shown["database_url"] == "postgresql://app:********@h/db?sslmode=on&password=********&x=1"
    assert shown["migration_url"] == "********"


def test_version_is_the_projects() -> None:
    answer = run.invoke(cli.app, ["version", "--json"])
    assert json.loads(answer.stdout)["tandem"] in (Path(CHECKOUT) / "pyproject.toml").read_text()
