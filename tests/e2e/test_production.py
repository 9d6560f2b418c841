"""What production refuses: server and worker say each fault in words, and end before anything is served."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from dev import ports
from dev.home import CHECKOUT
from tests.envelopes import SEED
from tests.vaults import MASTER_TEXT

GOOD = {"TANDEM_VAULT_KEY": MASTER_TEXT, "TANDEM_ENVELOPE_KEY": SEED, "TANDEM_PUBLIC_URL": "https://tandem.example.com"}


def environment(**settings: str) -> dict[str, str]:
    """Ours without any setting, and these."""
    return {k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")} | settings


def refused(program: str, folder: Path, **settings: str) -> list[str]:
    """What a program says that ends at once."""
    command, given = [sys.executable, "-m", program], environment(PYTHONPATH=str(CHECKOUT), **settings)
    ended = subprocess.run(command, env=given, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    return ended.stderr.splitlines()


def key_file(folder: Path, mode: int) -> str:
    file = folder / f"key-{mode:o}"
    file.write_text(MASTER_TEXT)
    file.chmod(mode)
    return str(file)


def test_a_server_without_keys_and_tls_names_every_fault(tmp_path: Path) -> None:
    said = refused(
        "server",
        tmp_path,
        TANDEM_PUBLIC_URL="http://tandem.example.com",
        TANDEM_SEAL_KEY_FILE=key_file(tmp_path, 0o604),
        TANDEM_TRUSTED_PROXIES="127.0.0.1, *",
    )
    assert [line.split(":")[0] for line in said] == [
        "TANDEM_PUBLIC_URL",
        "TANDEM_TRUSTED_PROXIES",
        "TANDEM_VAULT_KEY_FILE",
        "TANDEM_ENVELOPE_KEY_FILE",
        "TANDEM_SEAL_KEY_FILE",
    ]
    assert "in the clear" in said[0]
    assert "openssl rand" in said[2]
    assert "chmod o=" in said[4]
    assert MASTER_TEXT not in "".join(said)


def test_a_server_that_others_reach_says_how(tmp_path: Path) -> None:
    keys = {name: value for name, value in GOOD.items() if name != "TANDEM_PUBLIC_URL"}
    (said,) = refused("server", tmp_path, TANDEM_HOST="192.0.2.1", **keys)
    assert said.startswith("TANDEM_PUBLIC_URL: others can reach this server")


def test_a_worker_needs_no_key_to_sign_with(tmp_path: Path) -> None:
    said = refused("worker", tmp_path, TANDEM_VAULT_KEY_FILE=str(tmp_path / "none"))
    assert said == [
        f"TANDEM_VAULT_KEY_FILE: {tmp_path / 'none'} cannot be read. Name a file that this account can read."
    ]


def test_names_on_trust_are_for_this_machine_alone(tmp_path: Path) -> None:
    elsewhere = {"TANDEM_HOST": "192.0.2.1", "TANDEM_PUBLIC_URL": "https://tandem.example.com"}
    said = refused("server", tmp_path, TANDEM_MODE="development", **elsewhere)
    assert [line.split(":")[0] for line in said] == ["TANDEM_HOST", "TANDEM_PUBLIC_URL"]
    assert all("TANDEM_MODE=production" in line for line in said)


def test_a_setting_that_cannot_be_read_is_named_and_not_repeated(tmp_path: Path) -> None:
    said = refused("server", tmp_path, TANDEM_MODE="secret-word", TANDEM_PORT="many")
    assert [line.split(":")[0] for line in said] == ["TANDEM_MODE", "TANDEM_PORT"]
    assert "secret-word" not in "".join(said)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[str]:
    """A production server with everything right and no database yet; it believes a proxy on this machine."""
    port = ports.any_port()
    given = environment(
        TANDEM_PORT=str(port),
        TANDEM_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
        TANDEM_TEMPORAL_ADDRESS="127.0.0.1:1",
        TANDEM_TRUSTED_PROXIES="127.0.0.1",
        TANDEM_SIGN_IN_ATTEMPTS_PER_MINUTE="2",
        PYTHONPATH=str(CHECKOUT),
        **GOOD,
    )
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen([sys.executable, "-m", "server"], env=given, cwd=tmp_path, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_a_production_server_serves_believes_no_names_and_looks_behind_its_proxy(serving: str) -> None:
    transport = httpx2.HTTPTransport(retries=7)
    with httpx2.Client(base_url=serving, transport=transport, timeout=20) as client:
        assert client.get("/livez").status_code == 200
        asked = [
            ("192.0.2.1", 401),
            ("192.0.2.1", 401),
            ("192.0.2.1", 429),
            ("192.0.2.2", 401),
            ("6.6.6.6, 192.0.2.1", 429),
        ]
        for address, expected in asked:
            headers = {"Authorization": "Bearer dev:pei.min", "X-Forwarded-For": address}
            assert client.get("/v1/me", headers=headers).status_code == expected, address


def test_config_show_tells_the_same(tmp_path: Path) -> None:
    command, given = [sys.executable, "-m", "cli", "config", "show"], environment(PYTHONPATH=str(CHECKOUT))
    shown = subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert [line.split(":")[0] for line in shown.stderr.splitlines()] == [
        "TANDEM_VAULT_KEY_FILE",
        "TANDEM_ENVELOPE_KEY_FILE",
    ]
    assert "TANDEM_MODE=production" in shown.stdout
