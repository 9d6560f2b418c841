"""Second places for checkpoints: a file that survives a torn write, an address, a mailbox; each on a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from email import message_from_string
from pathlib import Path

import orjson
import pytest

from domain.checkpoint import BadNote, Checkpoint, Note, Signer
from domain.merkle import leaf
from store.anchors import FileAnchor, MailAnchor, WebAnchor

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


def note(size: int, origin: str = "tandem/one") -> str:
    signer = Signer(origin, bytes(range(32)))
    point = Checkpoint(origin, size, leaf(size.to_bytes(4, "big")))
    return str(Note(point, (signer.sign(point),)))


async def test_a_file_has_each_checkpoint_once(tmp_path: Path) -> None:
    path = tmp_path / "far" / "checkpoints.ndjson"
    anchor = FileAnchor(path)
    assert await anchor.last("tandem/one") is None
    await anchor.keep([note(1), note(2)])
    await anchor.keep([note(1), note(2), note(3)])
    lines = [orjson.loads(line)["note"] for line in path.read_bytes().splitlines()]
    assert lines == [note(1), note(2), note(3)]
    assert str(await anchor.last("tandem/one")) == note(3)


async def test_logs_can_share_a_file(tmp_path: Path) -> None:
    anchor = FileAnchor(tmp_path / "shared")
    await anchor.keep([note(9)])
    await anchor.keep([note(2, "tandem/two")])
    assert str(await anchor.last("tandem/one")) == note(9)
    assert str(await anchor.last("tandem/two")) == note(2, "tandem/two")
    assert await anchor.last("tandem/three") is None


@pytest.mark.parametrize("cut", [1, 5, 60])
async def test_a_torn_line_is_passed_over_and_written_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "torn"
    anchor = FileAnchor(path)
    await anchor.keep([note(1), note(2)])
    path.write_bytes(path.read_bytes()[:-cut])
    assert str(await anchor.last("tandem/one")) == note(1)
    await anchor.keep([note(2), note(3)])
    assert str(await anchor.last("tandem/one")) == note(3)
    await anchor.keep([note(4)])
    assert str(await anchor.last("tandem/one")) == note(4)


async def test_the_last_line_of_a_long_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "long"
    anchor = FileAnchor(path)
    await anchor.keep([note(size) for size in range(1, 3000)])
    assert path.stat().st_size > 300_000
    assert str(await anchor.last("tandem/one")) == note(2999)


async def test_a_line_that_is_no_note_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "bad"
    anchor = FileAnchor(path)
    for line in (b'{"note": "x"}\n', b'{"note": 1}\n'):
        path.write_bytes(line)
        with pytest.raises(BadNote):
            await anchor.last("tandem/one")


async def test_a_file_that_cannot_be_written_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"."):
        await FileAnchor(tmp_path / "file" / "below").keep([note(1)])
    with pytest.raises(OSError, match=r"."):
        await FileAnchor(tmp_path).last("tandem/one")


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[int]:
    async def safely(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)  # type: ignore[misc]
        writer.close()

    server = await asyncio.start_server(safely, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_an_address_gets_them_in_order() -> None:
    got: list[tuple[bytes, bytes]] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-len"))
        got.append((head, await reader.readexactly(length)))
        status = b"204 No Content" if len(got) < 3 else b"500 Broken"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with listening(take) as port:
        anchor = WebAnchor(f"http://127.0.0.1:{port}/checkpoints")
        await anchor.keep([note(1), note(2)])
        with pytest.raises(OSError, match="not taken"):
            await anchor.keep([note(3)])
    with pytest.raises(OSError, match="not taken"):
        await anchor.keep([note(3)])
    assert [body.decode() for _, body in got] == [note(1), note(2), note(3)]
    assert got[0][0].startswith(b"POST /checkpoints HTTP/1.1\r\n")
    assert b"text/plain; charset=utf-8" in got[0][0]
    assert await anchor.last("tandem/one") is None


async def test_a_mailbox_gets_the_newest() -> None:
    got: list[str] = []

    async def postman(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                got.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")

    async with listening(postman) as port:
        anchor = MailAnchor(f"smtp://127.0.0.1:{port}/?from=log@a.example&to=auditor@b.example", timedelta(hours=1))
        await anchor.keep([note(1), note(2)])
    (text,) = got
    mail = message_from_string(text)
    assert (mail["From"], mail["To"], mail["Subject"]) == ("log@a.example", "auditor@b.example", "tandem/one: 2 events")
    sent = mail.get_payload(decode=True)
    assert isinstance(sent, bytes)
    assert sent.decode().replace("\r\n", "\n").removesuffix(".\n") == note(2)
    assert await anchor.last("tandem/one") is None
    with pytest.raises(OSError, match=r"."):
        await anchor.keep([note(3)])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://a/?from=b&to=c",
        "smtp:///?from=b&to=c",
        "smtp://a/",
        "smtp://a/?from=b",
        "smtp://a/?from=b&to=c&to=d",
    ],
)
def test_a_mailbox_is_named_in_full(url: str) -> None:
    with pytest.raises(ValueError, match="mailbox"):
        MailAnchor(url, timedelta(0))
