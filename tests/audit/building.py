"""A small log of real projects: decided by the rules, stored, sealed in several checkpoints, and packed."""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from activities.decide import Step
from activities.seal import SealOrder, SealSteps
from config import Settings, load_templates
from domain.checkpoint import Key, Note, Signer, origin_of
from domain.decider import COMMANDS
from domain.messages import Actor, Envelope
from store.packing import Packer
from store.postgres import PostgresStore
from store.tree import Tree
from tests.store.building import START
from tests.vaults import vault_of
from verifier.tandem_verify import Check, Pack, Report
from verifier.tandem_verify import Key as Vkey
from verifier.tandem_verify import Note as Signed

SEED = bytes(range(32))
PMO, PRODUCT, SPONSOR = "pei.min", "pan.mei", "sun.lei"
TEMPLATES = load_templates(Settings(_env_file=None).templates)


@dataclass
class Life:
    """Projects being played on a store, a second a command; ids follow from the order."""

    store: PostgresStore
    at: datetime = START
    count: int = 0
    projects: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.step = Step(self.store, TEMPLATES, now=lambda: self.at, vault=vault_of(self.store))

    async def do(self, project: int, who: str, command: str, **changed: Any) -> None:
        """One command, its example where nothing else is said."""
        self.count, self.at = self.count + 1, self.at + timedelta(seconds=1)
        while len(self.projects) <= project:
            self.projects.append(str(UUID(int=(7 << 76) + len(self.projects) + 1)))
        body = changed or COMMANDS[command].example
        envelope = Envelope(f"c-{self.count}", self.projects[project], command, Actor(who), self.at, body)
        await self.step.submit(envelope, f"P-{project:05}")

    async def sign(self, person: str, *projects: int) -> None:
        """This person approves what is open in each project."""
        for project in projects:
            folded = await self.step.states.current(self.projects[project])
            decision = folded.project.open_decisions()[-1]
            subject = {"revision": decision.subject.revision, "content_hash": decision.subject.content_hash}
            await self.do(project, person, "Vote", decision=decision.id, value="APPROVE", **subject)

    async def kickoff(self, *projects: int) -> None:
        """From their start to signed charters, a command of each in turn."""
        for command in ("StartProject", "DraftCharter", "ProposeCharter"):
            for project in projects:
                await self.do(project, PMO, command)
        for person in (PMO, PRODUCT, SPONSOR):
            await self.sign(person, *projects)


async def seal(store: PostgresStore, seed: bytes = SEED) -> Note:
    """A checkpoint over everything; the note."""
    report = await SealSteps(Tree(store.pool), seed).seal(SealOrder())
    return Note.parse(report.note)


async def key_of(store: PostgresStore, seed: bytes = SEED) -> Key:
    return Signer(origin_of(await Tree(store.pool).log_id()), seed).key


async def written(parts: AsyncIterable[bytes], path: Path) -> Path:
    """The pack in a file."""
    with path.open("wb") as file:
        async for part in parts:
            file.write(part)
    return path


def checked(path: Path, *keys: Key, older: tuple[str, ...] = (), witnesses: tuple[Key, ...] = ()) -> Report:
    """What the verifier says."""
    trusted = {Vkey.parse(key.vkey) for key in keys}
    seen = {Vkey.parse(key.vkey) for key in witnesses}
    return Check(Pack(path), trusted, seen, len(seen), [Signed.parse(note.encode()) for note in older]).report


def first(report: Report) -> Mapping[str, Any]:
    """The first finding's kind and place."""
    found = report.findings[0]
    return {"kind": found.kind, "position": found.position, "stream": found.stream, "version": found.version}


def packer(store: PostgresStore) -> Packer:
    return Packer(store.pool, now=lambda: START)
