"""A real HTTP server on loopback that gets webhooks and answers as a test wants: well, late, badly, or never."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True)
class Got:
    """One request that came in."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent."""
        return dict(orjson.loads(self.body))


@dataclass(frozen=True)
class Reply:
    """What is answered; without a status never anything."""

    status: int | None = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0


Script = Callable[[Got], Reply]


def always(status: int, **headers: str) -> Script:
    """The same answer to everything."""
    return lambda _: Reply(status, {name.replace("_", "-"): value for name, value in headers.items()})


WELL = always(204)


class Receiver:
    """Keeps what came in. `script` may be changed at any time."""

    def __init__(self, script: Script = WELL) -> None:
        self.script = script
        self.got: list[Got] = []
        self.url = ""
        self._arrived = asyncio.Condition()

    @property
    def types(self) -> list[str]:
        return [got.event["type"] for got in self.got]

    async def until(self, count: int, seconds: float = 15) -> list[Got]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.got) >= count)
        return self.got

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(await _request(reader), writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, got: Got, writer: asyncio.StreamWriter) -> None:
        reply = self.script(got)
        async with self._arrived:
            self.got.append(got)
            self._arrived.notify_all()
        await self._say(reply, writer)

    async def _say(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        if reply.status is None:
            await asyncio.sleep(60)
        await asyncio.sleep(reply.seconds)
        lines = [f"HTTP/1.1 {reply.status} -", f"Content-Length: {len(reply.body)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + reply.body)
        await writer.drain()


async def _request(reader: asyncio.StreamReader) -> Got:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Got(head[0].split(" ")[1], headers, body)


@asynccontextmanager
async def receiving(script: Script = WELL, receiver: Receiver | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = receiver or Receiver(script)
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()
