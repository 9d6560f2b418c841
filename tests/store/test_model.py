"""Random batches against a model in memory: every verdict, version and position, several hundred times."""

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from activities.ports import GENESIS, Append
from domain.canonical import fingerprint
from store.batch import SQL, arguments, ready
from store.connect import connect
from tests.conftest import Database
from tests.store.building import append

STREAMS = ("a", "b", "c", "d", "e")
Expected = tuple[str, int, int | None, object]


@dataclass
class Model:
    """What the log should hold."""

    leaves: dict[str, list[bytes]] = field(default_factory=lambda: {stream: [] for stream in STREAMS})
    commands: dict[tuple[str, str], tuple[bytes, int, int, object]] = field(default_factory=dict)
    size: int = 0

    def judge(self, asked: Append) -> Expected:
        """The verdict, and what it changes."""
        leaves = self.leaves[asked.stream]
        known = self.commands.get((asked.stream, asked.command_id))
        if known is not None:
            mark, version, position, answer = known
            same = mark == asked.fingerprint
            return ("duplicate", version, position, answer) if same else ("id_reused", len(leaves), None, None)
        if asked.expected_version != len(leaves):
            return "conflict", len(leaves), None, None
        if asked.facts[0].prev_hash != (leaves[-1] if leaves else GENESIS):
            return "broken", len(leaves), None, None
        leaves.extend(fact.leaf_hash for fact in asked.facts)
        self.size += len(asked.facts)
        self.commands[asked.stream, asked.command_id] = (
            asked.fingerprint,
            len(leaves),
            self.size - 1,
            asked.answer,
        )
        return "ok", len(leaves), self.size - 1, None


def invent(chance: Random, model: Model, stream: str, number: int) -> Append:
    """An append that fits, or is late, ahead, resent, renamed or torn from its chain."""
    leaves = model.leaves[stream]
    off = chance.choice([0, 0, 0, 0, 0, -1, 1, 3])
    expected = max(0, len(leaves) + off)
    prev = leaves[-1] if leaves and expected else GENESIS
    if expected and chance.random() < 0.1:
        prev = b"\x05" * 32
    asked = append(stream, expected, f"c-{number}", prev, facts=chance.randint(1, 4))
    known = [command for of, command in model.commands if of == stream]
    if known and chance.random() < 0.3:
        command = chance.choice(known)
        resent = append(stream, expected, command, prev, facts=chance.randint(1, 2))
        return resent if chance.random() < 0.5 else replace(resent, fingerprint=fingerprint("another"))
    return asked


@pytest.mark.parametrize("seed", [1, 2])
async def test_verdicts_are_those_of_the_model(database: Database, seed: int) -> None:
    chance, model, seen = Random(seed), Model(), Counter[str]()  # noqa: S311
    connection = await connect(database.app)
    try:
        for number in range(200):
            streams = chance.sample(STREAMS, chance.randint(1, len(STREAMS)))
            batch = [invent(chance, model, stream, number) for stream in streams]
            rows = [tuple(row) for row in await connection.fetch(SQL, *arguments([ready(a) for a in batch]))]
            expected = [model.judge(asked) for asked in batch]
            assert rows == expected
            seen.update(row[0] for row in rows)
        stored = await connection.fetch("SELECT position, stream, version, leaf_hash FROM tandem.event ORDER BY 1")
        head = await connection.fetchval("SELECT next_position FROM tandem.log_head")
    finally:
        await connection.close()
    assert [row[0] for row in stored] == list(range(model.size)) == list(range(head))
    for stream, leaves in model.leaves.items():
        assert [(row[2], row[3]) for row in stored if row[1] == stream] == list(enumerate(leaves, 1))
    assert min(seen[kind] for kind in ("ok", "conflict", "duplicate", "id_reused", "broken")) > 10
