"""Checkpoints: what a log says of itself, signed. The forms are those of C2SP: tlog-checkpoint, signed-note and others.

A note is the text of a checkpoint, an empty line, and a line for each signature: the log's own (Ed25519, type 1) and
those of witnesses (cosignature/v1, type 4), who state when they saw it.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.merkle import EMPTY_ROOT, HASH_BYTES, SIZE_BOUND

SIGNATURE = 1
"""Type of a key that signs the text of a note."""
COSIGNATURE = 4
"""Type of a witness's key, which signs the text and the time when it was seen."""
KEY_BYTES = 32
NOTE_BOUND = 65_536
"""Bytes of a note, at most."""
LINES_BOUND = 64
"""Signatures of a note, at most."""
PROOF_HEAD = "c2sp.org/tlog-proof@v1"
HASHES_BOUND = 64
ORIGIN_PREFIX = "tandem/"
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f\ud800-\udfff]{1,200}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_LINE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+={0,2})")


class BadNote(ValueError):
    """No checkpoint, note, signature line or key in the form that it has to have; the text says why."""


class Forged(ValueError):
    """A line under a known key's name and id is not that key's signature of this text."""


def origin_of(log_id: str) -> str:
    """The name of a log, and of its key."""
    return f"{ORIGIN_PREFIX}{log_id}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log of this name had this many entries with this root. Raises BadNote where it cannot be."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.origin):
            raise BadNote("an origin has 1 to 200 characters, no blanks and no plus sign")
        if not 0 <= self.size < SIZE_BOUND or len(self.root) != HASH_BYTES:
            raise BadNote(f"a checkpoint has a size from 0 on and a root of {HASH_BYTES} bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise BadNote("no entries have another root")

    @property
    def body(self) -> str:
        """The text that is signed: origin, size and root, a line each."""
        return f"{self.origin}\n{self.size}\n{_written(self.root)}\n"

    @classmethod
    def parse(cls, body: str) -> Self:
        """From its text. Raises BadNote for anything but three lines; this log writes no extension lines."""
        match body.split("\n"):
            case [origin, size, tree_root, ""] if _NUMBER.fullmatch(size):
                return cls(origin, int(size), _read(tree_root, HASH_BYTES))
            case _:
                raise BadNote("a checkpoint has three lines: origin, size, root")


@dataclass(frozen=True, slots=True)
class Key:
    """Somebody's public key, as it is handed out. Raises BadNote where it cannot be one."""

    name: str
    public: bytes
    kind: int = SIGNATURE

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadNote("a key's name has 1 to 200 characters, no blanks and no plus sign")
        if self.kind not in (SIGNATURE, COSIGNATURE) or len(self.public) != KEY_BYTES:
            raise BadNote("only Ed25519 keys are known: type 1 for logs, type 4 for witnesses")

    @property
    def id(self) -> bytes:
        """Four bytes that tell it from other keys of that name."""
        return sha256(self.name.encode() + b"\n" + self._typed).digest()[:4]

    @property
    def vkey(self) -> str:
        """The text that stands for it: name, id and key, joined by plus signs."""
        return f"{self.name}+{self.id.hex()}+{_written(self._typed)}"

    @property
    def _typed(self) -> bytes:
        return bytes([self.kind]) + self.public

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """From its text. Raises BadNote, also where the id is not the key's."""
        name, plus, rest = vkey.partition("+")
        hex_id, _, typed = rest.partition("+")
        if not plus:
            raise BadNote("a key is written as name+id+key")
        decoded = _read(typed, KEY_BYTES + 1)
        key = cls(name, decoded[1:], decoded[0])
        if key.id.hex() != hex_id:
            raise BadNote(f"{hex_id[:20]!r} is not the id of this key of {name}")
        return key


@dataclass(frozen=True, slots=True)
class Line:
    """One signature under a note, by whom it says it is."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {_written(self.key_id + self.signature)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From its text without the end of line. Raises BadNote."""
        found = _LINE.fullmatch(text)
        if not found or not _NAME.fullmatch(found[1]):
            raise BadNote("a signature line is a dash, a name and base64")
        decoded = _read(found[2])
        if len(decoded) < 5:
            raise BadNote("a signature has an id of four bytes before it")
        return cls(found[1], decoded[:4], decoded[4:])

    @property
    def seen_at(self) -> int:
        """Of a witness's line: when it says that it saw the checkpoint, in seconds since 1970."""
        return int.from_bytes(self.signature[:8], "big")

    def is_by(self, key: Key) -> bool:
        """Whether it claims to be this key's; what it signs has to be verified still."""
        return (self.name, self.key_id) == (key.name, key.id)


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint with the signatures under it, at least one."""

    checkpoint: Checkpoint
    lines: tuple[Line, ...]

    def __str__(self) -> str:
        return self.checkpoint.body + "\n" + "".join(f"{line}\n" for line in self.lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From its text. Raises BadNote; no signature is verified by it."""
        if len(text) > NOTE_BOUND:
            raise BadNote(f"a note has at most {NOTE_BOUND} bytes")
        body, gap, signatures = text.rpartition("\n\n")
        rows = signatures.split("\n")
        if not gap or rows.pop() != "" or not 0 < len(rows) <= LINES_BOUND:
            raise BadNote(f"a note is a text, an empty line and 1 to {LINES_BOUND} signature lines, each ended")
        lines = tuple(Line.parse(row) for row in rows)
        if len({(line.name, line.key_id) for line in lines}) < len(lines):
            raise BadNote("a key has signed twice")
        return cls(Checkpoint.parse(body + "\n"), lines)

    def with_lines(self, added: Iterable[Line]) -> Self:
        """The note with more signatures; those of keys that have signed already are left out."""
        known = {(line.name, line.key_id): line for line in (*self.lines, *added)}
        known |= {(line.name, line.key_id): line for line in self.lines}
        return replace(self, lines=tuple(known.values()))

    def verified(self, keys: Sequence[Key]) -> list[Key]:
        """Those of the keys that have signed; others' lines are passed over. Raises Forged where one has not."""
        signers = [(key, line) for line in self.lines for key in keys if line.is_by(key)]
        for key, line in signers:
            verify(self.checkpoint, line, key)
        return [key for key, _ in signers]


@dataclass(frozen=True, slots=True)
class Proof:
    """One entry's place in a log, complete for whoever knows the entry and the keys (C2SP tlog-proof)."""

    index: int
    path: tuple[bytes, ...]
    note: Note

    def __str__(self) -> str:
        path = "".join(f"{_written(part)}\n" for part in self.path)
        return f"{PROOF_HEAD}\nindex {self.index}\n{path}\n{self.note}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From its text; one with extra lines is refused. Raises BadNote; nothing is verified by it."""
        head, _, note = text.partition("\n\n")
        match head.split("\n"):
            case [first, second, *path] if first == PROOF_HEAD and len(path) < HASHES_BOUND:
                word, _, index = second.partition(" ")
                if word == "index" and _NUMBER.fullmatch(index):
                    return cls(int(index), tuple(_read(part, HASH_BYTES) for part in path), Note.parse(note))
        raise BadNote(f"a proof starts with {PROOF_HEAD}, then its index and at most {HASHES_BOUND - 1} hashes")


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """Somebody's secret key. Signing the same again gives the same."""

    name: str
    seed: bytes
    kind: int = SIGNATURE

    @property
    def key(self) -> Key:
        """The public key of it. Raises BadNote where the seed has not 32 bytes."""
        return Key(self.name, self._secret().public_key().public_bytes_raw(), self.kind)

    def sign(self, checkpoint: Checkpoint) -> Line:
        """The log's line under its checkpoint."""
        return Line(self.name, self.key.id, self._secret().sign(checkpoint.body.encode()))

    def cosign(self, checkpoint: Checkpoint, seen_at: int) -> Line:
        """A witness's line: it saw this at that time, in seconds since 1970, and nothing that contradicts it."""
        signature = self._secret().sign(_witnessed(checkpoint, seen_at))
        return Line(self.name, self.key.id, seen_at.to_bytes(8, "big") + signature)

    def _secret(self) -> Ed25519PrivateKey:
        if len(self.seed) != KEY_BYTES:
            raise BadNote(f"a secret key has {KEY_BYTES} bytes")
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def seed_of(text: str) -> bytes:
    """A secret key as it is kept in files and settings: in base64 or as 64 hex digits. Raises BadNote."""
    written = text.strip()
    return bytes.fromhex(written) if _HEX.fullmatch(written) else _read(written, KEY_BYTES)


def verify(checkpoint: Checkpoint, line: Line, key: Key) -> None:
    """Raises Forged unless the line is the key's signature, or cosignature, of this checkpoint."""
    signed, signature = checkpoint.body.encode(), line.signature
    if key.kind == COSIGNATURE:
        if len(line.signature) != 72 or not 0 < line.seen_at < SIZE_BOUND:
            raise Forged(f"the line of {key.name} is no cosignature")
        signed, signature = _witnessed(checkpoint, line.seen_at), line.signature[8:]
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise Forged(f"the line of {key.name} does not sign this checkpoint") from error
    if not line.is_by(key):
        raise Forged(f"the line is not under the name and id of {key.name}")


def _witnessed(checkpoint: Checkpoint, seen_at: int) -> bytes:
    return f"cosignature/v1\ntime {seen_at}\n{checkpoint.body}".encode()


def _written(raw: bytes) -> str:
    return b64encode(raw).decode()


def _read(text: str, length: int | None = None) -> bytes:
    """From base64 in its one spelling. Raises BadNote."""
    try:
        raw = b64decode(text, validate=True)
    except (NotBase64, ValueError) as error:
        raise BadNote("no base64") from error
    if _written(raw) != text or (length is not None and len(raw) != length):
        raise BadNote("base64 of another length than it has to have" if length else "base64 with stray bits")
    return raw
