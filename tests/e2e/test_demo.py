"""The demo, played on a running system, ends with a proof and with what the verifier says of a flipped byte."""

import io

import pytest
from rich.console import Console

from dev.demo import play
from tests.e2e.system import System


@pytest.mark.slow
async def test_it_ends_with_a_proof(system: System) -> None:
    screen = io.StringIO()
    await play(system.url, Console(file=screen, width=400))
    told = screen.getvalue().partition("\nProof\n")[2]
    assert "    valid\n" in told
    assert "    tampered\n" in told
    assert "changed: one byte is b'L' and was b'M' [events.ndjson, line 1, byte " in told
