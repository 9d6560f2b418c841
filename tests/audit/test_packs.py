"""A pack holds everything that its verification needs, and verifies."""

from pathlib import Path

import pytest

from store.packing import NotSealedYet
from store.postgres import PostgresStore
from tests.audit.building import Life, checked, key_of, packer, seal, written
from verifier.tandem_verify import UNPROVEN, VALID


async def test_what_was_sealed_verifies_as_a_log_and_by_project(store: PostgresStore, tmp_path: Path) -> None:
    life = Life(store)
    with pytest.raises(NotSealedYet):
        await packer(store).log()
    await life.kickoff(0)
    first = await seal(store)
    await life.kickoff(1)
    last = await seal(store)
    await life.kickoff(2)
    key = await key_of(store)
    whole = await written(await packer(store).log(), tmp_path / "log.zip")
    report = checked(whole, key, older=(str(first), str(last)))
    assert (report.code, report.findings, report.unproven) == (VALID, [], [])
    assert report.events == report.size == last.checkpoint.size
    assert report.root == last.checkpoint.root.hex()
    assert checked(whole).code == UNPROVEN
    stream = f"project-{life.projects[1]}"
    one = await written(await packer(store).stream(stream), tmp_path / "one.zip")
    assert (checked(one, key).code, checked(one, key).events) == (VALID, last.checkpoint.size - first.checkpoint.size)
    assert checked(one, key, older=(str(first),)).code == UNPROVEN
    grown = await written(await packer(store).stream(stream, first.checkpoint.size), tmp_path / "grown.zip")
    assert checked(grown, key, older=(str(first),)).code == VALID
    with pytest.raises(NotSealedYet):
        await packer(store).stream(f"project-{life.projects[2]}")
