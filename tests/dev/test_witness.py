"""A witness signs what only grew, remembers it, and nothing else."""

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from dev.witness import HttpLog, Mismatch, Unusable, Witness, new_key, witness_of
from domain.checkpoint import COSIGNATURE, Checkpoint, Key, Note, Signer, seed_of
from domain.merkle import consistency, leaf, nodes_of, root

ORIGIN = "tandem/0190f0a0-0000-7000-8000-000000000001"
OURS = Signer("witness.example/w1", bytes(range(32)), COSIGNATURE)
THEIRS, LATER = Signer(ORIGIN, bytes(range(1, 33))), Signer(ORIGIN, bytes(range(2, 34)))
NOW = 1_764_000_000


class MemoryLog:
    """A log that can lie: over these leaves, signed by that key, under that name."""

    def __init__(self, leaves: list[bytes], signer: Signer = THEIRS) -> None:
        self.leaves = leaves
        self.signer = signer

    def checkpoint(self) -> str:
        point = Checkpoint(self.signer.name, len(self.leaves), root(self.leaves))
        return str(Note(point, (self.signer.sign(point),)))

    def consistency(self, old: int, new: int) -> list[bytes]:
        return consistency(old, new, nodes_of(self.leaves))


LEAVES = [leaf(bytes([no])) for no in range(200)]


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory.json"


@pytest.fixture
def witness(memory: Path) -> Witness:
    return Witness(OURS, memory, lambda: NOW + 0.7)


def test_what_only_grew_is_signed(witness: Witness, memory: Path) -> None:
    for size in (1, 7, 7, 64, 200):
        log = MemoryLog(LEAVES[:size])
        seen, line = witness.look(log, [THEIRS.key.vkey])
        assert (seen.size, seen.root) == (size, root(LEAVES[:size]))
        note = Note.parse(log.checkpoint()).with_lines([line])
        assert note.verified([THEIRS.key, OURS.key]) == [THEIRS.key, OURS.key]
        assert line.seen_at == NOW
    # Keys that were trusted once need not be named again, also not by a witness that was started anew.
    assert Witness(OURS, memory).look(MemoryLog(LEAVES))[0].size == 200


LIES: list[Callable[[], MemoryLog]] = [
    lambda: MemoryLog(LEAVES[:99]),
    lambda: MemoryLog(LEAVES[:0]),
    lambda: MemoryLog([bytes(32), *LEAVES[1:100]]),
    lambda: MemoryLog([bytes(32), *LEAVES[1:150]]),
    lambda: MemoryLog([*LEAVES[:99], bytes(32), *LEAVES[100:]]),
    lambda: MemoryLog(LEAVES[:98] + LEAVES[99:150]),
    lambda: MemoryLog(LEAVES[:150], LATER),
    lambda: MemoryLog(LEAVES[:150], Signer("tandem/another", THEIRS.seed)),
]


@pytest.mark.parametrize("lie", LIES)
def test_what_contradicts_is_not_signed_and_not_remembered(
    witness: Witness, memory: Path, lie: Callable[[], MemoryLog]
) -> None:
    witness.look(MemoryLog(LEAVES[:100]), [THEIRS.key.vkey])
    before = memory.read_text()
    with pytest.raises(Mismatch):
        witness.look(lie())
    assert memory.read_text() == before
    assert witness.look(MemoryLog(LEAVES[:150]))[0].size == 150


def test_another_log_of_a_trusted_key_is_another_log(witness: Witness) -> None:
    other = Signer("tandem/another", THEIRS.seed)
    witness.look(MemoryLog(LEAVES[:100]), [THEIRS.key.vkey, other.key.vkey])
    with pytest.raises(Mismatch, match="another now"):
        witness.look(MemoryLog(LEAVES[:150], other))


def test_a_proof_that_is_none_is_a_lie(witness: Witness) -> None:
    class Mute(MemoryLog):
        def consistency(self, old: int, new: int) -> list[bytes]:
            return [bytes(31)]

    witness.look(MemoryLog(LEAVES[:100]), [THEIRS.key.vkey])
    with pytest.raises(Mismatch, match="rewritten"):
        witness.look(Mute(LEAVES[:150]))


def test_a_new_key_is_trusted_once_it_is_named(witness: Witness) -> None:
    witness.look(MemoryLog(LEAVES[:100]), [THEIRS.key.vkey])
    assert witness.look(MemoryLog(LEAVES[:150], LATER), [LATER.key.vkey])[0].size == 150
    assert witness.look(MemoryLog(LEAVES[:160], LATER))[0].size == 160


def test_no_key_no_trust(witness: Witness) -> None:
    with pytest.raises(Unusable, match="no key"):
        witness.look(MemoryLog(LEAVES))


@pytest.mark.parametrize("kept", ["", "{}", "[]", '{"keys": [], "seen": "x"}', '{"keys": 1, "seen": null}'])
def test_a_broken_memory_is_not_passed_over(witness: Witness, memory: Path, kept: str) -> None:
    memory.write_text(kept)
    with pytest.raises(Unusable):
        witness.look(MemoryLog(LEAVES), [THEIRS.key.vkey])
    assert memory.read_text() == kept


@pytest.mark.parametrize("answer", [None, [], {}, {"note": 1}, {"path": "x"}, {"path": ["?"]}, {"path": [1]}])
def test_answers_that_are_none(answer: object) -> None:
    log = HttpLog(lambda path, **query: answer)
    with pytest.raises(Mismatch):
        log.checkpoint()
    with pytest.raises(Mismatch):
        log.consistency(1, 2)


def test_a_key_is_made_once_and_replaced_on_demand(tmp_path: Path) -> None:
    file = tmp_path / "seal.key"
    first = new_key(file)
    assert seed_of(file.read_text()) == first
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Unusable, match="there already"):
        new_key(file)
    second = new_key(file, replace=True)
    assert seed_of(file.read_text()) == second != first
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Unusable, match="not there"):
        new_key(tmp_path / "none", replace=True)
    with pytest.raises(Unusable, match="cannot be written"):
        new_key(tmp_path / "no" / "folder" / "key")
    assert [path.name for path in tmp_path.iterdir()] == ["seal.key"]


def test_a_witness_has_a_name_and_a_key(tmp_path: Path) -> None:
    file = tmp_path / "witness.key"
    seed = new_key(file)
    assert witness_of("w.example/1", file).key == Signer("w.example/1", seed, COSIGNATURE).key
    for name, path in (("a b", file), ("", file), ("w", tmp_path / "none")):
        with pytest.raises(Unusable):
            witness_of(name, path)
    file.write_bytes(b"\xff")
    with pytest.raises(Unusable):
        witness_of("w", file)


def test_the_commands(tmp_path: Path) -> None:
    run = CliRunner().invoke
    file, key = tmp_path / "seal.key", tmp_path / "witness.key"
    assert run(app, ["seal", "new-key", str(file)]).exit_code == 0
    assert run(app, ["seal", "new-key", str(file)]).exit_code == 2
    before = file.read_text()
    assert run(app, ["seal", "rotate", str(file)]).exit_code == 0
    assert len(b64decode(file.read_text())) == 32
    assert file.read_text() != before
    made = run(app, ["witness", "new-key", str(key), "--name", "w.example/1"])
    assert Key.parse(made.stdout.strip()) == witness_of("w.example/1", key).key
    assert run(app, ["witness", "new-key", str(tmp_path / "bad"), "--name", "a b"]).exit_code == 2
    assert not (tmp_path / "bad").exists()
    asked = ["witness", "sign", "--key", str(key), "--name", "w", "--state", str(tmp_path / "m")]
    nobody = run(app, [*asked, "--url", "http://127.0.0.1:9", "--log-key", THEIRS.key.vkey])
    assert nobody.exit_code == 6
    assert run(app, [*asked[:3], str(tmp_path / "none"), *asked[4:]]).exit_code == 2
