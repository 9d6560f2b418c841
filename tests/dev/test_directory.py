"""The directory on the command line, asked of a real server."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from pydantic import SecretStr
from typer.testing import Result

import cli
from config import Settings
from dev.ports import any_port
from server import create_app
from tests.conftest import Database
from tests.dev.test_cli import run
from tests.vaults import MASTER_TEXT

ROOT, SECOND, WEI, JING = "root.admin", "second.admin", "li.wei", "an.jing"


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    """A server on a database of the test's own, Temporal away."""
    port = any_port()
    settings = Settings(
        _env_file=None,
        mode="development",
        database_url=SecretStr(database.app),
        temporal_address="127.0.0.1:1",
        vault_key=SecretStr(MASTER_TEXT),
    )
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    address = f"http://127.0.0.1:{port}"
    while not server.started:
        time.sleep(0.05)
    yield address
    server.should_exit = True
    thread.join()


class Shell:
    """Verbs, asked by somebody."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, words: str, who: str = ROOT, code: int = 0) -> Result:
        answer = run.invoke(cli.app, [*words.split(), "--url", self.url, "--token", f"dev:{who}"])
        assert answer.exit_code == code, answer.output
        return answer

    def json(self, words: str, who: str = ROOT) -> Any:
        return json.loads(self(f"{words} --json", who).stdout)


def test_a_directory_is_kept_from_the_command_line(url: str, tmp_path: Path) -> None:
    tandem = Shell(url)
    tandem("directory found")
    for person in (SECOND, WEI):
        tandem(f"people add {person}")
    assert "Nothing was to be done" in tandem(f"people add {WEI}").output
    tandem("people add x", WEI, code=4)

    tandem("team make sales")
    tandem(f"team add sales {WEI} {SECOND}")
    tandem(f"team remove sales {SECOND}")
    assert tandem("team list").stdout.splitlines()[1].split() == ["sales", WEI]

    tandem(f"role grant {SECOND} ADMINISTRATOR")
    grant = tandem(f"role grant {WEI} pmo").stdout.split()[0]
    assert [line.split()[3:5] for line in tandem("role list").stdout.splitlines()[3:]] == [["to", "confirm"]]
    tandem(f"role confirm {grant}", code=4)
    tandem(f"role confirm {grant}", SECOND)
    assert tandem.json("people list --active")[0]["roles"] == ["PMO"]

    names = tmp_path / "people.csv"
    names.write_text("person,team,role\nan.jing,sales,\nzhao.min,finance,\n", encoding="utf-8")
    told = tandem(f"people import {names} --dry-run").stdout
    assert "line 2: root.admin added an.jing to the directory" in told
    assert tandem(f"people import {names}").stdout.splitlines()[0] == "PersonAdded: 2"
    names.write_text("person,team,role\nan.jing,sales,\nAn Jing,,\n", encoding="utf-8")
    assert "line 3 is wrong" in tandem(f"people import {names} --dry-run", code=1).stdout
    assert "/lines/3" in tandem(f"people import {names}", code=2).output

    link = tandem("people invite chen.bo --language zh").stdout.strip()
    assert httpx2.get(link, trust_env=False).status_code == 200
    tandem(f"people deactivate {JING}")
    assert [person["person"] for person in tandem.json("people list --left")] == [JING]
    tandem("people list", JING, code=4)
    tandem(f"people reactivate {JING}")
    tandem(f"role end {grant}")
    tandem("team dissolve finance")
    tandem(f"directory export {tmp_path / 'all.csv'}")
    assert "an.jing,sales," in (tmp_path / "all.csv").read_text(encoding="utf-8")
