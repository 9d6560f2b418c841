"""How the demo ends: the project is taken away and verified without Tandem, then one byte of it is flipped."""

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.markup import escape

from dev.demo import PRODUCT, Play, StoryBroken


async def prove(story: Play) -> None:
    """Export, verify offline, flip a byte, verify again. Raises StoryBroken where a verdict is not the right one."""
    story.chapter("Proof")
    content = await _exported(story)
    key = (await story.read("/v1/audit/keys"))["keys"][-1]["vkey"]
    with TemporaryDirectory(prefix="tandem-demo-") as folder:
        pack = Path(folder) / "project.zip"
        pack.write_bytes(content)
        story.console.print(
            f"  [bold]auditor[/]  takes the project away: {pack.stat().st_size} bytes, with every proof"
        )
        await _verdict(story, pack, key, expected=0)
        at = _flip(pack)
        story.console.print(f"  [bold red]somebody[/]  flips one bit of one letter, in byte {at} of the file")
        await _verdict(story, pack, key, expected=1)
    story.console.print("  [dim]The key came with the demo; an auditor has it, and a checkpoint, from elsewhere.[/]")


async def _exported(story: Play) -> bytes:
    who = {"Authorization": f"Bearer dev:{PRODUCT}"}
    answer = await story.client.get(f"/v1/projects/{story.project}/export", headers=who)
    if answer.is_error:
        raise StoryBroken(f"the project could not be exported: {answer.text}")
    return answer.content


def _flip(pack: Path) -> int:
    """Change one bit of a letter in the first event; where."""
    raw = bytearray(pack.read_bytes())
    at = raw.index(b"Member portal")
    raw[at] ^= 1
    pack.write_bytes(raw)
    return at


async def _verdict(story: Play, pack: Path, key: str, expected: int) -> None:
    """What the stand-alone verifier says in a process of its own, with no part of Tandem loaded."""
    found = find_spec("verifier.tandem_verify")
    if found is None or found.origin is None:
        raise StoryBroken("verifier/tandem_verify.py is not there")
    story.console.print("  [dim]$ python tandem_verify.py project.zip --key …[/]")
    command = [sys.executable, "-I", found.origin, str(pack), "--key", key]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    colour = "green" if expected == 0 else "red"
    for line in said.decode(errors="replace").splitlines():
        story.console.print(f"    [{colour}]{escape(line)}[/]", soft_wrap=True)
    if process.returncode != expected:
        raise StoryBroken(f"the verifier ended with {process.returncode}, not with {expected}")
