"""What is said of people is sealed before it is stored; with the key gone nobody reads it, and proofs stay valid."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from activities.vault import Vault
from api.parts import Parts
from projections.people import erase_again
from store.packing import Packer
from store.postgres import PostgresStore
from store.tree import Tree
from store.vault import PostgresVault
from tests.api.asking import AUDITOR, MEMBER, PMO, PRODUCT, SPONSOR, START, Api, problem
from tests.audit.building import checked, key_of, seal, written
from tests.conftest import Database
from tests.privacy.lives import SECRETS, Closed
from verifier.tandem_verify import VALID

OFFICERS = ("pei.lan", "pei.ya")
SPOKEN_OF = (PMO, PRODUCT, MEMBER, "chen.yu")


@pytest.fixture
async def officers(api: Api) -> Api:
    """Two PMO officers from elsewhere, of whom the project says nothing."""
    for officer in OFFICERS:
        body = {**START, "people": {**START["people"], "pmo": officer}}
        assert (await api.post("/v1/projects", body, officer)).status_code == 201
    return api


async def erase(api: Api, *persons: str) -> None:
    for person in persons:
        await api.post(f"/v1/people/{person}/erase", {"basis": "asked by the person"}, OFFICERS[0])
        answer = await api.post(f"/v1/people/{person}/confirm-erasure", {}, OFFICERS[1])
        assert answer.status_code == 200, answer.text


async def everything(api: Api, project: str, who: str = SPONSOR, **headers: str) -> str:
    """Whatever the API gives of the project to this person, in one text."""
    paths = ("", "/events?limit=200", "/diff?from=1")
    answers = [await api.get(f"/v1/projects/{project}{path}", who, headers=headers) for path in paths]
    answers += [await api.get("/v1/events?limit=200", who, headers=headers), await api.get("/v1/inbox", who)]
    return json.dumps([answer.json() for answer in answers], ensure_ascii=False)


async def database_text(dsn: str) -> str:
    """Every row of every table, as text."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('tandem', 'vault')"
        )
        assert len(tables) > 15
        texts = [await connection.fetchval(f"SELECT string_agg(t::text, ' ') FROM {name} t") for (name,) in tables]
        return " ".join(text for text in texts if text)
    finally:
        await connection.close()


def said(text: str) -> list[str]:
    return [name for name, secret in SECRETS.items() if secret in text]


async def test_the_project_reads_it_and_nobody_else(api: Api, closed: Closed, database: Database) -> None:
    assert said(await everything(api, closed.project)) == list(SECRETS)
    assert said(await everything(api, closed.project, AUDITOR)) == list(SECRETS)
    strange = await everything(api, closed.project, "stranger")
    assert not said(strange)
    assert "[withheld]" in strange
    assert "vault:1:" not in strange
    assert "[未公开]" in await everything(api, closed.project, "stranger", **{"Accept-Language": "zh"})
    assert not said(await database_text(database.admin))


async def test_what_is_said_of_you_is_open_to_you(api: Api, closed: Closed) -> None:
    """MEMBER has left the project."""
    assert said(await everything(api, closed.project, MEMBER)) == ["illness"]


async def test_erased_nobody_reads_it_and_every_proof_stays_valid(
    officers: Api, closed: Closed, store: PostgresStore, database: Database, tmp_path: Path, behind: Parts
) -> None:
    before, root = await store.feed(limit=2000), await Tree(store.pool).root(await store.head())
    old = await written(await Packer(store.pool).stream(f"project-{closed.project}"), tmp_path / "old.zip")
    state = await officers.state(closed.project, SPONSOR)
    await erase(officers, *SPOKEN_OF)

    for language, word in (("en", "[erased]"), ("zh", "[已删除]")):
        text = await everything(officers, closed.project, **{"Accept-Language": language})
        assert not said(text)
        assert word in text
    assert not said(await database_text(database.admin))
    now = await officers.state(closed.project, SPONSOR)
    assert {view.pop("comment") for view in now["retrospective"]["evaluations"].values()} == {"[erased]"}
    assert {view.pop("comment") for view in state["retrospective"]["evaluations"].values()} == {
        SECRETS["comment"],
        SECRETS["other"],
    }
    assert now == state, "nothing else is lost"

    after = await store.feed(limit=2000)
    assert after[: len(before)] == before
    assert await Tree(store.pool).root(len(before)) == root
    note, key = await seal(store), await key_of(store)
    whole = await written(await Packer(store.pool).log(), tmp_path / "log.zip")
    fresh = await written(await Packer(store.pool).stream(f"project-{closed.project}"), tmp_path / "fresh.zip")
    for pack in (old, whole, fresh):
        assert checked(pack, key).code == VALID
        assert not said(pack.read_bytes().decode("utf-8", "replace"))
    assert note.checkpoint.size == len(after)
    assert [fact.type for fact in after[-2:]] == ["ErasureRequested", "PersonErased"]


async def test_one_of_several_is_enough(officers: Api, closed: Closed) -> None:
    await erase(officers, PRODUCT)
    assert said(await everything(officers, closed.project)) == ["comment", "illness", "joins", "outcome"]


async def test_an_older_copy_of_the_vault_brings_nothing_back(
    officers: Api, closed: Closed, database: Database, keys: PostgresVault, behind: Parts
) -> None:
    connection = await asyncpg.connect(database.admin)
    await connection.execute("CREATE TABLE yesterday AS TABLE vault.person")
    await erase(officers, *SPOKEN_OF)
    await connection.execute("DELETE FROM vault.erased; DELETE FROM vault.person")
    await connection.execute("INSERT INTO vault.person TABLE yesterday; DROP TABLE yesterday")
    await connection.close()
    behind.vault.forget()
    assert said(await everything(officers, closed.project)), "the copy has the keys"
    assert sorted(await erase_again(behind.store.pool, keys)) == sorted(SPOKEN_OF)
    behind.vault.forget()
    assert not said(await everything(officers, closed.project))


async def test_the_same_command_again_is_one_and_another_text_is_another(api: Api) -> None:
    project = await api.start()
    body = {"person": "chen.yu", "role": "MEMBER", "reason": SECRETS["joins"]}
    headers = {"Idempotency-Key": "join"}
    first = await api.post(f"/v1/projects/{project}/assign-role", body, headers=headers)
    again = await api.post(f"/v1/projects/{project}/assign-role", body, headers=headers)
    assert first.status_code == 200
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = {**body, "reason": "Joins us"}
    problem(await api.post(f"/v1/projects/{project}/assign-role", other, headers=headers), 422, "IdReused")


async def test_of_the_erased_nothing_more_is_recorded(officers: Api) -> None:
    project = await officers.start()
    body = {"person": "chen.yu", "role": "MEMBER", "reason": SECRETS["joins"]}
    headers = {"Idempotency-Key": "join"}
    first = await officers.post(f"/v1/projects/{project}/assign-role", body, headers=headers)
    await erase(officers, "chen.yu")
    again = await officers.post(f"/v1/projects/{project}/assign-role", body, headers=headers)
    assert again.json() == first.json(), "what was recorded before is answered as before"
    more = {"person": "chen.yu", "role": "AUDITOR", "reason": "So that she signs nothing"}
    found = problem(await officers.post(f"/v1/projects/{project}/assign-role", more), 422, "PersonErased")
    assert found["rule"] == "K8"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ({"person": "chen.yu", "role": "NOBODY", "reason": SECRETS["joins"]}, {"person": "chen.yu", "role": "NOBODY"}),
        ({"person": "chen.yu", "resaon": SECRETS["joins"]}, {"person": "chen.yu"}),
        ([SECRETS["joins"]], {}),
    ],
)
async def test_the_refusal_log_keeps_no_such_text(
    api: Api, store: PostgresStore, database: Database, body: Any, kept: dict[str, str]
) -> None:
    project = await api.start()
    problem(await api.post(f"/v1/projects/{project}/assign-role", body), 422)
    (_, line) = (await store.refusals(10))[-1]
    assert kept.items() <= line.data.items()
    assert not said(await database_text(database.admin))


async def test_without_a_key_nothing_personal_is_accepted(api: Api, behind: Parts, closed: Closed) -> None:
    project = await api.start()
    behind.step._vault = Vault(PostgresVault("", behind.store.pool, None))
    head = await behind.store.head()
    body = {"person": "chen.yu", "role": "MEMBER", "reason": "Joins us"}
    found = problem(await api.post(f"/v1/projects/{project}/assign-role", body), 503, "VaultLocked")
    assert "TANDEM_VAULT_KEY_FILE" in found["detail"]
    assert await behind.store.head() == head
    await api.do(project, "hold-project", {"reason": "Waiting for the budget"})


async def test_nobody_types_a_sealed_text(api: Api, closed: Closed, store: PostgresStore) -> None:
    """Else whoever has got hold of one could have it opened in a project of their own."""
    facts = await store.read(f"project-{closed.project}")
    token = next(fact.data["comment"] for fact in facts if fact.type == "EvaluationSubmitted")
    project = await api.start()
    found = problem(await api.post(f"/v1/projects/{project}/hold-project", {"reason": f"See {token}"}), 422)
    assert found["errors"][0]["pointer"] == "/reason"
