"""The load generator: a process of its own that speaks HTTP/1.1 over kept connections, and nothing more.

A general HTTP client costs more than the servers measured here. This one writes prepared bytes and reads up
to Content-Length. `python -m benchmarks.load` reads a Load as JSON on stdin and writes what it saw on stdout.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import uvloop

KEY = b"%KEY%"
"""Where a fresh Idempotency-Key goes."""


class Unexpected(Exception):
    """An answer that is not 200 or 201: what was to be measured did not happen."""


@dataclass(frozen=True)
class Lane:
    """One caller on one connection, sending its requests in turn, for ever."""

    path: str
    person: str
    bodies: Sequence[str]
    start: int = 0
    """Which of the bodies goes first."""
    credential: str = ""
    """Header lines that say who asks; where none are given the person's name on trust."""


@dataclass(frozen=True)
class Load:
    """What to send, until `seconds` are over or each lane has sent `most`."""

    port: int
    lanes: Sequence[Lane]
    seconds: float = 60.0
    most: int = 1_000_000


@dataclass(frozen=True)
class Seen:
    """What came back. Instants are of the machine's monotonic clock, the same in every process."""

    lanes: Sequence[Sequence[tuple[float, float, str]]] = field(default_factory=list)
    """Per lane and request: sent, answered, body of the answer."""

    @property
    def count(self) -> int:
        """How many were answered."""
        return sum(len(lane) for lane in self.lanes)

    @property
    def per_second(self) -> float:
        """Answers a second, from the first sent to the last answered."""
        began = min(lane[0][0] for lane in self.lanes)
        return self.count / (max(lane[-1][1] for lane in self.lanes) - began)

    @property
    def milliseconds(self) -> list[float]:
        """How long each caller waited."""
        return [1000 * (answered - sent) for lane in self.lanes for sent, answered, _ in lane]


async def put(load: Load) -> Seen:
    """Run the load in a process of its own. Raises Unexpected."""
    # Into a file: of a long answer through a pipe, the loop may lose the end when the process ends.
    with tempfile.TemporaryFile() as told:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.load"),
            stdin=asyncio.subprocess.PIPE,
            stdout=told,
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await process.communicate(json.dumps(asdict(load)).encode())
        if process.returncode != 0:
            raise Unexpected(complaint.decode(errors="replace")[-2000:])
        told.seek(0)
        return Seen(**json.load(told))


class Connection:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> bytes:
        """The body of the answer. Raises Unexpected."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        if head[9:12] not in (b"200", b"201"):
            raise Unexpected(head.decode(errors="replace") + body.decode(errors="replace"))
        return body

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            await self._streams[1].wait_closed()

    async def ask(self, method: str, path: str, person: str, data: Mapping[str, Any] | None = None) -> Any:
        """One request prepared, sent and its answer read as JSON."""
        body = "" if data is None else json.dumps(data)
        return json.loads(await self.send(prepared(method, path, person, body).replace(KEY, _key())))


def prepared(method: str, path: str, person: str, body: str, credential: str = "") -> bytes:
    """The bytes of a request, with KEY where a fresh key goes."""
    content = body.encode()
    head = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        credential or f"Authorization: Bearer dev:{person}",
        f"Idempotency-Key: {KEY.decode()}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + content


def _key() -> bytes:
    return uuid4().hex.encode()


def _length(head: bytes) -> int:
    start = head.lower().index(b"content-length:") + 15
    return int(head[start : head.index(b"\r\n", start)])


async def _drive(load: Load, lane: Lane, connection: Connection, until: float) -> list[tuple[float, float, str]]:
    requests = [prepared("POST", lane.path, lane.person, body, lane.credential) for body in lane.bodies]
    seen: list[tuple[float, float, str]] = []
    for number in count(lane.start):
        request = requests[number % len(requests)].replace(KEY, _key())
        sent = time.monotonic()
        body = await connection.send(request)
        answered = time.monotonic()
        seen.append((sent, answered, body.decode()))
        if answered >= until or len(seen) >= load.most:
            break
    return seen


async def _run(load: Load) -> Seen:
    connections = [Connection(load.port) for _ in load.lanes]
    until = time.monotonic() + load.seconds
    pairs = zip(load.lanes, connections, strict=True)
    lanes = await asyncio.gather(*(_drive(load, lane, connection, until) for lane, connection in pairs))
    for connection in connections:
        await connection.close()
    return Seen(lanes)


def _read(told: str) -> Load:
    fields = json.loads(told)
    return Load(**fields | {"lanes": [Lane(**lane) for lane in fields["lanes"]]})


if __name__ == "__main__":
    outcome = uvloop.run(_run(_read(sys.stdin.read())))
    sys.stdout.write(json.dumps(asdict(outcome)))
