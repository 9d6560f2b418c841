"""What an auditor asks: checkpoints, keys and proofs, each checked with nothing but the answers."""

from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from activities.seal import SealOrder, SealSteps
from api.app import build
from api.audit import witnesses_of
from api.parts import Parts, Surroundings
from domain.checkpoint import COSIGNATURE, BadNote, Checkpoint, Key, Note, Proof, Signer
from domain.merkle import EMPTY_ROOT, consistent, includes
from store.tree import Tree
from tests.api.asking import AUDITOR, Api, problem
from tests.conftest import Database

pytestmark = pytest.mark.usefixtures("audited")

SEED = bytes(range(32))
WITNESS = Signer("witness.example/w1", bytes(range(1, 33)), COSIGNATURE)
TEXT = {"Accept": "text/plain"}


@pytest.fixture
def tree(behind: Parts) -> Tree:
    return behind.tree


@pytest.fixture
async def around(around: Surroundings, behind: Parts) -> Surroundings:
    around.parts = replace(behind, witnesses=(WITNESS.key,))
    return around


async def seal(tree: Tree) -> int:
    return (await SealSteps(tree, SEED).seal(SealOrder())).size


async def read(api: Api, path: str, **rest: Any) -> dict[str, Any]:
    answer = await api.get(f"/v1/audit/{path}", AUDITOR, **rest)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def keys(api: Api) -> list[Key]:
    return [Key.parse(key["vkey"]) for key in (await read(api, "keys"))["keys"]]


async def test_before_anything_is_sealed(api: Api) -> None:
    assert problem(await api.get("/v1/audit/checkpoint"), 404, "NoCheckpoint")
    assert await read(api, "checkpoints") == {"items": [], "next": None}
    told = await read(api, "keys")
    assert told["log"].startswith("tandem/")
    assert (told["keys"], told["witnesses"]) == ([], [WITNESS.key.vkey])
    await api.start()
    event = (await api.get("/v1/events")).json()["items"][0]
    late = await api.get(f"/v1/audit/proofs/{event['id']}")
    assert problem(late, 409, "NotSealedYet")
    assert late.headers["retry-after"] == "2"
    assert problem(await api.get("/v1/audit/consistency", params={"from": 0, "to": 1}), 409, "NotSealedYet")
    assert (await read(api, "consistency", params={"from": 0}))["to"] == 0


async def test_every_event_is_proved_from_the_answers_alone(api: Api, tree: Tree) -> None:
    sizes = []
    for _ in range(3):
        await api.start()
        sizes.append(await seal(tree))
    (key,) = await keys(api)
    for size in sizes:
        note = Note.parse((await api.get("/v1/audit/checkpoint", params={"size": size}, headers=TEXT)).text)
        assert note.verified([key]) == [key]
        assert note.checkpoint.origin == key.name == (await read(api, "keys"))["log"]
        events = (await api.get("/v1/events", params={"limit": 200})).json()["items"]
        for event in events[:size]:
            proof = await read(api, f"proofs/{event['id']}", params={"size": size})
            path = [b64decode(part) for part in proof["path"]]
            root, leaf = b64decode(proof["checkpoint"]["root"]), b64decode(proof["leaf"])
            assert Note.parse(proof["checkpoint"]["note"]).checkpoint == Checkpoint(key.name, size, root)
            assert proof["position"] == event["position"]
            assert includes(root, size, event["position"], leaf, path)
            text = Proof.parse((await api.get(f"/v1/audit/proofs/{event['id']}", headers=TEXT)).text)
            assert text.index == event["position"]
            assert text.note.checkpoint.size == sizes[-1]
            assert includes(text.note.checkpoint.root, sizes[-1], text.index, leaf, list(text.path))


async def test_checkpoints_are_consistent_and_come_in_pages(api: Api, tree: Tree) -> None:
    for _ in range(4):
        await api.start()
        await seal(tree)
    points: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": 0}
    while page["next"] is not None:
        page = await read(api, "checkpoints", params={"after": page["next"], "limit": 3})
        points += page["items"]
    assert len(points) == 4
    assert points[-1]["root"] == (await read(api, "checkpoint"))["root"]
    for old in points:
        for new in points[points.index(old) :]:
            proof = await read(api, "consistency", params={"from": old["size"], "to": new["size"]})
            roots = b64decode(old["root"]), b64decode(new["root"])
            path = [b64decode(part) for part in proof["path"]]
            assert (proof["from"], proof["to"]) == (old["size"], new["size"])
            assert consistent(old["size"], roots[0], new["size"], roots[1], path)
    assert (await read(api, "consistency", params={"from": 0}))["path"] == []
    assert consistent(0, EMPTY_ROOT, points[-1]["size"], b64decode(points[-1]["root"]), [])


async def test_a_new_key_follows_the_old_one(api: Api, tree: Tree) -> None:
    await api.start()
    first = await seal(tree)
    await api.start()
    second = (await SealSteps(tree, bytes(32)).seal(SealOrder())).size
    told = (await read(api, "keys"))["keys"]
    assert [(key["since"], key["until"]) for key in told] == [(first, first), (second, None)]
    old, new = (Key.parse(key["vkey"]) for key in told)
    for size, key in ((first, old), (second, new)):
        found = await read(api, "checkpoint", params={"size": size})
        assert Key.parse(found["key"]) == key
        assert Note.parse(found["note"]).verified([old, new]) == [key]


async def test_a_witness_signs_once(api: Api, tree: Tree) -> None:
    await api.start()
    size = await seal(tree)
    point = Note.parse((await read(api, "checkpoint"))["note"]).checkpoint
    now = int(datetime.now(UTC).timestamp())
    lines = [str(WITNESS.cosign(point, seen_at)) for seen_at in (now, now + 1)]
    answers = [
        await api.post("/v1/audit/cosignatures", {"size": size, "line": line}, AUDITOR) for line in (*lines, lines[0])
    ]
    assert [answer.json() for answer in answers] == [
        {"size": size, "witness": WITNESS.name, "added": added} for added in (True, False, False)
    ]
    note = Note.parse((await api.get("/v1/audit/checkpoint", headers=TEXT)).text)
    assert note.verified([WITNESS.key]) == [WITNESS.key]
    assert str(note.lines[1]) == lines[0]
    event = (await api.get("/v1/events")).json()["items"][0]
    proof = Proof.parse((await api.get(f"/v1/audit/proofs/{event['id']}", headers=TEXT)).text)
    assert proof.note == note


async def test_what_is_no_witness_statement_is_refused(api: Api, tree: Tree) -> None:
    await api.start()
    size = await seal(tree)
    point = Note.parse((await read(api, "checkpoint"))["note"]).checkpoint
    now = int(datetime.now(UTC).timestamp())
    fit = WITNESS.cosign(point, now)
    stranger = Signer("witness.example/w2", SEED, COSIGNATURE).cosign(point, now)
    other = WITNESS.cosign(Checkpoint(point.origin, size, bytes(32)), now)
    tries: list[tuple[Any, int, str]] = [
        ({"size": size, "line": str(stranger)}, 403, "UnknownWitness"),
        ({"size": size, "line": str(replace(fit, key_id=b"1234"))}, 403, "UnknownWitness"),
        ({"size": size, "line": str(Signer(point.origin, SEED).sign(point))}, 403, "UnknownWitness"),
        ({"size": size + 1, "line": str(fit)}, 404, "NoCheckpoint"),
        ({"size": size, "line": str(other)}, 422, "BadCosignature"),
        ({"size": size, "line": str(WITNESS.cosign(point, now + 3600))}, 422, "BadCosignature"),
        ({"size": size, "line": str(replace(fit, signature=fit.signature[:-1]))}, 422, "BadCosignature"),
        ({"size": size, "line": "— w1 ????"}, 422, "Invalid"),
        ({"size": size, "line": "x" * 2000}, 422, "Invalid"),
        ({"size": -1, "line": str(fit)}, 422, "Invalid"),
        ({"size": str(size), "line": str(fit)}, 422, "Invalid"),
        ({"size": size}, 422, "Invalid"),
        ([], 422, "Invalid"),
    ]
    for body, status, code in tries:
        problem(await api.post("/v1/audit/cosignatures", body, AUDITOR), status, code)
    assert await tree.cosignatures(size) == []


WRONG = [
    ("checkpoint?size=-1", 422, "Invalid"),
    ("checkpoint?size=99999", 404, "NoCheckpoint"),
    (f"checkpoint?size={2**70}", 422, "Invalid"),
    ("checkpoint?sise=1", 422, "Invalid"),
    ("checkpoints?limit=0", 422, "Invalid"),
    ("checkpoints?limit=501", 422, "Invalid"),
    ("keys?x=1", 422, "Invalid"),
    ("consistency", 422, "Invalid"),
    ("consistency?from=2&to=1", 422, "Invalid"),
    ("consistency?from=1&to=99999", 409, "NotSealedYet"),
    ("consistency?from=99999", 409, "NotSealedYet"),
    ("consistency?from=1e3", 422, "Invalid"),
    ("proofs/nothing", 422, "Invalid"),
    (f"proofs/{uuid4()}", 404, "NoEvent"),
]


async def test_what_is_not_there_is_said(api: Api, tree: Tree) -> None:
    await api.start()
    await seal(tree)
    for path, status, code in WRONG:
        problem(await api.get(f"/v1/audit/{path}"), status, code)
    raw = {"content": b'{"size": 1, "line": "\\ud800"}', "headers": {"Content-Type": "application/json"}}
    problem(await api.post("/v1/audit/cosignatures", **raw), 422, "Invalid")


async def test_an_event_after_the_checkpoint_asked_for_is_not_under_it(api: Api, tree: Tree) -> None:
    await api.start()
    size = await seal(tree)
    await api.start()
    await seal(tree)
    event = (await api.get("/v1/events", params={"after": size - 1})).json()["items"][0]
    path = f"/v1/audit/proofs/{event['id']}"
    problem(await api.get(path, params={"size": size}), 409, "NotSealedYet")
    problem(await api.get(path, params={"size": size + 1000}), 404, "NoCheckpoint")
    assert (await api.get(path)).status_code == 200


async def test_strangers_learn_nothing(api: Api, tree: Tree) -> None:
    await api.start()
    await seal(tree)
    for path in ("checkpoint", "checkpoints", "keys", "consistency?from=0", f"proofs/{uuid4()}"):
        problem(await api.get(f"/v1/audit/{path}", None), 401, "Unauthenticated")


async def test_a_log_that_is_not_the_sealed_one_gets_no_proofs(api: Api, tree: Tree, database: Database) -> None:
    await api.start()
    size = await seal(tree)
    event = (await api.get("/v1/events")).json()["items"][0]
    owner = await asyncpg.connect(database.admin)
    await owner.execute("ALTER TABLE tandem.event DISABLE TRIGGER ALL")
    await owner.execute("UPDATE tandem.event SET leaf_hash = decode(repeat('ab', 32), 'hex') WHERE position = 0")
    await owner.close()
    problem(await api.get(f"/v1/audit/proofs/{event['id']}"), 503, "SealBroken")
    assert size == 1


async def test_operators_see_how_sealing_goes(api: Api, tree: Tree, around: Surroundings) -> None:
    async def told() -> tuple[str, bool]:
        state = (await api.get("/readyz", None)).json()
        assert state["status"] == "ready"
        return state["sealing"], state["checks"]["sealing"]

    assert await told() == ("new", True)
    await tree.tell("no_key")
    assert await told() == ("no_key", False)
    await api.start()
    size = await seal(tree)
    assert await told() == ("sealing", True)
    await api.start()
    await tree.mark_anchored("file", size - 1)
    await tree.tell("refused", "another root")
    assert await told() == ("refused", False)
    metrics = (await api.get("/metrics", None)).text.splitlines()
    head = await tree.head()
    for line in (
        f"tandem_sealed_events {size}",
        f"tandem_seal_lag_events {head - size}",
        "tandem_seal_refused 1",
        "tandem_seal_without_key 0",
        "tandem_anchor_lag_events 1",
    ):
        assert line in metrics


async def test_without_a_witness_every_line_is_a_strangers(behind: Parts, around: Surroundings) -> None:
    around.parts = behind
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=build(around)), base_url="http://tandem.test"
    ) as client:
        line = str(WITNESS.cosign(Checkpoint("tandem/x", 1, bytes(32)), 1))
        problem(await Api(client).post("/v1/audit/cosignatures", {"size": 1, "line": line}), 403, "UnknownWitness")


def test_only_witnesses_keys_are_witnesses_keys() -> None:
    assert witnesses_of("") == ()
    assert witnesses_of(f" {WITNESS.key.vkey}\n{WITNESS.key.vkey}") == (WITNESS.key, WITNESS.key)
    for wrong in ("x", Signer("log", SEED).key.vkey):
        with pytest.raises(BadNote):
            witnesses_of(wrong)
