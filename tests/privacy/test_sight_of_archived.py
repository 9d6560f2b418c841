"""A confidential project that was moved to a pack: its row still says who sees it, for its state cannot be read."""

import asyncpg

from api.parts import Parts
from store.archiving import Archives
from tests.api.asking import PMO, Api, problem
from tests.conftest import Database
from tests.privacy.test_archive import archives, ended, fold_anew

__all__ = ["archives", "ended"]
STRANGER, BODY = "mo.sheng", {"reason": "Wait"}


async def test_it_exists_for_its_own_people_alone(
    archives: Archives, ended: str, api: Api, behind: Parts, database: Database
) -> None:
    project = ended.removeprefix("project-")
    owner = await asyncpg.connect(database.admin)
    await owner.execute("UPDATE tandem.project SET locks = jsonb_build_array('person/' || $1::text)", PMO)
    await owner.close()
    await archives.archive(ended)
    fold_anew(behind, ended)
    for path in (f"/v1/projects/{project}", f"/v1/projects/{project}/events", f"/v1/projects/{project}/export"):
        problem(await api.get(path, STRANGER), 404, "NoProject")
        problem(await api.get(path, PMO), 409, "ProjectArchived")
    problem(await api.post(f"/v1/projects/{project}/hold-project", BODY, STRANGER), 404, "NoProject")
    problem(await api.post(f"/v1/projects/{project}/hold-project", BODY, PMO), 409, "ProjectArchived")
    assert (await api.get("/v1/projects", STRANGER)).json()["items"] == []
    told = (await api.get("/v1/events?limit=200", STRANGER)).text
    assert project not in told
    assert f"archive-{ended}" in (await api.get("/v1/events?limit=200&type=PackRecorded&type=StreamArchived")).text
