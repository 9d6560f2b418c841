"""Taking packs away over HTTP: whole, provable, and closed where an evaluation is."""

from pathlib import Path

import httpx2
import pytest

from api import packs
from api.parts import Parts
from domain.decider import COMMANDS
from store.postgres import PostgresStore
from tests.api.asking import AUDITOR, PMO, PRODUCT, Api, problem
from tests.api.journey import to_kpi_agreement, to_retrospective
from tests.audit.building import checked, key_of, seal
from tests.rosters import FixedRoster, directory_of
from verifier.tandem_verify import VALID, Pack, Report


@pytest.fixture(autouse=True)
def audited(behind: Parts) -> None:
    """Whoever asks is an auditor of the organisation, whatever else they are."""
    behind.door.sight.roster = FixedRoster(directory_of({who: ["AUDITOR"] for who in (AUDITOR, PMO, PRODUCT)}))


async def verified(answer: httpx2.Response, store: PostgresStore, folder: Path) -> tuple[Report, Pack]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    path = folder / "got.zip"
    path.write_bytes(answer.content)
    return checked(path, await key_of(store)), Pack(path)


async def test_a_project_and_the_log_verify(api: Api, store: PostgresStore, tmp_path: Path) -> None:
    project = await to_kpi_agreement(api)
    await seal(store)
    report, _ = await verified(await api.get(f"/v1/projects/{project}/export"), store, tmp_path)
    assert (report.code, report.events) == (VALID, (await api.state(project))["version"])
    await api.start()
    await seal(store)
    report, _ = await verified(await api.get("/v1/audit/export", AUDITOR), store, tmp_path)
    assert (report.code, report.events) == (VALID, await store.head())
    older = await api.get(f"/v1/projects/{project}/export?since=3")
    assert "consistency.ndjson" in (await verified(older, store, tmp_path))[1].names


async def test_what_is_not_sealed_is_waited_for_and_then_told(
    api: Api, store: PostgresStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "LOOKS", 2)
    project = await api.start()
    problem(await api.get(f"/v1/projects/{project}/export"), 409, "NotSealedYet")
    problem(await api.get("/v1/audit/export"), 409, "NotSealedYet")
    await seal(store)
    await api.do(project, "draft-charter", COMMANDS["DraftCharter"].example)
    _, pack = await verified(await api.get(f"/v1/projects/{project}/export"), store, tmp_path)
    assert pack.manifest["beyond"] >= 1
    problem(await api.get("/v1/projects/nobody/export"), 404, "NoProject")
    problem(await api.get(f"/v1/projects/{project}/export?since=-1"), 422, "Invalid")


async def test_an_evaluation_stays_closed_to_the_other_side(api: Api, store: PostgresStore, tmp_path: Path) -> None:
    project = await to_retrospective(api)
    before = (await api.state(project))["version"]
    await api.do(project, "submit-evaluation", COMMANDS["SubmitEvaluation"].example, PMO)
    await seal(store)
    report, pack = await verified(await api.get(f"/v1/projects/{project}/export", PRODUCT), store, tmp_path)
    assert (report.code, report.events, pack.manifest["beyond"]) == (VALID, before, 1)
    problem(await api.get("/v1/audit/export", PRODUCT), 409, "StillBlind")
    assert (await verified(await api.get("/v1/audit/export", PMO), store, tmp_path))[0].code == VALID
    await api.do(project, "submit-evaluation", COMMANDS["SubmitEvaluation"].example, PRODUCT)
    await seal(store)
    report, _ = await verified(await api.get(f"/v1/projects/{project}/export", PRODUCT), store, tmp_path)
    assert report.events == (await api.state(project))["version"]
