"""Check a pack of Tandem's history: python tandem_verify.py PACK --key VKEY

Needs Python 3.11 and `cryptography`, nothing of Tandem. No stored hash is trusted: leaves are computed from the bytes
of the events, and only keys and checkpoints from elsewhere count. The format: docs/reference/pack-format.md.

Exit codes: 0 valid · 1 tampered, naming the first place · 2 unreadable · 3 nothing is wrong, but not all that was asked
for is proven: no trusted signature, too few witnesses, an older checkpoint that cannot be compared.
"""

import argparse
import json
import re
import sys
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import chain, product
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import is_normalized
from uuid import NAMESPACE_URL, uuid5
from zipfile import ZipFile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VALID, TAMPERED, UNREADABLE, UNPROVEN = 0, 1, 2, 3
EVENTS, PROOFS, CHECKPOINT, CHECKPOINTS = "events.ndjson", "proofs.ndjson", "checkpoint", "checkpoints.ndjson"
ENTRY_BOUND, BLOCK = 65_535, 1 << 20
SHAPE: dict[str, type] = {"data": dict, "effective_at": str, "event_id": str, "metadata": dict, "prev_hash": str}
SHAPE |= {"recorded_at": str, "schema_version": int, "stream": str, "type": str, "version": int}
INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
COMPACT: Any = {"sort_keys": True, "ensure_ascii": False, "separators": (",", ":")}
ESCAPED = bytes([*range(32), 92])
TAIL = re.compile(
    rb'"recorded_at":"([^"]+)","schema_version":[0-9]+,"stream":"([^"]+)","type":"([^"]+)","version":([0-9]{1,16})}$'
)
ELSEWHERE = b'{"archived":'
EVENT_ID = uuid5(NAMESPACE_URL, "tandem:event")
LINK = "this event or the one before it in its stream was changed: the hash that links them does not fit"


@dataclass(frozen=True)
class Finding:
    """What is wrong, and where: lines count from 1; bytes of the file and positions from 0."""

    kind: str
    says: str
    file: str = EVENTS
    line: int | None = None
    byte: int | None = None
    position: int | None = None
    stream: str | None = None
    version: int | None = None

    def __str__(self) -> str:
        where = [f"{name} {value}" for name, value in list(asdict(self).items())[3:] if value is not None]
        return f"{self.kind}: {self.says} [{', '.join([self.file, *where])}]"


@dataclass
class Report:
    """What was checked, what is wrong, and what is not proven."""

    kind: str
    origin: str
    size: int
    root: str
    events: int = 0
    findings: list[Finding] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        return TAMPERED if self.findings else UNPROVEN if self.unproven else VALID


def leaf_of(line: bytes) -> bytes:
    """A line that only tells the hash of an event, whose content is in another pack, is taken at its word."""
    if line.startswith(ELSEWHERE):
        return bytes.fromhex(json.loads(line)["leaf"])
    return sha256(b"\0" + line).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


class Tree:
    """A growing tree of RFC 6962: the roots of its full subtrees, the widest first."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._full: list[bytes] = []
        for leaf in leaves:
            self.add(leaf)

    def add(self, leaf: bytes) -> None:
        size = self.size
        while size & 1:
            leaf = sha256(b"\1" + self._full.pop() + leaf).digest()
            size >>= 1
        self._full.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        root = b""
        for left in reversed(self._full):
            root = node(left, root) if root else left
        return root or sha256(b"").digest()


def root_by(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to; b"" where it cannot be one."""
    if size <= 1 or not proof or not 0 <= index < size:
        return leaf if size == 1 and index == 0 and not proof else b""
    half, rest, last = 1 << (size - 1).bit_length() - 1, proof[:-1], proof[-1]
    below = root_by(leaf, index, half, rest) if index < half else root_by(leaf, index - half, size - half, rest)
    return below and (node(below, last) if index < half else node(last, below))


def roots_by(old_root: bytes, old: int, new: int, proof: Sequence[bytes], whole: bool = True) -> tuple[bytes, bytes]:
    """The roots of the older and the newer tree that a consistency proof leads to; b"" where it cannot be one."""
    if old == new:
        found = old_root if whole and not proof else proof[0] if not whole and len(proof) == 1 else b""
        return found, found
    if not proof or not 0 < old < new:
        return b"", b""
    half, last = 1 << (new - 1).bit_length() - 1, proof[-1]
    if old <= half:
        before, after = roots_by(old_root, old, half, proof[:-1], whole)
        return before, after and node(after, last)
    before, after = roots_by(old_root, old - half, new - half, proof[:-1], False)
    return before and node(last, before), after and node(last, after)


class Key(NamedTuple):
    """A vkey of C2SP, name+id+base64(type ‖ public key): type 1 signs checkpoints, type 4 is a witness."""

    name: str
    id: bytes
    typed: bytes

    def signed(self, text: bytes, signature: bytes) -> bool:
        if self.typed[0] == 4:
            text = b"cosignature/v1\ntime %d\n" % int.from_bytes(signature[:8], "big") + text
            signature = signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.typed[1:]).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True

    @classmethod
    def parse(cls, vkey: str) -> "Key":
        name, _, rest = vkey.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        typed = decoded(encoded)
        found = cls(name, sha256(name.encode() + b"\n" + typed).digest()[:4], typed)
        if len(typed) != 33 or typed[0] not in (1, 4) or key_id != found.id.hex():
            raise ValueError(f"{vkey[:80]!r} is no key: name+id+base64, of Ed25519")
        return found


class Note(NamedTuple):
    """A checkpoint and the signatures under it: name, key id, signature."""

    text: bytes
    origin: str
    size: int
    root: bytes
    signatures: list[tuple[str, bytes, bytes]]

    @classmethod
    def parse(cls, raw: bytes) -> "Note":
        text, _, rows = raw.partition(b"\n\n")
        lines = text.decode(errors="replace").split("\n")
        signed = re.findall(r"^\u2014 (\S+) (\S+)\n", rows.decode(errors="replace"), re.MULTILINE)
        if len(lines) != 3 or not re.fullmatch(r"0|[1-9][0-9]{0,17}", lines[1]) or rows.count(b"\n") != len(signed):
            raise ValueError("a checkpoint is origin, size and root, an empty line, and a line for each signature")
        signatures = [(name, (both := decoded(line))[:4], both[4:]) for name, line in signed]
        return cls(text + b"\n", lines[0], int(lines[1]), decoded(lines[2]), signatures)

    def signers(self, keys: Iterable[Key]) -> tuple[set[Key], set[Key]]:
        """Of these keys: who has signed, and in whose name stands what they have not signed."""
        verdicts: tuple[set[Key], set[Key]] = (set(), set())
        for key in keys:
            for name, key_id, signature in self.signatures:
                if (name, key_id) == (key.name, key.id):
                    verdicts[not key.signed(self.text, signature)].add(key)
        return verdicts


def decoded(text: str) -> bytes:
    if b64encode(raw := b64decode(text)).decode() != text:
        raise ValueError(f"{text[:80]!r} is not base64")
    return raw


def number(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,16}", text) or abs(int(text)) >= 2**53:
        raise ValueError(f"{text[:40]} is no integer below 2^53")
    return int(text)


def parsed(text: str) -> dict[str, Any]:
    """The envelope, where this is the one way to write it: RFC 8785 without floats, NFC. Raises ValueError."""
    try:
        value = json.loads(text, parse_float=number, parse_constant=number, parse_int=number)
        canonical = json.dumps(value, **COMPACT) == text and is_normalized("NFC", text) and not NUL.search(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not canonical or len(text.encode()) > ENTRY_BOUND:
        raise ValueError("not canonical: blanks, order of keys, a key twice, escapes, not NFC, or too long")
    if not isinstance(value, dict) or {name: type(part) for name, part in value.items()} != SHAPE:
        raise ValueError("not the envelope of an event")
    form = rf"[0-9a-f]{{64}} {INSTANT} {INSTANT} [1-9][0-9]* [1-9][0-9]* [^\0]+"
    names = ("prev_hash", "recorded_at", "effective_at", "version", "schema_version", "stream")
    if not re.fullmatch(form, " ".join(str(value[name]) for name in names)):
        raise ValueError("a field of the envelope has not the form that it must have")
    return value


def pattern_of(line: bytes) -> re.Pattern[bytes]:
    """Lines written like this one, which has no escapes: other strings and integers, the same keys and structure."""
    parts = line.split(b'"')
    for i, part in enumerate(parts):
        if i % 2 and not parts[i + 1].startswith(b":"):
            parts[i] = rb'[^"]*+'
        elif i % 2 == 0 and i < len(parts) - 11:
            parts[i] = re.sub(rb"-?[0-9]+", rb"(?:0|-?[1-9][0-9]{0,14})", re.sub(rb"[][{}]", rb"\\\g<0>", part))
        else:
            parts[i] = re.escape(part)
    parts[-1], parts[-8], parts[-18] = rb":([1-9][0-9]{0,14})}", rb'([^"]++)', rb"([0-9a-f]{64})"
    parts[-14] = b"(%s)" % INSTANT.encode()
    return re.compile(b'"'.join(parts))


class Walk:
    """Events in order: each canonical, versions dense, hashes chained, time never going back in a stream.

    A line without escapes is not parsed again where it is written like one that was.
    """

    def __init__(self) -> None:
        self.tree, self.leaf, self.elsewhere = Tree(), b"", 0
        self.heads: dict[bytes, tuple[int, bytes, bytes]] = {}
        self._known: dict[bytes, list[re.Pattern[bytes]]] = defaultdict(list)

    def add(self, line: bytes) -> Finding | None:
        """What is wrong with the line as the next one of a whole log."""
        at = self.tree.size
        try:
            self.leaf = leaf = leaf_of(line)
            self.tree.add(leaf)
            prev, recorded, stream, version = self._read(line)
        except ValueError as wrong:
            return Finding("changed", str(wrong), EVENTS, at + 1, None, at)
        head = self.heads.get(stream, (0, bytes(32), b""))
        self.heads[stream] = (version, leaf, recorded)
        if version == head[0] + 1 and bytes.fromhex(prev) == head[1] and recorded >= head[2]:
            return None
        kind, says = "re-dated", "recorded before the event that it follows"
        if version > head[0] + 1:
            kind, says = "dropped", f"version {head[0] + 1} of this stream is not before this event"
        elif version <= head[0]:
            kind, says = "inserted", f"this stream has reached version {head[0]} before"
        elif bytes.fromhex(prev) != head[1]:
            kind, says = "changed", LINK
        return Finding(kind, says, EVENTS, at + 1, None, at, stream.decode(), version)

    def _read(self, line: bytes) -> tuple[str, bytes, bytes, int]:
        """prev_hash, recorded_at, stream, version. Raises ValueError."""
        if line.startswith(ELSEWHERE):
            told, self.elsewhere = json.loads(line), self.elsewhere + 1
            head = self.heads.get(stream := told["stream"].encode(), (0, bytes(32), b""))
            return head[1].hex(), head[2], stream, told["version"]
        plain = len(line.translate(None, ESCAPED)) == len(line) <= ENTRY_BOUND
        patterns = self._known[line.rsplit(b'"', 4)[1]] if plain and line.count(b'"') > 30 else []
        for pattern in patterns if line.isascii() or is_normalized("NFC", line.decode()) else ():
            if found := pattern.fullmatch(line):
                return found[1].decode(), found[2], found[3], int(found[4])
        event = parsed(line.decode())
        patterns[:] = [pattern_of(line), *patterns[:7]] if plain else []
        return event["prev_hash"], event["recorded_at"].encode(), event["stream"].encode(), event["version"]


class Pack:
    """The files of a ZIP, read without ZIP's checksums: ours tell more."""

    def __init__(self, path: Path) -> None:
        self._zip = ZipFile(path)
        self.names = self._zip.namelist()
        self.manifest = json.loads(self.read("manifest.json"))
        if self.manifest["format"] != "tandem-pack/1" or len(set(self.names)) != len(self.names):
            raise ValueError("this is no pack of a format that is known here")

    def blocks(self, name: str) -> Iterator[bytes]:
        with self._zip.open(name) as member:
            # What was changed is to be found and named by its hash; a check sum would end the reading before.
            member._expected_crc = None  # type: ignore[attr-defined]
            yield from iter(lambda: member.read(BLOCK), b"")

    def read(self, name: str) -> bytes:
        return b"".join(self.blocks(name))

    def lines(self, name: str) -> Iterator[bytes]:
        rest = b""
        for block in self.blocks(name) if name in self.names else ():
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
        yield from [rest] if rest else ()

    def changed(self, name: str) -> bool:
        digest, size = sha256(), 0
        for block in self.blocks(name) if name in self.names else ():
            digest.update(block)
            size += len(block)
        wanted: dict[str, Any] = self.manifest["files"]
        return {"bytes": size, "sha256": digest.hexdigest()} != wanted.get(name)


class Check:
    """One pack held against keys, witnesses and checkpoints from elsewhere. Raises where it is no pack."""

    def __init__(self, pack: Pack, keys: set[Key], witnesses: set[Key], quorum: int, older: list[Note]) -> None:
        self.pack = pack
        self.note = note = Note.parse(pack.read(CHECKPOINT))
        self.own = {Key.parse(entry["vkey"]) for entry in json.loads(pack.read("keys.json"))}
        self.report = Report(str(pack.manifest["kind"]), note.origin, note.size, note.root.hex())
        self.older = [known for known in older if known.origin == note.origin and known.size <= note.size]
        self.damaged = pack.changed(EVENTS)
        self._seal(keys, witnesses, quorum)
        self._log(keys) if self.report.kind == "log" else self._project()
        self._hold(older)
        told = {"manifest.json", *(found.file for found in self.report.findings)}
        for name in sorted({*pack.manifest["files"], *pack.names} - told):
            if pack.changed(name):
                self._found("changed", "the file is not the one that the manifest names", name)

    def _found(self, *named: Any) -> None:
        self.report.findings.append(Finding(*named))

    def _counted(self, walk: Walk) -> None:
        if walk.elsewhere:
            self.report.unproven.append(f"{walk.elsewhere} events are archived: their content is in other packs")

    def _seal(self, keys: set[Key], witnesses: set[Key], quorum: int) -> None:
        good, bad = self.note.signers(keys | self.own | witnesses)
        if bad or not good:
            self._found("seal", "no signature fits: it or the checkpoint was changed", CHECKPOINT)
        if not good & keys:
            self.report.unproven.append("no key of yours has signed the checkpoint; whoever makes a pack can make keys")
        if len(good & witnesses) < quorum:
            self.report.unproven.append(f"{len(good & witnesses)} of your witnesses have signed, {quorum} must")

    def _hold(self, older: list[Note]) -> None:
        for known in older:
            if known.origin != self.note.origin:
                self.report.unproven.append(f"your checkpoint of {known.origin} is of another log")
            elif known.size > self.note.size:
                says = f"there were {known.size} events, now {self.note.size}: cut off, or a pack from before"
                self._found("truncated", says, CHECKPOINT)

    def _log(self, keys: set[Key]) -> None:
        roots: dict[int, set[bytes]] = defaultdict(set)
        for line, text in enumerate(self.pack.lines(CHECKPOINTS), 1):
            known = Note.parse(json.loads(text)["checkpoint"].encode())
            roots[known.size].add(known.root)
            if known.signers(keys | self.own)[1] or known.origin != self.note.origin:
                self._found("seal", "the signature of this checkpoint does not fit", CHECKPOINTS, line)
        for known in (self.note, *self.older):
            roots[known.size].add(known.root)
        walk, first, sound, other, digest = Walk(), None, 0, 0, sha256()
        for event in self.pack.lines(EVENTS):
            found = walk.add(event)
            digest.update(walk.leaf)
            first = first or found
            if walk.tree.size in roots and not other:
                same = roots[walk.tree.size] == {walk.tree.root()}
                sound, other = (walk.tree.size, 0) if same else (sound, walk.tree.size)
        self.report.events = walk.tree.size
        self._counted(walk)
        if first or other or walk.tree.size != self.note.size:
            self.report.findings.append(self._sealed(roots) or self._guessed(first, sound, other))
        elif digest.digest() != sha256(self.pack.read("leaves")).digest():
            self._found("seal", "the tree kept other hashes than those of the events that were sealed", "leaves")

    def _sealed(self, roots: dict[int, set[bytes]]) -> Finding | None:
        """The first difference from those leaves that the largest checkpoint that fits proves to be the sealed ones."""
        leaves = self.pack.read("leaves")
        sealed = [leaves[at : at + 32] for at in range(0, len(leaves), 32)]
        for size in sorted(roots, reverse=True):
            if roots[size] == {Tree(sealed[:size]).root()}:
                lines = list(self.pack.lines(EVENTS))
                more = lines[size:] if size < self.note.size else []
                return compared(
                    lines, sealed[:size] + [leaf_of(line) for line in more], range(self.note.size), self.damaged
                )
        return None

    def _guessed(self, first: Finding | None, sound: int, other: int) -> Finding:
        """What is wrong, where nothing proves what the leaves were: by the events alone, and by how many there are."""
        tails = [tail.groups() for line in self.pack.lines(EVENTS) if (tail := TAIL.search(line))]
        if first and first.kind == "dropped":
            later = [tail for tail in tails[first.position :] if tail[1].decode() == first.stream]
            if any(int(tail[3]) < (first.version or 0) for tail in later):
                return replace(first, kind="reordered", says="an earlier version of this stream comes after this one")
        missing = self.note.size - self.report.events
        if first or not missing:
            says = f"not the events that were sealed: the first other one is from position {sound} on"
            return first or Finding("forked", f"{says}, before {other or self.note.size}", position=sound)
        if missing < 0:
            return Finding("inserted", f"{-missing} events more than were sealed", position=sound)
        kind, at = ("dropped", sound) if other else ("truncated", self.report.events)
        return Finding(kind, f"{missing} events are missing from here on", position=at)

    def _project(self) -> None:
        lines, walk = list(self.pack.lines(EVENTS)), Walk()
        first = [found for line in lines if (found := walk.add(line))]
        proofs = [json.loads(line) for line in self.pack.lines(PROOFS)]
        sealed, positions = [bytes.fromhex(proof["leaf"]) for proof in proofs], [proof["position"] for proof in proofs]
        self.report.events = len(lines)
        self._counted(walk)
        for line, (leaf, proof) in enumerate(zip(sealed, proofs, strict=True), 1):
            path = [decoded(step) for step in proof["proof"]]
            if root_by(leaf, proof["position"], self.note.size, path) != self.note.root:
                self._found("changed", "this proof does not lead to the checkpoint", PROOFS, line)
                return
        if found := compared(lines, sealed, positions, self.damaged) or (first[0] if first else None):
            self.report.findings.append(found)
        elif positions != sorted(set(positions)) or len(walk.heads) > 1:
            self._found("reordered", "positions do not rise with versions, or streams are mixed", PROOFS)
        self._grown({value["size"]: value["proof"] for value in map(json.loads, self.pack.lines("consistency.ndjson"))})

    def _grown(self, proofs: dict[int, list[str]]) -> None:
        for known in self.older:
            path = [decoded(step) for step in proofs.get(known.size, [])]
            if known.size not in proofs and known.size < self.note.size:
                self.report.unproven.append(f"the pack has no proof that it continues your log of {known.size} events")
            elif roots_by(known.root, known.size, self.note.size, path) != (known.root, self.note.root):
                self._found("forked", f"the log does not continue that of {known.size} events", CHECKPOINT)


def compared(lines: list[bytes], sealed: list[bytes], positions: Sequence[int], damaged: bool) -> Finding | None:
    """The first difference between what is there and what was sealed there."""
    have = [leaf_of(line) for line in lines]
    i, at = next((i for i, pair in enumerate(zip(have, sealed, strict=False)) if len(set(pair)) > 1), -1), 0
    i = i if i >= 0 else min(len(have), len(sealed))
    real, later = set(sealed[i:]), set(have[i:])
    if not real and not later:
        return None
    if not later:
        kind, says = "truncated", f"{len(real)} events are missing from here to the end"
    elif have[i] in real and sealed[i] in later:
        kind, says = "reordered", f"what was sealed here stands in line {have.index(sealed[i], i) + 1}"
    elif have[i] in real:
        kind, says = "dropped", f"{sealed.index(have[i], i) - i} events are missing before this one"
    elif not real or sealed[i] in later:
        kind, says = "inserted", "nothing like this was sealed"
    else:
        kind, says, at = altered(lines, i, sealed[i], damaged)
    tail = TAIL.search(lines[i]) if later else None
    who = (tail[2].decode(errors="replace"), int(tail[4])) if tail else (None, None)
    byte = sum(len(line) + 1 for line in lines[:i]) + at
    return Finding(kind, says, EVENTS, i + 1, byte, positions[i] if i < len(positions) else None, *who)


def altered(lines: list[bytes], i: int, wanted: bytes, damaged: bool) -> tuple[str, str, int]:
    """How the line was altered, and from which byte on. Where the hash fits again, that is what stood there."""
    line = lines[i]
    # Whether one byte differs is only tried where the file is not the one that was written; one bit of it first.
    places = range(len(line) if damaged else 0)
    bits = ((at, line[at] ^ (1 << bit)) for at in places for bit in range(8))
    for at, byte in chain(bits, product(places if len(line) < 4096 else (), range(256))):
        if leaf_of(line[:at] + bytes([byte]) + line[at + 1 :]) == wanted:
            return "changed", f"one byte is {line[at : at + 1]!r} and was {bytes([byte])!r}", at
    try:
        event = parsed(line.decode())
    except ValueError as wrong:
        return "changed", str(wrong), 0
    tails = [[part.decode() for part in tail.groups()] for other in lines if (tail := TAIL.search(other))]
    dates = [tail[0] for tail in tails if tail[1] == event["stream"]]
    tries = [{"stream": tail[1]} for tail in tails] + [{"type": tail[2]} for tail in tails]
    for date in {event["effective_at"], *dates}:
        tries += [{"recorded_at": date}, {"effective_at": date}, {"recorded_at": date, "effective_at": date}]
    for tried in {tuple(tried.items()): tried for tried in tries}.values():
        if leaf_of(json.dumps(event | tried, **COMPACT).encode()) == wanted:
            name, was = next(iter(tried.items()))
            kind = "renamed" if name in ("stream", "type") else "re-dated"
            return kind, f"its {name} is {event[name]} and was {was}", line.rindex(f'"{name}":'.encode())
    command = event["metadata"].get("command_id")
    if event["event_id"] not in [str(uuid5(EVENT_ID, f"{event['stream']}/{command}/{n}")) for n in range(1, 200)]:
        return "renamed", "its event_id was not made for this stream and command", line.rindex(b'"stream":')
    if dates != sorted(dates):
        return "re-dated", "it was not recorded between its neighbours", line.rindex(b'"recorded_at":')
    return "changed", "this is not what was sealed", 0


def main(words: Sequence[str] | None = None) -> int:
    """The exit code."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("pack", type=Path)
    asked.add_argument("--key", action="append", default=[], help="a vkey of the log, from elsewhere than the pack")
    asked.add_argument("--witness", action="append", default=[], help="a vkey of a witness")
    asked.add_argument("--quorum", type=int, help="how many witnesses must have signed; all that are named")
    asked.add_argument("--checkpoint", action="append", default=[], type=Path, help="an older one that you have kept")
    asked.add_argument("--json", action="store_true", help="the report as JSON")
    given = asked.parse_args(words)
    try:
        keys, witnesses = {Key.parse(text) for text in given.key}, {Key.parse(text) for text in given.witness}
        quorum = len(witnesses) if given.quorum is None else given.quorum
        older = [Note.parse(path.read_bytes()) for path in given.checkpoint]
        report = Check(Pack(given.pack), keys, witnesses, quorum, older).report
    except Exception as error:
        print(f"unreadable: {type(error).__name__}: {error}", file=sys.stderr)
        return UNREADABLE
    told = {"verdict": ("valid", "tampered", "unreadable", "unproven")[report.code], **asdict(report)}
    lines = [told["verdict"], f"{report.events} events, checkpoint of {report.size} in {report.origin}"]
    lines += [*map(str, report.findings), *(f"unproven: {text}" for text in report.unproven)]
    print(json.dumps(told) if given.json else "\n".join(lines))
    return report.code


if __name__ == "__main__":
    sys.exit(main())
