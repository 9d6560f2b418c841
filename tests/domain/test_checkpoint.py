"""Checkpoints and notes: one spelling each, signatures that hold, and everything else refused."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from domain.checkpoint import (
    COSIGNATURE,
    BadNote,
    Checkpoint,
    Forged,
    Key,
    Line,
    Note,
    Proof,
    Signer,
    origin_of,
    seed_of,
    verify,
)

ORIGIN = origin_of("0190f0a0-0000-7000-8000-000000000001")
POINT = Checkpoint(ORIGIN, 20_852_163, sha256(b"a root").digest())
LOG = Signer(ORIGIN, bytes(range(32)))
NEXT = Signer(ORIGIN, bytes(range(1, 33)))
WITNESS = Signer("witness.example/w1", bytes(range(2, 34)), COSIGNATURE)
NOTE = Note(POINT, (LOG.sign(POINT), WITNESS.cosign(POINT, 1_764_000_000)))


def test_the_text_is_the_one_of_the_standard() -> None:
    root = b64encode(sha256(b"a root").digest()).decode()
    assert POINT.body == f"{ORIGIN}\n20852163\n{root}\n"
    head, _, lines = str(NOTE).partition("\n\n")
    assert head + "\n" == POINT.body
    first, second, end = lines.split("\n")
    assert first.startswith(f"— {ORIGIN} ")
    assert second.startswith("— witness.example/w1 ")
    assert end == ""


def test_signatures_are_plain_ed25519_over_the_text() -> None:
    public = Ed25519PublicKey.from_public_bytes(LOG.key.public)
    public.verify(LOG.sign(POINT).signature, POINT.body.encode())
    line = WITNESS.cosign(POINT, 1_764_000_000)
    signed = f"cosignature/v1\ntime 1764000000\n{POINT.body}".encode()
    Ed25519PublicKey.from_public_bytes(WITNESS.key.public).verify(line.signature[8:], signed)
    assert line.signature[:8] == (1_764_000_000).to_bytes(8, "big")
    assert line.seen_at == 1_764_000_000


def test_a_key_is_written_as_name_id_and_key() -> None:
    name, key_id, key = LOG.key.vkey.split("+", 2)
    assert name == ORIGIN
    assert key_id == sha256(ORIGIN.encode() + b"\n\x01" + LOG.key.public).hexdigest()[:8]
    assert key == b64encode(b"\x01" + LOG.key.public).decode()
    assert Key.parse(LOG.key.vkey) == LOG.key
    assert Key.parse(WITNESS.key.vkey) == WITNESS.key
    # The vkey that the documentation of Go's sumdb/note shows.
    known = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert Key.parse(known).vkey == known


@given(st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32), st.integers(1, 2**63 - 1))
def test_what_is_signed_reads_back_and_verifies(size: int, root: bytes, seen_at: int) -> None:
    point = Checkpoint(ORIGIN, size, root)
    note = Note(point, (LOG.sign(point), WITNESS.cosign(point, seen_at)))
    assert Note.parse(str(note)) == note
    assert note.verified([WITNESS.key, NEXT.key, LOG.key]) == [LOG.key, WITNESS.key]


def test_unknown_signers_are_passed_over() -> None:
    assert NOTE.verified([NEXT.key]) == []
    assert NOTE.verified([]) == []
    stranger = replace(NOTE.lines[0], key_id=b"\x00\x01\x02\x03")
    assert Note(POINT, (stranger, *NOTE.lines)).verified([LOG.key]) == [LOG.key]


def test_two_keys_of_one_name_are_told_apart() -> None:
    note = Note(POINT, (LOG.sign(POINT), NEXT.sign(POINT)))
    assert note.verified([NEXT.key]) == [NEXT.key]
    assert note.verified([LOG.key, NEXT.key]) == [LOG.key, NEXT.key]


@pytest.mark.parametrize(
    "forge",
    [
        lambda: replace(NOTE, checkpoint=replace(POINT, size=POINT.size + 1)),
        lambda: replace(NOTE, checkpoint=replace(POINT, root=bytes(32))),
        lambda: replace(NOTE, lines=(replace(NOTE.lines[0], signature=bytes(64)),)),
        lambda: replace(NOTE, lines=(replace(NOTE.lines[0], signature=b"short"),)),
        lambda: replace(NOTE, lines=(replace(NEXT.sign(POINT), key_id=LOG.key.id),)),
        lambda: replace(NOTE, lines=(replace(NOTE.lines[1], signature=bytes(8) + NOTE.lines[1].signature[8:]),)),
        lambda: replace(NOTE, lines=(replace(NOTE.lines[1], signature=NOTE.lines[1].signature[8:]),)),
        lambda: replace(NOTE, lines=(replace(NOTE.lines[1], signature=b"\xff" * 8 + NOTE.lines[1].signature[8:]),)),
    ],
)
def test_a_known_key_that_has_not_signed_this_condemns_the_note(forge: Callable[[], Note]) -> None:
    with pytest.raises(Forged):
        forge().verified([LOG.key, WITNESS.key])


def test_a_line_is_verified_under_its_name_and_kind() -> None:
    verify(POINT, NOTE.lines[0], LOG.key)
    with pytest.raises(Forged):
        verify(POINT, replace(NOTE.lines[0], name="another"), LOG.key)
    with pytest.raises(Forged):
        verify(POINT, NOTE.lines[0], replace(LOG.key, kind=COSIGNATURE))


def test_lines_are_added_once() -> None:
    assert NOTE.with_lines([WITNESS.cosign(POINT, 1_764_000_999)]) == NOTE
    other = NEXT.sign(POINT)
    assert NOTE.with_lines([other]).lines == (*NOTE.lines, other)


def test_a_proof_is_complete_in_itself() -> None:
    proof = Proof(7, (bytes(32), b"\x01" * 32), NOTE)
    head, _, rest = str(proof).partition("\n\n")
    assert head.splitlines() == ["c2sp.org/tlog-proof@v1", "index 7", "A" * 43 + "=", b64encode(b"\x01" * 32).decode()]
    assert rest == str(NOTE)
    assert Proof.parse(str(proof)) == proof
    assert Proof.parse(str(Proof(0, (), NOTE))) == Proof(0, (), NOTE)


TEXT, BODY = str(NOTE), POINT.body
ROOT = BODY.splitlines()[2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        BODY,
        BODY + "\n",
        TEXT[:-1],
        TEXT + "\n",
        TEXT.replace("\n\n", "\n"),
        TEXT.replace("\n\n", "\n\n\n"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("— ", "- "),
        TEXT.replace("— ", "—  ", 1),
        TEXT.replace(ROOT, ROOT[:-1]),
        TEXT.replace(ROOT, ROOT[:-2] + "R="),
        TEXT.replace(ROOT, b64encode(bytes(31)).decode()),
        TEXT.replace(ROOT, b64encode(bytes(33)).decode()),
        TEXT.replace(ROOT, ROOT + "\nextension"),
        TEXT.replace("20852163", "020852163"),
        TEXT.replace("20852163", "-1"),
        TEXT.replace("20852163", "+1"),
        TEXT.replace("20852163", "1e3"),
        TEXT.replace("20852163", "٣"),
        TEXT.replace("20852163", "0"),
        TEXT.replace("20852163", str(2**63)),
        TEXT.replace("20852163", ""),
        TEXT.replace(ORIGIN, "", 1),
        TEXT.replace(ORIGIN, "a b"),
        TEXT.replace(ORIGIN, "a+b"),
        TEXT.replace(ORIGIN, "a\u3000b"),
        TEXT.replace(ORIGIN, "a\x01b"),
        TEXT.replace(ORIGIN, "a\ud800b"),
        TEXT.replace(ORIGIN, "a" * 201),
        TEXT + TEXT.splitlines()[-1] + "\n",
        TEXT + "— name AAAAAA==\n",
        TEXT + "— name !\n",
        TEXT + "".join(f"{Line(f'w{no}', bytes(4), bytes(64))}\n" for no in range(64)),
        TEXT + "x" * 70_000,
    ],
    ids=ascii,
)
def test_no_other_text_is_a_note(text: str) -> None:
    with pytest.raises(BadNote):
        Note.parse(text)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        LOG.key.vkey.replace(LOG.key.id.hex(), "00000000"),
        LOG.key.vkey.replace(LOG.key.id.hex(), LOG.key.id.hex().upper()),
        LOG.key.vkey.replace(ORIGIN, "other"),
        LOG.key.vkey[:-1],
        LOG.key.vkey + "\n",
        f"name+00000000+{b64encode(bytes([2]) + bytes(32)).decode()}",
        f"name+00000000+{b64encode(bytes(32)).decode()}",
        f"na me+00000000+{b64encode(bytes([1]) + bytes(32)).decode()}",
    ],
)
def test_no_other_text_is_a_key(vkey: str) -> None:
    with pytest.raises(BadNote):
        Key.parse(vkey)


@pytest.mark.parametrize(
    "text",
    [
        "",
        str(NOTE),
        "c2sp.org/tlog-proof@v2\nindex 0\n\n" + TEXT,
        "c2sp.org/tlog-proof@v1\nindex 00\n\n" + TEXT,
        "c2sp.org/tlog-proof@v1\nindex -1\n\n" + TEXT,
        "c2sp.org/tlog-proof@v1\nextra AA==\nindex 0\n\n" + TEXT,
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n" + TEXT,
        "c2sp.org/tlog-proof@v1\nindex 0\n\n" + BODY,
        "c2sp.org/tlog-proof@v1\nindex 0\n" + (b64encode(bytes(32)).decode() + "\n") * 64 + "\n" + TEXT,
    ],
)
def test_no_other_text_is_a_proof(text: str) -> None:
    with pytest.raises(BadNote):
        Proof.parse(text)


def test_a_secret_key_is_32_bytes_in_base64_or_hex() -> None:
    assert seed_of(b64encode(LOG.seed).decode() + "\n") == LOG.seed
    assert seed_of(LOG.seed.hex() + "\n") == LOG.seed
    assert b64encode(LOG.seed).decode() not in repr(LOG)
    for text in ("", "x", b64encode(bytes(31)).decode(), bytes(31).hex(), bytes(33).hex()):
        with pytest.raises(BadNote):
            seed_of(text)
    with pytest.raises(BadNote):
        _ = Signer(ORIGIN, b"short").key


@given(st.text(max_size=300))
def test_any_text_is_refused_without_a_fault(text: str) -> None:
    for parse in (Note.parse, Key.parse, Proof.parse, Checkpoint.parse):
        with pytest.raises(BadNote):
            parse(text)
