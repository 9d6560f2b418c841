"""A wire between the store and PostgreSQL that a test can cut, freeze and mend."""

import asyncio
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit


class Wire:
    """Passes bytes between a socket of its own and the server's; `dsn` leads through it."""

    def __init__(self, dsn: str, folder: Path) -> None:
        parts = urlsplit(dsn)
        self._server = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._folder = folder
        self.dsn = f"{parts.scheme}://{parts.netloc}{parts.path}?host={quote(str(folder), safe='/')}&port=5432"
        self.swallow: bytes | None = None
        """The next answer with these bytes is not passed on: the server has done its work, and the wire is cut."""
        self.swallowed = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Server | None = None

    async def mend(self) -> None:
        """Accept connections."""
        self._listening = await asyncio.start_unix_server(self._accept, self._folder / ".s.PGSQL.5432")

    async def cut(self) -> None:
        """Drop every connection and refuse new ones until mended."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        for writer in list(self._writers):
            writer.transport.abort()
        self._flowing.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def freeze(self) -> None:
        """Keep connections and pass nothing on."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass on again."""
        self._flowing.set()

    async def _accept(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far, far_out = await asyncio.open_unix_connection(self._server)
        self._writers |= {near_out, far_out}
        for reader, writer, answers in ((near, far_out, False), (far, near_out, True)):
            task = asyncio.create_task(self._pass_on(reader, writer, answers, (near_out, far_out)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: bool,
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(1 << 16):
                await self._flowing.wait()
                if answers and self.swallow is not None and self.swallow in piece:
                    self.swallow = None
                    self.swallowed += 1
                    break
                writer.write(piece)
                await writer.drain()
        for end in both:
            self._writers.discard(end)
            end.transport.abort()
