"""The attack table: whatever the owner of the database does to the log, the verifier catches it and names it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from store.postgres import PostgresStore
from tests.audit.attacking import Owner, Row
from tests.audit.building import SEED, Life, first, packer, seal, written
from tests.audit.conftest import Baseline
from tests.conftest import Database
from verifier.tandem_verify import TAMPERED, UNPROVEN, VALID, Check, Note, Pack, Report

Change = Callable[[Owner, Baseline], Awaitable[None]]
AT = 5
"""Position of the event that is attacked: version 6 of the first project's stream."""
FORGED = """
    INSERT INTO tandem.event SELECT {at}, 1, recorded_at, effective_at, 1, gen_random_uuid(), 'project-forged', type,
      decode(repeat('00', 32), 'hex'), sha256('forged'), metadata, data FROM tandem.event WHERE position = 0
"""
MOVED = (
    "UPDATE tandem.event SET position = position + 1000 WHERE position >= {0}",
    "UPDATE tandem.event SET position = position - 999 WHERE position >= 1000 + {0}",
)


SWAPPED = (
    "UPDATE tandem.event SET position = 9999 WHERE position = {0}",
    "UPDATE tandem.event SET position = {0} WHERE position = {0} + 3",
    "UPDATE tandem.event SET position = {0} + 3 WHERE position = 9999",
)
NOTE = "UPDATE tandem.checkpoint SET note = "
OTHER_ROOT = NOTE + r"replace(note, substr(split_part(note, E'\n', 3), 1, 43), repeat('A', 43))"
OTHER_SIZE = NOTE + r"regexp_replace(note, E'\n[0-9]+\n', E'\n3\n')"
UNSIGNED = NOTE + r"split_part(note, E'\n\n', 1) || E'\n\n'"
LEAF = ", leaf_hash = sha256('x') WHERE position = 296"
CUT = "DELETE FROM tandem.event WHERE position >"


def sql(*statements: str) -> Change:
    """Done by these statements; `{0}` is the position attacked, `{p}` the first project's stream."""

    async def change(owner: Owner, log: Baseline) -> None:
        await owner.run(*(text.replace("{0}", str(AT)).replace("{p}", log.projects[0]) for text in statements))

    return change


def rewriting(edit: Callable[[list[Row]], None], *, resealed: bool = False, seed: bytes = SEED) -> Change:
    """Everything written anew with fitting hashes; `resealed` with new checkpoints, signed by the key of this seed."""

    async def change(owner: Owner, log: Baseline) -> None:
        rows = await owner.rows()
        edit(rows)
        await owner.rewrite(rows)
        if resealed:
            await owner.seal_anew([min(size, len(rows)) for size in log.sizes], seed)

    return change


def edit_one(rows: list[Row]) -> None:
    rows[AT]["data"] = rows[AT]["data"] | {"forged": True}


def drop_the_first_project(rows: list[Row]) -> None:
    rows[:] = [row for row in rows if row["stream"] != rows[0]["stream"]]


def back_date_a_new_one(rows: list[Row]) -> None:
    rows.insert(AT, rows[AT - 1] | {"event_id": UUID(int=1)})


def swap(rows: list[Row]) -> None:
    rows[AT], rows[AT + 1] = rows[AT + 1], rows[AT]


async def restore_and_go_on(owner: Owner, log: Baseline) -> None:
    """Yesterday's copy, in which then something else happened, sealed with the log's own key."""
    rows = await owner.rows()
    other = [row | {"data": row["data"] | {"other": True}} for row in rows[log.sizes[0] :]]
    await owner.rewrite([*rows[: log.sizes[0]], *other])
    await owner.seal_anew(log.sizes, SEED)


@dataclass(frozen=True)
class Attack:
    """One way of tampering, and what the verifier has to call it."""

    name: str
    change: Change
    kind: str
    position: int | None = None
    kept: bool = False
    """Whether a checkpoint kept outside is needed to catch it."""


EVENT = "UPDATE tandem.event SET {} WHERE position = {{0}}"
TABLE = [
    Attack("changed data", sql(EVENT.format("data = data || '{\"forged\": true}'")), "changed", AT),
    Attack("changed metadata", sql(EVENT.format('metadata = metadata || \'{"command": "Hold"}\'')), "changed", AT),
    Attack(
        "changed actor",
        sql(EVENT.format("metadata = jsonb_set(metadata, '{actor,principal}', '\"eve\"')")),
        "changed",
        AT,
    ),
    Attack("changed chain", sql(EVENT.format("prev_hash = sha256('x')")), "changed", AT),
    Attack("changed schema version", sql(EVENT.format("schema_version = 2")), "changed", AT),
    Attack("changed id", sql(EVENT.format("event_id = gen_random_uuid()")), "renamed", AT),
    Attack("dropped event", sql("DELETE FROM tandem.event WHERE position = {0}"), "dropped", AT),
    Attack("dropped stream", sql("DELETE FROM tandem.event WHERE stream = '{p}'"), "dropped", 0),
    Attack(
        "dropped tail of a stream",
        sql("DELETE FROM tandem.event WHERE stream = '{p}' AND position > {0}"),
        "dropped",
        AT + 1,
    ),
    Attack("inserted event", sql(*MOVED, FORGED.format(at="{0}")), "inserted", AT),
    Attack("reordered events", sql(*SWAPPED), "reordered", AT),
    Attack("renamed stream of an event", sql(EVENT.format("stream = 'project-other'")), "renamed", AT),
    Attack("renamed stream", sql("UPDATE tandem.event SET stream = 'p' WHERE stream = '{p}'"), "renamed", 0),
    Attack("renamed type", sql(EVENT.format("type = 'CharterAdopted'")), "renamed", AT),
    Attack("renamed version", sql(EVENT.format("version = 777")), "changed", AT),
    Attack("re-dated", sql(EVENT.format("recorded_at = recorded_at - interval '1 day'")), "re-dated", AT),
    Attack("re-dated effect", sql(EVENT.format("effective_at = effective_at - interval '1 day'")), "re-dated", AT),
    Attack(
        "re-dated altogether",
        sql(EVENT.format("recorded_at = recorded_at + interval '9 days', effective_at = now()")),
        "re-dated",
        AT,
    ),
    Attack("truncated log", sql("DELETE FROM tandem.event WHERE position > {0}"), "truncated", AT + 1),
    Attack(
        "truncated with its head",
        sql(f"{CUT} {{0}}", "UPDATE tandem.log_head SET next_position = {0} + 1"),
        "truncated",
        AT + 1,
    ),
    Attack("cut off at the end", sql(f"{CUT} 290"), "truncated", 291),
    Attack("dropped at the end", sql("DELETE FROM tandem.event WHERE position = 270"), "dropped", 272),
    Attack("reordered at the end", sql(*(text.replace("{0}", "270") for text in SWAPPED)), "reordered", 270),
    Attack(
        "inserted at the end, the last one pushed out",
        sql(*(text.format(270) for text in MOVED), FORGED.format(at=270)),
        "forked",
        264,
    ),
    Attack("changed at the end", sql("UPDATE tandem.event SET data = '{}' WHERE position = 296"), "changed", 296),
    Attack("changed at the end with its hash", sql("UPDATE tandem.event SET data = '{}'" + LEAF), "forked", 264),
    Attack("rewritten with every hash", rewriting(edit_one), "changed", AT),
    Attack("dropped stream, rewritten with every hash", rewriting(drop_the_first_project), "dropped", 0),
    Attack("inserted, rewritten with every hash", rewriting(back_date_a_new_one), "inserted", AT),
    Attack("reordered, rewritten with every hash", rewriting(swap), "reordered", AT),
    Attack("rewritten and sealed with the log's key", rewriting(edit_one, resealed=True), "forked", 0, kept=True),
    Attack(
        "dropped and sealed with the log's key",
        rewriting(drop_the_first_project, resealed=True),
        "forked",
        0,
        kept=True,
    ),
    Attack("an older copy, then other events", restore_and_go_on, "forked", None, kept=True),
    Attack("changed root of the seal", sql(OTHER_ROOT), "seal"),
    Attack("changed size of the seal", sql(OTHER_SIZE), "seal"),
    Attack("removed signature", sql(UNSIGNED), "seal"),
    Attack("changed earlier seal", sql(OTHER_SIZE + " WHERE size < 297"), "seal"),
    Attack("removed the last seals", sql("DELETE FROM tandem.checkpoint WHERE size > 22"), "truncated", kept=True),
    Attack("changed hash of an event", sql("UPDATE tandem.event SET version = version" + LEAF), "seal"),
    Attack("changed tile", sql("UPDATE tandem.tile SET hashes = overlay(hashes PLACING sha256('x') FROM 33)"), "seal"),
    Attack("removed tiles", sql("DELETE FROM tandem.tile"), "seal"),
]


async def verdict(database: Database, log: Baseline, folder: Path, *notes: str) -> Report:
    """Of a pack of what is there now."""
    store = await PostgresStore.open(database.app)
    try:
        path = await written(await packer(store).log(), folder / "log.zip")
    finally:
        await store.close()
    return Check(Pack(path), {log.key}, set(), 0, [Note.parse(note.encode()) for note in notes]).report


@pytest.mark.parametrize("attack", TABLE, ids=lambda attack: attack.name.replace(" ", "-"))
async def test_it_is_caught_and_named(attack: Attack, copy: Database, baseline: Baseline, tmp_path: Path) -> None:
    owner = await Owner.of(copy)
    await attack.change(owner, baseline)
    await owner.connection.close()
    alone = await verdict(copy, baseline, tmp_path)
    found = await verdict(copy, baseline, tmp_path, *baseline.notes) if attack.kept else alone
    assert found.code == TAMPERED
    assert first(found)["kind"] == attack.kind, found.findings
    if attack.position is not None:
        assert first(found)["position"] == attack.position, found.findings
    if attack.kept:
        assert alone.code == VALID, "an outside checkpoint is what catches this one"


async def test_a_log_sealed_by_another_key_is_not_proven(copy: Database, baseline: Baseline, tmp_path: Path) -> None:
    """Whoever has no key of the log can make another log, and no auditor takes it for this one."""
    owner = await Owner.of(copy)
    await rewriting(edit_one, resealed=True, seed=bytes(32))(owner, baseline)
    await owner.connection.close()
    assert (await verdict(copy, baseline, tmp_path)).code == UNPROVEN
    assert first(await verdict(copy, baseline, tmp_path, baseline.notes[0]))["kind"] == "forked"


async def test_an_untouched_log_never_alarms(copy: Database, baseline: Baseline, tmp_path: Path) -> None:
    store = await PostgresStore.open(copy.app)
    life = Life(store, count=1000)
    for project in range(30, 33):
        await life.kickoff(project)
        await seal(store)
        assert (await verdict(copy, baseline, tmp_path, *baseline.notes)).code == VALID
    await store.close()
