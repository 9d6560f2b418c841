"""The audit view over a project that was moved to a pack: its events keep their places and tell no more."""

import pytest

from activities.indexing import Indexer
from api.parts import Parts
from store.archiving import Archives
from store.postgres import PostgresStore
from store.searching import Indexes
from tests.api.asking import AUDITOR, PMO, Api
from tests.privacy.test_archive import archives, ended, fold_anew

__all__ = ["archives", "ended"]


@pytest.mark.parametrize("indexed_before", [True, False])
async def test_an_archived_project_is_listed_and_found_by_no_word(
    archives: Archives, ended: str, store: PostgresStore, api: Api, behind: Parts, indexed_before: bool
) -> None:
    indexes = Indexes(store.pool)
    project, form = ended.removeprefix("project-"), {"format": "ndjson"}
    await api.post(f"/v1/projects/{project}/submit-evaluation", {"scores": 1}, PMO)
    if indexed_before:
        await Indexer(indexes, store).catch_up()
    before = await store.read(ended)
    assert (await api.get("/v1/audit/events", params={"project": project, "text": "renew", **form})).text
    await archives.archive(ended)
    fold_anew(behind, ended)
    if indexed_before:
        await Indexer(indexes, store).catch_up()
    for _ in range(2):
        listed = await api.get("/v1/audit/events", params={"project": project, "expand": "difference", **form})
        assert len(listed.text.splitlines()) == len(before)
        assert (await api.get("/v1/audit/events", params={"project": project, "text": "renew", **form})).text == ""
        refused = (await api.get("/v1/audit/refusals", AUDITOR, params={"project": project})).json()["items"]
        assert [item["sealed"] for item in refused] == [True]
        await Indexer(indexes, store).catch_up()
    for form_name in ("csv", "xlsx", "pdf"):
        assert (await api.get("/v1/audit/events", params={"project": project, "format": form_name})).status_code == 200
