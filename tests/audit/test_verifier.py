"""The verifier by itself: its vectors, its exit codes, whatever can be flipped, and never an alarm for nothing."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.canonical import canonical, envelope_bytes
from domain.merkle import consistency, inclusion, nodes_of, root
from tests.audit import vectors
from tests.store.building import START
from verifier import tandem_verify as verifier
from verifier.tandem_verify import TAMPERED, UNPROVEN, UNREADABLE, VALID, Walk, leaf_of, main, root_by, roots_by

FOLDER = vectors.FOLDER
KEYS = json.loads((FOLDER / "keys.json").read_bytes())
KEY, WITNESS = ["--key", KEYS["log"]], ["--witness", KEYS["witness"]]
OLDER = ["--checkpoint", str(FOLDER / "older-checkpoint")]
VERDICTS = [
    ("log.zip", [*KEY, *WITNESS, *OLDER], VALID, None),
    ("log.zip", [], UNPROVEN, None),
    ("log.zip", [*KEY, *WITNESS, "--quorum", "2"], UNPROVEN, None),
    ("log-one-byte.zip", KEY, TAMPERED, ("changed", 2, 1)),
    ("project.zip", [*KEY, *WITNESS], VALID, None),
    ("project.zip", [*KEY, *OLDER], UNPROVEN, None),
    ("project-re-dated.zip", KEY, TAMPERED, ("changed", 3, 3)),
    ("keys.json", KEY, UNREADABLE, None),
    ("nothing.zip", KEY, UNREADABLE, None),
]


def test_the_vectors_are_written_the_same_again() -> None:
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir()} == vectors.files()


@pytest.mark.parametrize(("name", "words", "code", "found"), VERDICTS)
def test_the_verdict(
    capsys: pytest.CaptureFixture[str], name: str, words: list[str], code: int, found: tuple[str, int, int] | None
) -> None:
    assert main([str(FOLDER / name), *words, "--json"]) == code
    told = capsys.readouterr().out
    if found is not None:
        first = json.loads(told)["findings"][0]
        assert (first["kind"], first["line"], first["position"]) == found, first
    assert (told == "") is (code == UNREADABLE)


def test_it_needs_nothing_of_tandem() -> None:
    """Alone in an isolated interpreter, where no folder of ours can be imported from."""
    command = [sys.executable, "-I", verifier.__file__, str(FOLDER / "log.zip"), *KEY]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert (done.returncode, done.stdout.splitlines()[0]) == (VALID, "valid")


def test_no_byte_of_a_file_can_be_flipped_unseen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every seventh byte of what the pack holds; the bytes of the ZIP around it are nobody's word."""
    raw = (FOLDER / "log.zip").read_bytes()
    end = raw.index(b"PK\x01\x02")
    pack, unseen = tmp_path / "flipped.zip", []
    heads = [at for at in range(end) if raw[at : at + 4] in (b"PK\x03\x04", b"PK\x07\x08")]
    for at in range(0, end, 7):
        if any(head <= at < head + 75 for head in heads):
            continue
        pack.write_bytes(raw[:at] + bytes([raw[at] ^ 4]) + raw[at + 1 :])
        if main([str(pack), *KEY]) == VALID:
            unseen.append(at)
    capsys.readouterr()
    manifest = raw.index(b'{\n  "format"')
    assert [at for at in unseen if at < manifest] == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 21])
def test_proofs_are_those_of_the_tree(size: int) -> None:
    leaves = [leaf_of(bytes([number])) for number in range(size)]
    node, whole = nodes_of(leaves), root(leaves)
    for at in range(size):
        proof = inclusion(at, size, node)
        assert root_by(leaves[at], at, size, proof) == whole
        assert root_by(leaves[at], at, size, [*proof, whole]) != whole
        assert size == 1 or root_by(leaves[at], (at + 1) % size, size, proof) != whole
    for old in range(1, size + 1):
        proof = consistency(old, size, node)
        assert roots_by(root(leaves[:old]), old, size, proof) == (root(leaves[:old]), whole)
        assert roots_by(root(leaves[:old]), old, size, [*proof, whole])[1] != whole
    assert root_by(whole, 0, 0, []) == root_by(whole, 5, 2, [whole]) == b""


Texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12).filter(
    lambda text: _fits(text)
)
Values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | Texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcé中", max_size=3).filter(lambda t: _fits(t)), inner, max_size=3)
    ),
    max_leaves=8,
)


def _fits(text: str) -> bool:
    try:
        canonical(text)
    except ValueError:
        return False
    return True


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.dictionaries(st.sampled_from(["x", "yy", "z"]), Values)), max_size=12)
)
@settings(max_examples=80, deadline=None)
def test_a_clean_log_never_alarms(events: list[tuple[str, dict[str, Any]]]) -> None:
    walk, heads, leaves = Walk(), dict[str, tuple[int, bytes]](), list[bytes]()
    for number, (stream, data) in enumerate(events):
        version, prev = heads.get(stream, (0, bytes(32)))
        line = envelope_bytes(
            stream=stream,
            version=version + 1,
            event_id=uuid5(vectors.EVENT_ID, f"{number}"),
            type="RiskRaised",
            schema_version=1,
            recorded_at=START + timedelta(microseconds=number),
            effective_at=START,
            metadata=canonical({}),
            data=canonical(data),
            prev_hash=prev,
        )
        assert walk.add(line) is None
        heads[stream] = (version + 1, leaf_of(line))
        leaves.append(leaf_of(line))
    assert walk.tree.root() == root(leaves)


LINE = vectors.lines()[0].decode()
WRONG = {
    "a blank": LINE.replace('"no":0', '"no": 0'),
    "a key twice": LINE.replace('"no":0', '"no":0,"no":0'),
    "keys out of order": LINE.replace('"no":0,"text":"Plain"', '"text":"Plain","no":0'),
    "a float": LINE.replace('"no":0', '"no":0.0'),
    "minus nothing": LINE.replace('"no":0', '"no":-0'),
    "a number too large": LINE.replace('"no":0', f'"no":{2**53}'),
    "no number": LINE.replace('"no":0', '"no":NaN'),
    "another escape": LINE.replace("Plain", "\\u0050lain"),
    "a zero": LINE.replace("Plain", "\\u0000"),
    "not NFC": LINE.replace("Plain", "e\u0301"),
    "half a surrogate": LINE.replace("Plain", "\\ud800"),
    "another field": LINE[:-1] + ',"z":1}',
    "more after it": LINE + "x",
    "a control character": LINE.replace("Plain", "\x01"),
    "too deep": LINE.replace('"no":0', '"no":' + "[" * 5000 + "]" * 5000),
    "no version": LINE.replace('"version":1', '"version":0'),
    "no envelope": "{}",
    "a day": LINE.replace("T09:00:00.000000Z", ""),
    "empty": "",
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_canonical_is_refused_also_after_a_line_like_it(what: str) -> None:
    assert WRONG[what] != LINE
    for before in (False, True):
        walk = Walk()
        if before:
            assert walk.add(LINE.encode()) is None
        assert walk.add(WRONG[what].encode()) is not None
