"""A witness: another organisation with a key of its own, which signs that the log only ever grew, as far as it saw."""

import fcntl
import json
import os
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from domain.checkpoint import COSIGNATURE, BadNote, Checkpoint, Forged, Key, Line, Note, Signer, seed_of
from domain.merkle import consistent

KEY_BYTES = 32


class Mismatch(Exception):
    """The log says something that contradicts its key or what it said before. Nothing was signed."""


class Unusable(Exception):
    """A file of the witness cannot be used; the message says why."""


class Log(Protocol):
    """The log that is watched."""

    def checkpoint(self) -> str:
        """Its last note."""
        ...

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of `new` events continues that of `old`."""
        ...


@dataclass(frozen=True, slots=True)
class Memory:
    """What the witness has seen and signed last, and whose log it is."""

    keys: tuple[str, ...]
    """Trusted vkeys of the log."""
    seen: Checkpoint | None = None

    def to_json(self) -> str:
        """As it is kept."""
        body = self.seen.body if self.seen else None
        return json.dumps({"keys": self.keys, "seen": body}, indent=2)


class Witness:
    """Watches one log. Of two at once on one memory the second waits for the first."""

    def __init__(self, signer: Signer, memory: Path, now: Callable[[], float] = time.time) -> None:
        self._signer = signer
        self._path = memory
        self._now = now

    def look(self, log: Log, trusted: Sequence[str] = ()) -> tuple[Checkpoint, Line]:
        """Its last checkpoint and our line under it, remembered on disk before it is given.

        `trusted` are more vkeys of the log; the first look needs one. Raises Mismatch, and Unusable for our own files.
        """
        with _alone(self._path):
            memory = _remembered(self._path)
            keys = tuple(dict.fromkeys([*memory.keys, *trusted]))
            seen = _verified(log.checkpoint(), keys)
            if memory.seen is not None:
                _check_growth(log, memory.seen, seen)
            _remember(self._path, Memory(keys, seen))
            return seen, self._signer.cosign(seen, int(self._now()))


def _verified(text: str, keys: Sequence[str]) -> Checkpoint:
    if not keys:
        raise Unusable("no key of the log is trusted yet: name one, from elsewhere than the log itself")
    try:
        note = Note.parse(text)
        signers = note.verified([Key.parse(vkey) for vkey in keys])
    except (BadNote, Forged) as wrong:
        raise Mismatch(f"its checkpoint does not hold: {wrong}") from wrong
    if not any(key.name == note.checkpoint.origin for key in signers):
        raise Mismatch("its checkpoint is signed by no key that is trusted. Was the key changed? Then name the new one")
    return note.checkpoint


def _check_growth(log: Log, old: Checkpoint, new: Checkpoint) -> None:
    if new.origin != old.origin:
        raise Mismatch(f"it is {new.origin} now; what was seen before is {old.origin}")
    if new.size < old.size:
        raise Mismatch(f"it has {new.size} events now; {old.size} were seen before")
    path = log.consistency(old.size, new.size) if new.size > old.size else []
    if not consistent(old.size, old.root, new.size, new.root, path):
        raise Mismatch(f"its {new.size} events do not continue the {old.size} that were seen before: it was rewritten")


@dataclass(frozen=True, slots=True)
class HttpLog:
    """The log over its API."""

    get: Callable[..., Any]
    """`Api.get`; raises Unanswered."""

    def checkpoint(self) -> str:
        """Its last note."""
        return str(_field(self.get("/v1/audit/checkpoint"), "note", str))

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Raises Mismatch for what is no proof."""
        path = _field(self.get("/v1/audit/consistency", **{"from": old, "to": new}), "path", list)
        try:
            return [b64decode(part, validate=True) for part in path]
        except (ValueError, TypeError) as wrong:
            raise Mismatch("what it gave is no proof") from wrong


def _field(answer: Any, name: str, kind: type) -> Any:
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, kind):
        raise Mismatch(f"its answer has no {name}")
    return found


# Files


def new_key(path: Path, *, replace: bool = False) -> bytes:
    """A fresh seed in a file closed to other people. Raises Unusable where one is there already, unless replaced."""
    seed = secrets.token_bytes(KEY_BYTES)
    draft = path.with_name(f"{path.name}.new")
    if path.exists() is not replace:
        raise Unusable(f"{path} is there already" if path.exists() else f"{path} is not there")
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(b64encode(seed) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as wrong:
        raise Unusable(f"{path} cannot be written: {wrong}") from wrong
    return seed


def witness_of(name: str, key: Path) -> Signer:
    """The witness's signer. Raises Unusable."""
    try:
        signer = Signer(name, seed_of(key.read_text()), COSIGNATURE)
        # The name is checked with the key.
        return Signer(signer.key.name, signer.seed, COSIGNATURE)
    except (OSError, UnicodeDecodeError, BadNote) as wrong:
        raise Unusable(f"{key} is no key of a witness called {name!r}: {wrong}") from wrong


def _remembered(path: Path) -> Memory:
    try:
        kept = json.loads(path.read_text())
        return Memory(tuple(kept["keys"]), Checkpoint.parse(kept["seen"]) if kept["seen"] else None)
    except FileNotFoundError:
        return Memory(())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise Unusable(f"{path} is not what a witness remembers: {wrong}") from wrong


def _remember(path: Path, memory: Memory) -> None:
    draft = path.with_name(f"{path.name}.new")
    with draft.open("w") as file:
        file.write(memory.to_json())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    try:
        lock = path.with_name(f"{path.name}.lock").open("w")
    except OSError as wrong:
        raise Unusable(f"{path} cannot be written: {wrong}") from wrong
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
